// What the kernel says of a process's memory: /proc/PID/maps and smaps, read without allocating.
#pragma once
#include <cstddef>
#include <cstdint>

namespace record {

// One mapping. The figures are 0 where they come from `maps`, which has none.
struct Area {
    std::uint64_t start, end, inode;
    bool readable, writable, shared;
    char path[64];                           // the beginning of it
    std::uint64_t resident, swapped, owned;  // bytes; `owned`: no other process has these pages
};

// Calls `each(area, context)` for every mapping in `file`, in address order. -1 with errno when the file
// cannot be read; a line that is no such line is passed over.
int for_each_area(const char* file, void (*each)(const Area&, void*), void* context);

// Where the resident and swapped bytes of a process are.
struct MapTotals {
    std::uint64_t resident, swapped, owned;
    std::uint64_t copied;          // of anonymous memory: what another process still has, too, until one of them writes
    std::uint64_t heap;            // [heap], which the main arena of malloc grows
    std::uint64_t arenas;          // heaps of glibc's thread arenas
    std::uint64_t stacks;          // [stack], and the stacks of threads, told by their guard and their size
    std::uint64_t files;           // of a file, shared or copied on write
    std::uint64_t shared;          // shared memory: /dev/shm, memfd, System V
    std::uint64_t anonymous;       // everything else
    std::uint64_t anonymous_size;  // address space of `anonymous`
    std::uint64_t file_size;       // address space of `files` and `shared`
    std::uint64_t regions, arena_regions;
};

// The totals of `file`, an smaps. -1 with errno when it cannot be read.
int map_totals(const char* file, MapTotals* totals);

}  // namespace record
