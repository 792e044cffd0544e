#include "walk/snapshot.h"

#include "births/births.h"
#include "module.h"
#include "walk/code.h"
#include "walk/containers.h"
#include "walk/plan.h"
#include "walk/walk.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#if defined(__linux__)
#include <link.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#endif

#include <cstdio>
#include <new>

namespace record {
namespace {

constexpr std::size_t kMaxThreads = 65536, kMaxSegments = 4096,
                      kMaxHeads = 4;  // young, two older, frozen: in every version

// Everything the child needs, gathered while Python's API may still be called.
struct Gathered {
    Input input{};
    ThreadInput* threads = nullptr;
    Segment* segments = nullptr;
    void* heads[kMaxHeads];
    char others[96];  // a warning
    void release() const {
        if (threads) munmap(threads, kMaxThreads * sizeof(ThreadInput));
        if (segments) munmap(segments, kMaxSegments * sizeof(Segment));
    }
};

// Not malloc: a freed block of this size raises glibc's mmap threshold, and the next ones would stay
// in the heap of the observed process for good. NULL when there is no memory.
template <typename T>
T* scratch(std::size_t count) {
    void* memory = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? nullptr : static_cast<T*>(memory);
}

void* symbol(const char* name) { return dlsym(RTLD_DEFAULT, name); }

void* frame_of(void* state) {
    if (L->ts_frame >= 0) return load<void*>(state, L->ts_frame);
    void* cframe = load<void*>(state, L->ts_cframe);
    return cframe ? load<void*>(cframe, L->cframe_frame) : nullptr;
}

enum class Frames { NONE, READABLE, STRANGE };

Frames frames_under(void* state) {
    const auto* at = static_cast<const char*>(frame_of(state));
    for (int left = 16; at && left-- > 0; at = load<const char*>(at, L->frame_previous))
        if (const Object* code = frame_code(at)) {
            const bool is_code = !std::strcmp(code->type->name, "code") && is_str(object_at(code, L->code_filename));
            return is_code ? Frames::READABLE : Frames::STRANGE;
        }
    return Frames::NONE;
}

// The frame chain is trusted only when a frame that is running is really found in it: the caller's, or
// on a thread without any, those of the first thread that has some.
bool frames_are_readable(const ThreadInput* threads, std::size_t count, bool is_agent) {
    if (!layout_knows_frames()) return false;
    if (!is_agent) return frames_under(PyThreadState_Get()) == Frames::READABLE;
    for (std::size_t i = 0; i < count; i++) {
        const Frames found = frames_under(threads[i].state);
        if (found != Frames::NONE) return found == Frames::READABLE;
    }
    return true;
}

bool gather_threads(Gathered& into, bool is_agent) {
    using HeadOf = void* (*)(void*);
    const auto head_of = reinterpret_cast<HeadOf>(symbol("PyInterpreterState_ThreadHead"));
    const auto next_of = reinterpret_cast<HeadOf>(symbol("PyThreadState_Next"));
    into.threads = scratch<ThreadInput>(kMaxThreads);
    if (!into.threads) return false;
    std::size_t count = 0;
    void* const own = is_agent ? PyThreadState_Get() : nullptr;
    void* state = head_of && next_of ? head_of(PyInterpreterState_Get()) : PyThreadState_Get();
    while (state && count < kMaxThreads) {
        if (state != own) into.threads[count++] = {state, nullptr};
        state = next_of ? next_of(state) : nullptr;
    }
    const bool readable = frames_are_readable(into.threads, count, is_agent);
    for (std::size_t i = 0; readable && i < count; i++) into.threads[i].frame = frame_of(into.threads[i].state);
    // The interpreter lists the newest thread first; the oldest is the main one.
    for (std::size_t i = 0; i < count / 2; i++) {
        const ThreadInput other = into.threads[i];
        into.threads[i] = into.threads[count - 1 - i];
        into.threads[count - 1 - i] = other;
    }
    into.input.threads = into.threads;
    into.input.thread_count = count;
    if (!readable) into.input.warn("the running frames of this Python build could not be read");
    return true;
}

// A word that may lie anywhere: read by the kernel, which says no instead of faulting.
bool is_filtered = false;

bool read_word(std::uintptr_t address, std::uintptr_t* word) {
#if defined(__linux__)
    if (is_filtered) {
        const int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
        const bool is_read =
            memory >= 0 && pread(memory, word, sizeof(*word), static_cast<off_t>(address)) == sizeof(*word);
        if (memory >= 0) close(memory);
        return is_read;
    }
    iovec into{word, sizeof(*word)}, from{reinterpret_cast<void*>(address), sizeof(*word)};
    if (process_vm_readv(getpid(), &into, 1, &from, 1, 0) == sizeof(*word)) return true;
    // A container's system call filter may forbid even this; the four heads lie where they are looked
    // for in every known version.
    if (errno != EPERM && errno != ENOSYS) return false;
#endif
    *word = load<std::uintptr_t>(reinterpret_cast<void*>(address), 0);
    return true;
}

bool is_list_head(std::uintptr_t head) {
    constexpr std::uintptr_t kPointer = ~std::uintptr_t{3};  // the low bits are the collector's
    std::uintptr_t next, previous, back, forth;
    return read_word(head, &next) && read_word(head + 8, &previous) && read_word((next & kPointer) + 8, &back) &&
           read_word(previous & kPointer, &forth) && (back & kPointer) == head && (forth & kPointer) == head;
}

std::uintptr_t first_head = 0;  // the youngest list, found once from a fresh object

// A new object is the last of the youngest list, so the word behind it is that list's head.
void find_first_head() {
    PyObject* fresh = PyList_New(0);
    if (!fresh) {
        PyErr_Clear();
        return;
    }
    const auto head = load<std::uintptr_t>(fresh, kGcNext) & ~std::uintptr_t{3};
    const auto interpreter = reinterpret_cast<std::uintptr_t>(PyInterpreterState_Get());
    if (head >= interpreter && head < interpreter + 4 * 1024 * 1024) first_head = head;
    Py_DECREF(fresh);
}

// The other lists lie beside it in the interpreter state: generations or spaces, then the frozen one.
// Their number and order differ between patch releases, so they are recognised, not assumed.
void gather_heads(Gathered& into) {
    std::size_t count = 0;
    constexpr std::uintptr_t kGeneration = 24;  // head, threshold, count
    for (std::uintptr_t at = first_head; first_head && count < kMaxHeads && is_list_head(at); at += kGeneration)
        into.heads[count++] = reinterpret_cast<void*>(at);
    into.input.gc_heads = into.heads;
    into.input.gc_head_count = count;
    if (!count) into.input.warn("the collector's lists of this Python build could not be found");
}

// Sub-interpreters, whose heaps are separate since 3.12.
unsigned other_interpreters() {
    using First = void* (*)();
    using Next = void* (*)(void*);
    const auto first = reinterpret_cast<First>(symbol("PyInterpreterState_Head"));
    const auto next = reinterpret_cast<Next>(symbol("PyInterpreterState_Next"));
    if (!first || !next) return 0;
    unsigned count = 0;
    for (void* state = first(); state && count < 10'000; state = next(state)) count++;
    return count ? count - 1 : 0;
}

#if defined(__linux__)
int add_segment(dl_phdr_info* library, std::size_t, void* context) {
    auto& into = *static_cast<Gathered*>(context);
    const char* path = library->dlpi_name && library->dlpi_name[0] ? library->dlpi_name : "the executable";
    const char* slash = std::strrchr(path, '/');
    for (int i = 0; i < library->dlpi_phnum; i++) {
        const auto& part = library->dlpi_phdr[i];
        if (part.p_type != PT_LOAD || !(part.p_flags & PF_W)) continue;
        if (into.input.segment_count == kMaxSegments) return 1;
        Segment& segment = into.segments[into.input.segment_count++];
        segment.start = (library->dlpi_addr + part.p_vaddr + 7) & ~std::uintptr_t{7};
        segment.end = (library->dlpi_addr + part.p_vaddr + part.p_memsz) & ~std::uintptr_t{7};
        std::snprintf(segment.library, sizeof(segment.library), "C variable of %s", slash ? slash + 1 : path);
    }
    return 0;
}
#endif

char alternate_stack[64 * 1024];

void on_fault(int number) {
    if (fault_armed) siglongjmp(fault_return, 1);
    if (leaving_with >= 0) _exit(leaving_with);  // all is written: what was given back was needed by a library below
    _exit(number == SIGBUS || number == SIGSEGV ? kExitCrashed : 251);
}

// Nobody sends it to a whole group, as SIGTERM is.
constexpr int kBreakOff = SIGVTALRM, kHurry = SIGPROF;
constexpr double kGiveBackSeconds = 0.2;

void on_break_off(int) { leave(ECANCELED); }

void on_hurry(int) { is_hurried = 1; }

// A connection that the program closes meanwhile must really be closed: the other side waits for it.
void keep_only(int fd) {
#if defined(__linux__) && defined(SYS_close_range)
    if (!is_filtered && syscall(SYS_close_range, fd + 1, ~0u, 0) == 0 &&
        (fd == 0 || syscall(SYS_close_range, 0, fd - 1, 0) == 0))
        return;
#endif
    // Linux before 5.9, or a filter of system calls.
    constexpr rlim_t kMost = 1 << 16;  // more would take longer than what waits for it
    rlimit limit;
    const bool is_known = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < kMost;
    for (int other = 0; other < static_cast<int>(is_known ? limit.rlim_cur : kMost); other++)
        if (other != fd) close(other);
}

// Near a limit the kernel must take this child, never the program: both weigh the same otherwise.
void be_the_first_to_go() {
#if defined(__linux__)
    const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0) return;
    [[maybe_unused]] const ssize_t written = write(file, "1000", 4);
    close(file);
#endif
}

double monotonic_seconds() {
    timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) * 1e-9;
}

// A word that parent and child share: the program may go on when the child has made itself the first to go.
class Readiness {
  public:
    Readiness() {
        void* memory = mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory != MAP_FAILED) word_ = static_cast<int*>(memory);
    }
    ~Readiness() {
        if (word_) munmap(word_, sizeof(int));
    }
    Readiness(const Readiness&) = delete;
    Readiness& operator=(const Readiness&) = delete;
    void tell() {
        if (word_) __atomic_store_n(word_, 1, __ATOMIC_RELEASE);
    }
    // At most 20 ms: a child that does not get to run takes no memory either.
    void wait() const {
        constexpr double kMostSeconds = 0.02;
        const timespec pause{0, 100'000};
        const double until = monotonic_seconds() + kMostSeconds;
        while (word_ && !__atomic_load_n(word_, __ATOMIC_ACQUIRE) && monotonic_seconds() < until)
            nanosleep(&pause, nullptr);
    }

  private:
    int* word_ = nullptr;
};

// Limits on address space count what is only reserved; as far as this process may, it lifts its own.
void lift(int resource) {
    rlimit limit;
    if (getrlimit(static_cast<decltype(RLIMIT_AS)>(resource), &limit)) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(static_cast<decltype(RLIMIT_AS)>(resource), &limit);
}

[[noreturn]] void child(const Gathered& gathered, const sigset_t& faults, Readiness& readiness) {
    if (!(gathered.input.flags & kFlagInProcess)) {
        be_the_first_to_go();
        readiness.tell();
        keep_only(gathered.input.fd);
        lift(RLIMIT_AS);
        lift(RLIMIT_DATA);
    }
    // A service in production comes first, where there is time.
    if (gathered.input.flags & kFlagAgent && !(gathered.input.flags & (kFlagSmallCache | kFlagHeld)))
        setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 10);
    // Where the program waits for it, it is the service that waits: first in line, as far as it may be.
    if (gathered.input.flags & kFlagHeld) setpriority(PRIO_PROCESS, 0, -20);
    rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    stack_t stack{};
    stack.ss_sp = alternate_stack;
    stack.ss_size = sizeof(alternate_stack);
    sigaltstack(&stack, nullptr);
    struct sigaction action{};
    action.sa_handler = on_fault;
    action.sa_flags = SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);  // the handler never returns: what it blocked would stay blocked
    sigaction(SIGSEGV, &action, nullptr);
    sigaction(SIGBUS, &action, nullptr);
    action.sa_handler = on_break_off;
    action.sa_flags = SA_ONSTACK;
    sigaction(kBreakOff, &action, nullptr);
    action.sa_handler = on_hurry;
    action.sa_flags = SA_ONSTACK | SA_RESTART;
    sigaction(kHurry, &action, nullptr);
    sigprocmask(SIG_UNBLOCK, &faults, nullptr);
    auto* walk = new (map_bytes(sizeof(Walk))) Walk();
    walk->run(gathered.input);
}

long start_child() {
#if defined(__linux__)
    // No exit signal: the program's SIGCHLD handlers, wait() and pthread_atfork hooks never see it.
#if defined(__x86_64__)
    return syscall(SYS_clone, 0, nullptr, nullptr, nullptr, 0);
#else
    return syscall(SYS_clone, 0, nullptr, nullptr, 0, nullptr);
#endif
#else
    return fork();
#endif
}

}  // namespace

// Once, before the first fork: addresses that only Python's API can give.
void prepare() {
    static bool done = false;
    if (done) return;
    done = true;
    find_first_head();
    resolve_types();
    // subtype_traverse is static in CPython: take it from a class that every interpreter has and
    // that was made by a class statement. Not by an import: the program may have its own __import__.
    PyObject* machinery = PyDict_GetItemString(PyImport_GetModuleDict(), "_frozen_importlib");  // borrowed
    PyObject* made = machinery ? PyObject_GetAttrString(machinery, "ModuleSpec") : nullptr;
    if (made && PyType_Check(made)) subtype_traverse = reinterpret_cast<TypeObject*>(made)->traverse;
    PyErr_Clear();
    Py_XDECREF(made);
}

Started start(const Request& request) {
    if (const char* reason = layout_select()) return {-1, 0, reason, 0, 0};
    is_filtered = request.flags & kFlagFiltered;
    prepare();
    if (births::armed()) births::verify();
    Gathered gathered;
    Input& input = gathered.input;
    gathered.segments = scratch<Segment>(kMaxSegments);
    if (!gathered.segments || !gather_threads(gathered, request.flags & kFlagAgent)) {
        gathered.release();
        return {-1, ENOMEM, nullptr, 0, 0};
    }
    gather_heads(gathered);
#if defined(__linux__)  // elsewhere what C variables hold is "held from C", without their library's name
    dl_iterate_phdr(add_segment, &gathered);
#endif
    if (const unsigned others = other_interpreters()) {
        std::snprintf(gathered.others, sizeof gathered.others,
                      others == 1 ? "%u other interpreter was not seen: its objects are not in this snapshot"
                                  : "%u other interpreters were not seen: their objects are not in this snapshot",
                      others);
        input.warn(gathered.others);
    }
    if (!layout_knows_interpreter()) input.warn("the interpreter state of this Python build could not be read");
    input.segments = gathered.segments;
    input.fd = request.fd;
    input.flags = request.flags;
    input.meta = request.meta;
    input.meta_bytes = request.meta_bytes;
    input.own_prefix = request.own_prefix;
    input.own_prefix_bytes = request.own_prefix_bytes;
    input.subject = request.subject;
    input.interval_of = request.interval_of;
    input.has_text_key = text_key(&input.text_key);
    input.interpreter = PyInterpreterState_Get();
    input.runtime = symbol("_PyRuntime");
    input.modules = reinterpret_cast<Object*>(PyImport_GetModuleDict());
    sigset_t all, before, faults;
    sigfillset(&all);
    sigemptyset(&faults);
    sigaddset(&faults, SIGSEGV);
    sigaddset(&faults, SIGBUS);
    sigaddset(&faults, kBreakOff);
    sigaddset(&faults, kHurry);
    sigprocmask(SIG_SETMASK, &all, &before);
    Readiness readiness;
    const double forked_at = monotonic_seconds();
    const long pid = request.flags & kFlagInProcess ? 0 : start_child();
    if (pid == 0) child(gathered, faults, readiness);
    const int error = errno;
    const double returned_at = monotonic_seconds();
    if (pid > 0 && !(request.flags & kFlagAmple)) readiness.wait();
    const double ready_at = monotonic_seconds();
    sigprocmask(SIG_SETMASK, &before, nullptr);
    gathered.release();
    return {pid, error, nullptr, returned_at - forked_at, ready_at - returned_at};
}

Ended wait_for(long pid, double timeout_seconds, const Watch* watch, Hold* hold) {
    const double start = monotonic_seconds();
    const auto let_go = [&] {
        if (!hold) return;
        hold->let_go(hold->context);
        hold->held_for = monotonic_seconds() - start;
        hold = nullptr;
    };
    if (hold && hold->seconds <= 0) let_go();
    int status = 0;
    bool late = false, is_broken_off = false, is_told_to_hurry = false;
    double broken_off_at = 0;
    // Not killed at once: while its memory is torn down it is none that the kernel could take, and the program would be.
    const auto break_off = [&](double at) {
        is_broken_off = true;
        broken_off_at = at;
        kill(static_cast<pid_t>(pid), kBreakOff);
    };
    timespec pause{0, 200'000};
#if defined(__linux__)
    constexpr int kOptions = __WALL;
#else
    constexpr int kOptions = 0;
#endif
    for (;;) {
        const int waited = waitpid(static_cast<pid_t>(pid), &status, kOptions | WNOHANG);
        if (waited == pid) break;
        if (waited < 0 && errno != EINTR) {
            const int error = errno;
            let_go();
            return {"lost", error};
        }
        const double elapsed = monotonic_seconds() - start;
        if (hold && elapsed >= hold->seconds) {
            if (!hold->ends_child) let_go();
            else if (!is_broken_off) break_off(elapsed);
        }
        if (timeout_seconds >= 0 && elapsed > timeout_seconds && !late) {
            late = true;
            kill(static_cast<pid_t>(pid), SIGKILL);
        }
        if (watch && watch->must_hurry && !is_told_to_hurry && watch->must_hurry(watch->context, elapsed)) {
            is_told_to_hurry = true;
            kill(static_cast<pid_t>(pid), kHurry);
        }
        if (watch && !is_broken_off && !watch->may_go_on(watch->context)) break_off(elapsed);
        if (is_broken_off && elapsed - broken_off_at > kGiveBackSeconds) kill(static_cast<pid_t>(pid), SIGKILL);
        nanosleep(&pause, nullptr);
        if (pause.tv_nsec < 5'000'000) pause.tv_nsec += pause.tv_nsec / 4;
    }
    let_go();
    if (late) return {"timeout", 0};
    if (is_broken_off && status) return {"broken-off", 0};
    if (WIFSIGNALED(status)) return {"crashed", WTERMSIG(status)};
    const int code = WEXITSTATUS(status);
    if (code == 0) return {"ok", 0};
    if (code >= kExitCrashed) return {"crashed", SIGSEGV};
    return {code == ENOMEM ? "no-memory" : "write-error", code};
}

}  // namespace record
