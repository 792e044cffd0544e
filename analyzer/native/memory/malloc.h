// What the C library's allocator says of this process's memory, where it says anything.
#pragma once

namespace record {

// Bytes of glibc's allocator: in use in its arenas, free in them, mapped one by one, in use in the main arena.
struct MallocTotals {
    unsigned long long used, free, mapped, main_used;
};

// False where another allocator serves malloc. Needs no GIL; takes the allocator's locks for a moment.
bool malloc_totals(MallocTotals* totals);

// Bytes that glibc has handed out, to be compared with what it says later. False as malloc_totals.
//
// What the calling thread's cache keeps back of each size counts as handed out: as it fills, it looks like a leak of
// some bytes a run. So it is filled first, and every later figure has the same cache in it.
bool malloc_in_use(unsigned long long* bytes);

// Name of the library whose `malloc` this process calls, without its folder; null when unknown.
const char* malloc_library();

enum class Trimmed { NOT_SERVED, NOTHING, SOMETHING };

// Has glibc give memory back to the system. Needs no GIL; takes each arena's lock in turn.
Trimmed trim_malloc();

}  // namespace record
