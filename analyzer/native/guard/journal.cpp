#include "guard/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace guard {

bool Journal::open(const char* parent) {
    const long long now = time(nullptr);
    for (long long at = now; at < now + 100; at++) {
        const int length = std::snprintf(folder_, sizeof folder_, "%s/box-%d-%lld", parent, getpid(), at);
        if (length < 0 || static_cast<std::size_t>(length) >= sizeof folder_ - 64) {
            errno = ENAMETOOLONG;
            return false;
        }
        if (mkdir(folder_, 0700) == 0) return true;
        if (errno != EEXIST) return false;
    }
    return false;
}

void Journal::begin(const char* event) {
    timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    used_ = 0;
    add("{\"event\": \"%s\", \"time_unix\": %lld.%03ld", event, static_cast<long long>(at.tv_sec),
        at.tv_nsec / 1000000);
}

void Journal::text(const char* name, const char* value) { text(name, value, std::strlen(value)); }

// Bytes above ASCII are passed on: the reader replaces what is no UTF-8.
void Journal::text(const char* name, const char* value, std::size_t bytes) {
    add(", \"%s\": \"", name);
    for (std::size_t i = 0; i < bytes && i < 1024; i++) {
        const auto byte = static_cast<unsigned char>(value[i]);
        if (byte == '"' || byte == '\\')
            add("\\%c", byte);
        else if (byte < 0x20 || byte == 0x7F)
            add("\\u%04x", byte);
        else
            add("%c", byte);
    }
    add("\"");
}

void Journal::number(const char* name, long long value) { add(", \"%s\": %lld", name, value); }

void Journal::seconds(const char* name, double value) { add(", \"%s\": %.6f", name, value); }

void Journal::numbers(const char* name, const long long* values, std::size_t count) {
    add(", \"%s\": [", name);
    for (std::size_t i = 0; i < count; i++) add(i ? ", %lld" : "%lld", values[i]);
    add("]");
}

void Journal::write() {
    add("}\n");
    char path[kPathBytes + 32];
    std::snprintf(path, sizeof path, "%s/guard.jsonl", folder_);
    const int file = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return;
    [[maybe_unused]] const ssize_t written = ::write(file, line_, used_);
    close(file);
}

void Journal::add(const char* format, ...) {
    va_list values;
    va_start(values, format);
    const std::size_t left = sizeof line_ - used_;
    const int length = std::vsnprintf(line_ + used_, left, format, values);
    va_end(values);
    if (length > 0) used_ += static_cast<std::size_t>(length) < left ? static_cast<std::size_t>(length) : left - 1;
}

}  // namespace guard
