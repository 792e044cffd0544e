#include "memory/maps.h"
#include "walk/memory.h"
#include "walk/walk.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace record {
namespace {

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)  // under it, its shadow would go first
#define GIVES_BACK

constexpr std::uint64_t kBig = 1 << 20;  // smaller areas are not worth a look

// The C variables of libraries: the few functions that are still called may be anybody's, by LD_PRELOAD. The
// kernel shows neighbours that are alike as one area, so that they can lie in the middle of what is given back.
struct Needed {
    std::uintptr_t stack, thread_data;
    const Input& input;

    std::size_t count() const { return input.segment_count + 1; }
    Segment at(std::size_t i) const {
        if (i < input.segment_count) return input.segments[i];
        return {reinterpret_cast<std::uintptr_t>(input.segments),
                reinterpret_cast<std::uintptr_t>(input.segments + input.segment_count), ""};
    }
};

void give_back(const Area& area, void* context) {
    const auto& needed = *static_cast<const Needed*>(context);
    const auto holds = [&](std::uintptr_t address) { return area.start <= address && address < area.end; };
    if (!area.readable || !area.writable || area.shared || area.inode || area.end - area.start < kBig) return;
    const bool is_heap = !area.path[0] || !std::strncmp(area.path, "[heap]", 6) || !std::strncmp(area.path, "[anon", 5);
    // Broken off by a signal this runs on a stack of its own, and what it reads lies on the thread's.
    const auto input = reinterpret_cast<std::uintptr_t>(&needed.input);
    if (!is_heap || holds(needed.stack) || holds(input) || holds(needed.thread_data)) return;
    constexpr std::uintptr_t kPage = 64 * 1024;  // of any machine
    for (std::uintptr_t from = area.start; from < area.end;) {
        std::uintptr_t to = area.end, next = area.end;
        for (std::size_t i = 0; i < needed.count(); i++) {
            const Segment kept = needed.at(i);
            const std::uintptr_t start = kept.start & ~(kPage - 1), end = (kept.end + kPage) & ~(kPage - 1);
            if (end <= from || start >= to) continue;
            to = start > from ? start : from;
            next = end;
        }
        if (to > from) munmap(reinterpret_cast<void*>(from), to - from);
        from = next;
    }
}
#endif

}  // namespace

void leave(int code) {
    fault_armed = 0;
    leaving_with = code;
#ifdef GIVES_BACK
    const char here = 0;
    if (!leaving_input) _exit(code);
    Needed needed{reinterpret_cast<std::uintptr_t>(&here), reinterpret_cast<std::uintptr_t>(&errno), *leaving_input};
    for_each_area("/proc/self/maps", give_back, &needed);
#endif
    _exit(code);
}

}  // namespace record
