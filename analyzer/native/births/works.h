// Whose request: the number of the work (`leakscan.work`) that is under way when a block is allocated.
//
// The number lies in a context variable of the program's own copy of leakscan, so that it follows `await`,
// tasks and callbacks by itself. The hook reads it through the running thread's state: a context that is
// entered or left changes the version of the thread's context, and only then is the variable looked up.
#pragma once
#include "cpython/layout.h"
#include "module.h"

#include <cstddef>
#include <cstdint>

namespace works {

inline constexpr std::uint16_t kLast = 65'000;
// All works beyond the last.
inline constexpr std::uint16_t kFolded = 65'001;
inline constexpr std::size_t kRows = kFolded + 1;
inline constexpr std::size_t kSlots = std::size_t{1} << 17;
inline constexpr char kCapsule[] = "leakscan.works.1";

struct Row {
    std::uint64_t begun;  // since births were armed
    std::uint16_t bytes;
    char name[118];  // UTF-8, cut off where it is longer
};
static_assert(sizeof(Row) == 128);

// Found by every copy of this library in the process, of whatever version: its form goes with kCapsule.
struct Table {
    PyObject* variable;
    std::uint32_t rows;           // row 0 is what no work was under way for
    std::uint32_t is_recorded;    // births are armed, by this copy or another
    std::uint64_t changes;        // how often the variable was set without a change of context
    std::uint32_t slots[kSlots];  // row + 1
    Row row[kRows];
};

// The table of the program's copy, which lives as long as the process; null before `open`. With the GIL.
Table* table();

// Makes the table for this variable. False with an exception set.
bool open(PyObject* variable);

// The row of a name, which is added when it is new.
std::uint16_t number_of(Table& table, const char* name, std::size_t bytes);

// What the hook records into: the table that the program's `leakscan.record.works` shows, if it was ever
// imported. Counts start afresh. False: there is none, or this interpreter does not show its threads.
bool start();
void stop();

namespace detail {
// One for each thread, by its state: only threads of the recorded interpreter, under its lock, come here.
struct Known {
    const void* thread;
    std::uint64_t id, version, changes;
    std::uint16_t number;
};
inline constexpr std::size_t kKnown = 64;

struct State {
    Table* own;    // made by this copy
    Table* table;  // recorded into; stays when recording stops, for a thread that is just inside the hook
    bool is_on;
    const void* interpreter;
    void* (*thread_state)();
    int (*get_variable)(PyObject*, PyObject*, PyObject**);
    std::ptrdiff_t of_interpreter, of_id, of_version;  // in a thread's state
    Known last;  // mostly the same thread asks again, in the same context
    Known known[kKnown];
};
extern State state;

// Of another thread, or another context, than was asked for last.
std::uint16_t find(const void* thread);
}  // namespace detail

// The number of the work under way, 0 for none. From the hook only, once `start` has found a table.
inline std::uint16_t now() {
    using record::load;
    detail::State& state = detail::state;
    const void* const thread = state.thread_state();
    if (thread == nullptr) return 0;
    // Never a thread of another interpreter: those are not remembered.
    const detail::Known& last = state.last;
    if (__builtin_expect(last.thread == thread && last.version == load<std::uint64_t>(thread, state.of_version) &&
                             last.id == load<std::uint64_t>(thread, state.of_id) &&
                             last.changes == state.table->changes,
                         1))
        return last.number;
    return detail::find(thread);
}

// The table that is recorded into; null when works are not.
const Table* recorded();

}  // namespace works
