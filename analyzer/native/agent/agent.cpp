// The agent: what this library does when `leakscan attach` has it opened in a running process.
//
// Its constructor runs on a thread of the program that was borrowed for one dlopen(), so it only starts
// a thread. That thread takes orders from a pipe beside the library. When the other end of the pipe is
// gone, for whatever reason, it undoes what it did and leaves. Its last act is to close the library: a
// jump into dlclose() that returns to the C library, because its own code is gone by then. A copy whose
// births were armed once stays mapped, for a destructor of the program may be running inside it; later
// attaches find it and use it.
#include "agent/agent.h"

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))

#include "agent/agent_meta.h"
#include "agent/agent_pipes.h"
#include "agent/interpreter.h"
#include "births/births.h"
#include "guard/guard.h"
#include "memory/malloc.h"
#include "walk/snapshot.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace agent {
namespace {

constexpr char kFileName[] = "/leakscan-agent.so";
constexpr double kChildSeconds = 3600, kHurriedShare = 0.6;

char folder[kPathBytes];  // the library's own, as this process sees it

struct Session {
    std::uint16_t interval;  // that new blocks are born in; 0: births were never armed here
    bool armed_now;          // by the caller that is connected, who has not said `keep` yet
    bool for_capture;        // a capture counts the intervals: a snapshot aside ends none
};
Session session;

// What sys.getallocatedblocks() tells; 0: unknown.
long allocated_blocks() {
    auto ask = reinterpret_cast<Py_ssize_t (*)()>(symbol("_Py_GetGlobalAllocatedBlocks"));  // since 3.12
    if (!ask) ask = reinterpret_cast<Py_ssize_t (*)()>(symbol("_Py_GetAllocatedBlocks"));
    return ask ? static_cast<long>(ask()) : 0;
}

// The interpreter's lock, and no collection on this thread while it is held: up to 3.11 one may start
// at any allocation, and would run the program's finalizers here.
class Held {
  public:
    Held()
        : asked_(monotonic_seconds()),
          gil_(PyGILState_Ensure()),
          collects_(PyGC_Disable()),
          got_(monotonic_seconds()) {}
    ~Held() { let_go(); }
    void let_go() {
        if (is_over_) return;
        is_over_ = true;
        PyErr_Clear();
        if (collects_) PyGC_Enable();
        PyGILState_Release(gil_);
    }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    double waited() const { return got_ - asked_; }
    double held_for() const { return monotonic_seconds() - got_; }

  private:
    double asked_;
    PyGILState_STATE gil_;
    int collects_;
    double got_;
    bool is_over_ = false;
};

// What the child's table takes for each object (walk/nodes.h), and with the hashes of texts (walk/texts.h).
constexpr long long kBytesAnObject = 16, kBytesWithTexts = 32;

// What is asked for. `room`: what the child may take for its table, or negative: as much as it needs. `may_be_tight`:
// there is enough for a walk without a table. `held_seconds`: the program stands still for the walk, for so long at most.
struct Order {
    bool redacts_keys, is_aside, is_filtered;
    long long room;
    bool may_be_tight;
    double held_seconds;
};

void snapshot(Pipes& pipes, const Order& order) {
    Held held;
    if (pipes.is_lost()) return;
    const double waited = held.waited();
    const unsigned run = session.interval;
    const long blocks = allocated_blocks();
    const bool is_tight = order.room >= 0 && blocks * kBytesAnObject > order.room;
    if (is_tight && !order.may_be_tight)
        return pipes.say("forked pid=0 needed=%lld objects=%ld", blocks * kBytesAnObject, blocks);
    record::Started started;
    {
        const int heap = pipes.open_heap();
        const bool is_dated = births::armed() && !guard::counts_births();
        Meta meta(run, order.redacts_keys, is_dated);
        const int flags = record::kFlagAgent | (order.redacts_keys ? record::kFlagRedactKeys : 0) |
                          (order.is_filtered ? record::kFlagFiltered : 0) | (is_dated ? 0 : record::kFlagUndated) |
                          (is_tight ? record::kFlagTight : 0) | (order.held_seconds > 0 ? record::kFlagHeld : 0) |
                          (order.room >= 0 && blocks * kBytesWithTexts > order.room ? record::kFlagNoTexts : 0);
        started = record::start({heap, flags, meta.text(), meta.bytes(), "", 0});
        close(heap);
        const bool ends_interval = !(order.is_aside && session.for_capture);
        if (is_dated && started.pid > 0 && ends_interval && births::begin_run(static_cast<std::uint16_t>(run + 1)))
            session.interval++;
    }
    if (started.pid <= 0 || order.held_seconds <= 0) held.let_go();
    const double pause = held.held_for();
    pipes.say("forked waited_seconds=%.6f pause_seconds=%.6f run=%u births=%d pid=%ld errno=%d reason=%s", waited,
              pause, run, births::armed() && !guard::counts_births(), started.pid, started.error,
              started.reason ? started.reason : "");
    if (started.pid <= 0) return;
    const auto let_go = [](void* context) { static_cast<Held*>(context)->let_go(); };
    const bool is_held = order.held_seconds > 0;
    record::Hold hold{order.held_seconds, let_go, &held, 0, is_held};
    // A walk with a table ends early rather than go on while every page that is written exists twice.
    double hurried_seconds = order.held_seconds * kHurriedShare;
    const auto must_hurry = [](void* context, double seconds) {
        const double limit = *static_cast<double*>(context);
        return limit > 0 && seconds > limit;
    };
    const record::Watch watch{[](void*) { return true; }, must_hurry, &hurried_seconds};
    const record::Ended ended = record::wait_for(started.pid, kChildSeconds, &watch, is_held ? &hold : nullptr);
    record::MallocTotals malloc;
    if (record::malloc_totals(&malloc))
        pipes.say(
            "ended status=%s code=%d blocks=%ld held_seconds=%.6f malloc_used=%llu malloc_free=%llu malloc_mapped=%llu"
            " malloc_main_used=%llu",
            ended.status, ended.code, blocks, hold.held_for, malloc.used, malloc.free, malloc.mapped, malloc.main_used);
    else
        pipes.say("ended status=%s code=%d blocks=%ld held_seconds=%.6f", ended.status, ended.code, blocks,
                  hold.held_for);
}

void arm(Pipes& pipes, bool for_capture) {
    Held held;
    if (pipes.is_lost()) return;
    if (guard::counts_births()) return pipes.say("armed already=0 reason=a guard counts them for its box");
    if (births::armed()) return pipes.say("armed already=1 reason=");
    // Their allocations would race with the change of the allocator table.
    const char* reason = has_other_interpreters() ? "the process has sub-interpreters" : nullptr;
    if (!reason) reason = births::arm(true, false, "");
    // Interval 0 is what was there before; the first snapshot is taken at its end.
    session.interval = 0;
    session.armed_now = !reason;
    session.for_capture = for_capture;
    pipes.say("armed already=0 reason=%s", reason ? reason : "");
}

bool disarm() {
    if (why_not() || guard::counts_births()) return false;
    Held held;
    const bool was_armed = births::armed();
    births::disarm();
    session.armed_now = false;
    return was_armed;
}

// `guard baseline=0 percent=85 ... folder=` and the rest of the line.
void guard_from_now(Pipes& pipes, const char* order) {
    const char* const folder = std::strstr(order, "folder=");
    pipes.say("guarded reason=%s", folder ? guard::start_with(folder + 7, order) : "no-folder");
}

void obey(Pipes& pipes) {
    bool is_filtered = false;
    char order[1024];
    while (pipes.next_order(order, sizeof order)) {
        if (!std::strncmp(order, "hello", 5)) {
            is_filtered = std::strstr(order, "filtered");
            const char* const reason = why_not();
            pipes.say("hello armed=%d run=%u reason=%s", !reason && births::armed() && !guard::counts_births(),
                      session.interval, reason ? reason : "");
        } else if (!std::strcmp(order, "end")) {
            return;
        } else if (!std::strcmp(order, "keep")) {
            session.armed_now = false;
        } else if (const char* const reason = why_not()) {
            pipes.say("refused reason=%s", reason);
        } else if (!std::strncmp(order, "snapshot", 8)) {
            const char* const room = std::strstr(order, "room=");
            const char* const hold = std::strstr(order, "hold=");
            snapshot(pipes, {std::strstr(order, "redact") != nullptr, std::strstr(order, "aside") != nullptr, is_filtered,
                             room ? std::atoll(room + 5) : -1, std::strstr(order, "tight") != nullptr,
                             hold ? static_cast<double>(std::atoll(hold + 5)) / 1000 : 0});
        } else if (!std::strncmp(order, "arm", 3)) {
            arm(pipes, std::strstr(order, "capture"));
        } else if (!std::strncmp(order, "guard ", 6)) {
            guard_from_now(pipes, order);
        } else if (!std::strcmp(order, "unguard")) {
            pipes.say("unguarded was_running=%d", guard::is_running());
            guard::stop();
        } else if (!std::strcmp(order, "disarm")) {
            const bool was_armed = disarm();
            pipes.say("disarmed was_armed=%d", was_armed);
        }
    }
}

// A destructor of the program, or the guard's thread, may be inside it for ever.
bool must_stay() { return births::was_ever_armed() || guard::is_running(); }

// The other copies of the agent in this process; their names are what they were opened by.
struct Others {
    char names[8][kPathBytes];
    std::size_t count;
};

int find_others(dl_phdr_info* library, std::size_t, void* context) {
    auto& others = *static_cast<Others*>(context);
    const char* const path = library->dlpi_name ? library->dlpi_name : "";
    const char* const file = std::strrchr(path, '/');
    if (!file || std::strcmp(file, kFileName) || !std::strncmp(path, folder, std::strlen(folder))) return 0;
    std::snprintf(others.names[others.count++], kPathBytes, "%s", path);
    return others.count == sizeof others.names / sizeof others.names[0];
}

bool is_served_by_other() {
    Others others{};
    dl_iterate_phdr(find_others, &others);
    bool is_served = false;
    for (std::size_t i = 0; i < others.count && !is_served; i++) {
        void* const other = dlopen(others.names[i], RTLD_NOLOAD | RTLD_LAZY);
        if (!other) continue;
        const auto serve = reinterpret_cast<Serve*>(dlsym(other, kServeName));
        // One that may go belongs to a caller of this moment, and goes with him.
        is_served = serve && serve(nullptr, kProtocol) == Outcome::MUST_STAY;
        if (is_served) serve(folder, kProtocol);
        dlclose(other);
    }
    return is_served;
}

}  // namespace
}  // namespace agent

#if defined(__GLIBCXX__)
namespace __gnu_cxx {
void __freeres();
}

// The C++ runtime inside this library sets 73 kB aside when it is loaded, for exceptions thrown without memory
// (libsupc++/eh_alloc.cc of GCC 5 to 15), and has no destructor: each attach would leave them behind.
__attribute__((destructor)) static void free_reserve() { __gnu_cxx::__freeres(); }
#endif

extern "C"
    __attribute__((visibility("default"))) agent::Outcome leakscan_agent_serve(const char* folder, int protocol) {
    using namespace agent;
    if (protocol != kProtocol) return Outcome::NOT_MINE;
    if (!folder) return must_stay() ? Outcome::MUST_STAY : Outcome::MAY_GO;
    Pipes pipes(folder);
    const bool is_open = pipes.open();
    if (!pipes.is_alone()) {
        pipes.say("hello reason=busy");
        pipes.remove();
        return Outcome::MAY_GO;
    }
    if (is_open) obey(pipes);
    if (session.armed_now) disarm();
    pipes.remove();
    return must_stay() ? Outcome::MUST_STAY : Outcome::MAY_GO;
}

// The agent's thread; the handle to close, or null to stay.
extern "C" __attribute__((visibility("hidden"), used)) void* leakscan_agent_main(void*) {
    using namespace agent;
    pthread_setname_np(pthread_self(), "leakscan");
    if (!is_served_by_other() && leakscan_agent_serve(folder, kProtocol) == Outcome::MUST_STAY) return nullptr;
    char path[kPathBytes + sizeof kFileName];
    std::snprintf(path, sizeof path, "%s%s", folder, kFileName);
    // The count is back at what the borrowed thread's dlopen() left: one more close is the last.
    void* const own = dlopen(path, RTLD_NOLOAD | RTLD_LAZY);
    if (own) dlclose(own);
    return own;
}

extern "C" __attribute__((visibility("hidden"), used)) int (*leakscan_agent_close)(void*) = dlclose;
extern "C" void* leakscan_agent_thread(void*);

#if defined(__x86_64__)
asm(R"(
    .text
    .hidden leakscan_agent_thread
    .globl leakscan_agent_thread
    .type leakscan_agent_thread, @function
leakscan_agent_thread:
    .cfi_startproc
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    call leakscan_agent_main
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    testq %rax, %rax
    je 1f
    movq %rax, %rdi
    jmpq *leakscan_agent_close(%rip)
1:  ret
    .cfi_endproc
    .size leakscan_agent_thread, . - leakscan_agent_thread
)");
#else
asm(R"(
    .text
    .hidden leakscan_agent_thread
    .globl leakscan_agent_thread
    .type leakscan_agent_thread, %function
leakscan_agent_thread:
    .cfi_startproc
    stp x29, x30, [sp, #-16]!
    .cfi_def_cfa_offset 16
    .cfi_offset 29, -16
    .cfi_offset 30, -8
    bl leakscan_agent_main
    ldp x29, x30, [sp], #16
    .cfi_def_cfa_offset 0
    cbz x0, 1f
    adrp x1, leakscan_agent_close
    ldr x1, [x1, :lo12:leakscan_agent_close]
    br x1
1:  ret
    .cfi_endproc
    .size leakscan_agent_thread, . - leakscan_agent_thread
)");
#endif

namespace agent {
namespace {

// Also runs wherever the module is imported: there its file has another name, and nothing happens.
__attribute__((constructor)) void begin() {
    Dl_info library;
    if (!dladdr(reinterpret_cast<void*>(leakscan_agent_thread), &library) || !library.dli_fname) return;
    const char* const file = std::strrchr(library.dli_fname, '/');
    if (!file || std::strcmp(file, kFileName)) return;
    const auto length = static_cast<std::size_t>(file - library.dli_fname);
    if (length >= sizeof folder) return;
    std::memcpy(folder, library.dli_fname, length);
    folder[length] = 0;
    start_thread(leakscan_agent_thread, nullptr);
}

}  // namespace
}  // namespace agent

#endif
