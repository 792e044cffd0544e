// The fork: what the parent gathers before it, and waiting for the child after it.
#pragma once
#include <cstddef>
#include <cstdint>

namespace record {

// kFlagInProcess walks without forking and then ends the process: for debuggers and sanitizers.
// kFlagAgent: called on a thread of leakscan's own, which is no part of the program. kFlagFiltered: a
// system call filter may kill the process for a call that the program itself never makes. kFlagSmallCache: what was
// written goes to the disk at once, for its pages count as memory where there is little left. kFlagUndated: births are
// somebody else's. kFlagNoTexts: no hashes of texts, which take 16 bytes each. kFlagTight: no table of the objects
// either: walked twice, with bits alone (marks.h). kFlagValues: what texts say that occur more than once, too.
// kFlagHeld: the program waits for the child, which runs with the same priority.
// kFlagAmple: memory cannot run out before the child has made itself the first to go, and nobody waits for that.
inline constexpr int kFlagCensus = 1, kFlagRedactKeys = 2, kFlagInProcess = 4, kFlagAgent = 8, kFlagFiltered = 16,
                     kFlagSmallCache = 32, kFlagUndated = 64, kFlagNoTexts = 128, kFlagTight = 256,
                     kFlagValues = 512, kFlagAmple = 1024, kFlagHeld = 2048;

struct Request {
    int fd;
    int flags;
    const char* meta;
    std::size_t meta_bytes;
    const char* own_prefix;
    std::size_t own_prefix_bytes;
    const std::uint8_t* interval_of;  // of each birth of a narrow shadow; null: births are written as they are
    const void* subject;  // what is being measured: held by leakscan for the program, so a root; may be null
};

struct Started {
    long pid;            // of the child; negative: there is none
    int error;           // then the errno of the fork
    const char* reason;  // or why this interpreter cannot be recorded
    double fork_seconds;  // the fork alone, and until the child has made itself the first that the kernel takes
    double ready_seconds;
};

// Forks a child that walks the frozen heap and writes it. Needs the GIL.
Started start(const Request& request);

struct Ended {
    const char* status;  // `ok`, `write-error`, `crashed`, `timeout`, `no-memory`, `lost`, `broken-off`
    int code;
};

// Waits for the child of `start`, and kills it when it is late; negative: no limit. Needs no GIL.
// `may_go_on` is asked every few milliseconds: when it says no the child is killed, and its end is `broken-off`.
// Before, when `must_hurry` (may be null) says so, it is asked to end its walk where it is (walk/walk.h).
struct Watch {
    bool (*may_go_on)(void* context);
    bool (*must_hurry)(void* context, double seconds);  // so long after it was begun
    void* context;
};
// Python's lock, still held from before the fork: while it is, no Python code takes memory or writes to a page, each of
// which would exist twice. `let_go` is called once, after `seconds` or when the child has ended; `held_for`: when.
struct Hold {
    double seconds;
    void (*let_go)(void* context);
    void* context;
    double held_for;
    bool ends_child;  // rather than that it goes on beside a program that runs: it is broken off before
};
Ended wait_for(long pid, double timeout_seconds, const Watch* watch = nullptr, Hold* hold = nullptr);

}  // namespace record
