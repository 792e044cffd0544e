// What the parent gathers for the walk before it forks.
#pragma once
#include "cpython/layout.h"
#include "walk/texts.h"

#include <cstddef>
#include <cstdint>

namespace record {

struct ThreadInput {
    void* state;
    void* frame;  // the running frame, null when unknown
};

// A writable data segment of a loaded library: C variables live there.
struct Segment {
    std::uintptr_t start, end;
    char library[64];
};

struct Input {
    int fd;
    int flags;
    const char *meta, *own_prefix;
    std::size_t meta_bytes, own_prefix_bytes;
    void* interpreter;
    void* runtime;
    Object *modules, *current_frame;
    const void* subject;
    const std::uint8_t* interval_of;
    TextKey text_key;
    bool has_text_key;
    ThreadInput* threads;
    std::size_t thread_count;
    void** gc_heads;
    std::size_t gc_head_count;
    Segment* segments;
    std::size_t segment_count;
    const char* warnings[8];
    std::size_t warning_count;
    void warn(const char* sentence) {
        if (warning_count < 8) warnings[warning_count++] = sentence;
    }
};

}  // namespace record
