#include "agent/agent_pipes.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace agent {
namespace {

constexpr const char* kFiles[] = {"orders", "answers", "heap", "leakscan-agent.so", "open.py"};

// Whose pipes are open: one caller at a time, for they share what the library keeps.
pthread_mutex_t serving = PTHREAD_MUTEX_INITIALIZER;
int held[2] = {-1, -1};

void close_held() {
    for (int& fd : held) {
        if (fd >= 0) close(fd);
        fd = -1;
    }
}

// A child that the program forks meanwhile, and that runs no other program, has no agent.
void forget_in_child() {
    close_held();
    pthread_mutex_init(&serving, nullptr);
}

}  // namespace

Pipes::Pipes(const char* folder) : is_alone_(pthread_mutex_trylock(&serving) == 0) {
    std::snprintf(folder_, sizeof folder_, "%s", folder);
    static bool is_registered = false;
    if (is_alone_ && !is_registered) is_registered = pthread_atfork(nullptr, nullptr, forget_in_child) == 0;
}

Pipes::~Pipes() {
    if (is_alone_) {
        close_held();
        pthread_mutex_unlock(&serving);
        return;
    }
    if (orders_ >= 0) close(orders_);
    if (answers_ >= 0) close(answers_);
}

int Pipes::open_pipe(const char* name, int flags) const {
    char path[kPathBytes + 32];
    std::snprintf(path, sizeof path, "%s/%s", folder_, name);
    return ::open(path, flags | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
}

bool Pipes::open() {
    orders_ = open_pipe("orders", O_RDONLY);
    answers_ = open_pipe("answers", O_WRONLY);
    if (is_alone_) {
        held[0] = orders_;
        held[1] = answers_;
    }
    return orders_ >= 0 && answers_ >= 0;
}

bool Pipes::is_lost() const {
    // Written and gone counts as gone: nobody is there to read what an order would bring.
    pollfd asked{answers_, POLLOUT, 0};
    return poll(&asked, 1, 0) > 0 && (asked.revents & (POLLERR | POLLHUP));
}

bool Pipes::next_order(char* line, std::size_t capacity) {
    for (;;) {
        const auto* const end = static_cast<char*>(std::memchr(pending_, '\n', pending_bytes_));
        if (end) {
            const auto length = static_cast<std::size_t>(end - pending_);
            std::snprintf(line, capacity, "%.*s", static_cast<int>(length), pending_);
            pending_bytes_ -= length + 1;
            std::memmove(pending_, end + 1, pending_bytes_);
            return true;
        }
        if (pending_bytes_ == sizeof pending_) return false;
        const ssize_t got = read(orders_, pending_ + pending_bytes_, sizeof pending_ - pending_bytes_);
        if (got > 0) {
            pending_bytes_ += static_cast<std::size_t>(got);
            continue;
        }
        // Zero: no writer is left. A first poll() would not tell, where there never was one.
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) return false;
        pollfd asked{orders_, POLLIN, 0};
        poll(&asked, 1, -1);
    }
}

int Pipes::open_heap() const {
    const int fd = open_pipe("heap", O_WRONLY);
    if (fd >= 0) fcntl(fd, F_SETFL, 0);  // the writer waits for the reader
    return fd;
}

void Pipes::say(const char* format, ...) const {
    char line[512];
    va_list values;
    va_start(values, format);
    int length = std::vsnprintf(line, sizeof line - 1, format, values);
    va_end(values);
    if (length > static_cast<int>(sizeof line) - 2) length = sizeof line - 2;
    line[length++] = '\n';
    // Shorter than PIPE_BUF: all or nothing. SIGPIPE is blocked on this thread.
    [[maybe_unused]] const ssize_t written = write(answers_, line, static_cast<std::size_t>(length));
}

void Pipes::remove() const {
    char path[kPathBytes + 32];
    for (const char* name : kFiles) {
        std::snprintf(path, sizeof path, "%s/%s", folder_, name);
        unlink(path);
    }
    rmdir(folder_);
}

}  // namespace agent
