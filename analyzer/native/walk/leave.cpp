#include "memory/maps.h"
#include "walk/memory.h"
#include "walk/walk.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace record {
namespace {

// Smaller ones are not worth a look, and hold what is still needed: the data of the C library and of this one.
constexpr std::uint64_t kBig = 1 << 20;

struct Needed {
    std::uintptr_t stack, thread_data;
};

void give_back(const Area& area, void* context) {
    const auto& needed = *static_cast<const Needed*>(context);
    const auto holds = [&](std::uintptr_t address) { return area.start <= address && address < area.end; };
    if (!area.readable || !area.writable || area.shared || area.inode || area.end - area.start < kBig) return;
    const bool is_heap = !area.path[0] || !std::strncmp(area.path, "[heap]", 6) || !std::strncmp(area.path, "[anon", 5);
    if (!is_heap || holds(needed.stack) || holds(needed.thread_data)) return;
    munmap(reinterpret_cast<void*>(area.start), area.end - area.start);
}

}  // namespace

void leave(int code) {
    fault_armed = 0;
    const char here = 0;
    Needed needed{reinterpret_cast<std::uintptr_t>(&here), reinterpret_cast<std::uintptr_t>(&errno)};
#if defined(__linux__)
    for_each_area("/proc/self/maps", give_back, &needed);
#endif
    _exit(code);
}

}  // namespace record
