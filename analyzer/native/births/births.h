// Births: the run in which each living block of the object allocator was allocated.
// A wrapper over PYMEM_DOMAIN_OBJ writes the shadow (shadow.h); the walker reads it in a forked
// child. The readers below take no lock and allocate nothing.
#pragma once
#include "births/shadow.h"
#include "births/sites.h"
#include "births/works.h"
#include "cpython/layout.h"
#include "format.h"
#include "module.h"

#include <cstdint>
#include <cstring>

namespace births {

// Narrow shadow: 1..252 runs and markers, widened when read, for leakscan's own blocks and for those that the
// program allocated while leakscan waited.
inline constexpr std::uint8_t kNarrowOwn = 0xFE, kNarrowWaiting = 0xFD;
inline constexpr std::uint16_t kNarrowLast = 0xFC;
inline constexpr std::uint16_t kWideLast = 0xFFFC;

namespace detail {
extern bool is_armed;
extern bool has_sites;
extern bool has_works;

// What the hook does with a new block, in one word that every allocation reads: 0..254 is written to
// the narrow shadow as it is, anything else needs thought.
inline constexpr std::uint32_t kThink = 0x100;
extern volatile std::uint32_t quick;

inline bool note_quickly(const void* block) {
    const std::uint32_t value = quick;
    const std::size_t index = shadow::region_index(block);
    // Null lies in the first region, which has a shadow where the program is linked to a fixed address.
    if (value >= kThink || block == nullptr || index >= shadow::kRegions) return false;
    std::uint8_t* const bytes = shadow::narrow[index].load(std::memory_order_acquire);
    if (bytes == nullptr) return false;
    const std::size_t granule = shadow::granule_index(block);
    bytes[granule] = static_cast<std::uint8_t>(value);
    if (has_works) reinterpret_cast<std::uint16_t*>(bytes + shadow::kWorksAfterNarrow)[granule] = works::now();
    return true;
}
void note_dead_thoughtfully(const void* block);

inline std::uint16_t widened(std::uint8_t value) {
    if (value == kNarrowOwn) return format::kBirthOwn;
    return value == kNarrowWaiting ? format::kBirthWaiting : value;
}

inline std::uint8_t narrowed(std::uint16_t value) {
    if (value == format::kBirthOwn) return kNarrowOwn;
    return value == format::kBirthWaiting ? kNarrowWaiting : static_cast<std::uint8_t>(value);
}

inline std::uint16_t read(shadow::Region* region, std::size_t granule) {
    if (region->is_wide) return region->wide()[granule];
    return widened(region->narrow()[granule]);
}

// Most of a written page is nothing: whoever reads all of it skips a word at a time.
inline std::size_t word_granules(const shadow::Region* region) { return region->is_wide ? 4 : 8; }

inline bool is_word_empty(shadow::Region* region, std::size_t granule) {
    if (granule % word_granules(region) != 0) return false;
    std::uint64_t word;
    std::memcpy(&word, region->narrow() + granule * (region->is_wide ? 2 : 1), sizeof word);
    return word == 0;
}
}  // namespace detail

// Starts the shadow afresh: every living block is the baseline. Null, or why it cannot be. Needs the GIL,
// as do the next two; any thread may call them.
const char* arm(bool is_wide, bool with_sites, const char* own_folder);

// What is allocated from now on is born in `run`. False when the hook was taken out, or runs are used up.
bool begin_run(std::uint16_t run);

// The same without a question asked: needs no GIL, for a thread that only counts time. Narrow shadows only.
void next_tick(std::uint16_t run);

// Marks nothing any more and gives the shadow's memory back; the hook stays and passes calls on. Needs no GIL: a thread
// inside the hook may mark one block after it.
void forget();

// Whether the allocator had no memory since this was asked last. Needs no GIL.
bool take_failure();

// `wake` is called once, by the thread that allocates, when big blocks of so many bytes altogether were asked for since
// now; until births were armed once nobody is asked. Needs no GIL. What is freed meanwhile is not taken off.
void wake_after(std::size_t bytes, void (*wake)());

// The run that new blocks get from now on, or one of the marks of format.h: own blocks, blocks made while
// leakscan waits. Null, or why not.
const char* set_run(long value);
inline constexpr const char* kDoesNotFit = "the run does not fit";

// What is being recorded.
struct Recorded {
    bool is_armed, has_sites;
    const char* state;  // `armed`, `lost` (another tool took the hook away), `passing`, `off`
    int width;
    std::uint16_t last_run;
    std::uint32_t site_rows;
    std::uint64_t lost_sites;
    int unseen_types;
};
Recorded recorded();

// Takes the hook out when it is still the outermost one, else lets it pass calls on.
void disarm();

// Also after disarm(): a destructor of the program may then still be running inside this library.
bool was_ever_armed();

inline bool armed() { return detail::is_armed; }
inline bool works_armed() { return detail::is_armed && detail::has_works; }
inline bool sites_armed() { return detail::is_armed && detail::has_sites; }

// The block that holds `object`: the collector's header and the dict and weak reference pointers of
// an instance lie before it (two words each, 3.11 to 3.15).
inline const void* block_of(PyObject* object) {
    constexpr unsigned long kHasPreHeader = record::tpflag::MANAGED_WEAKREF | record::tpflag::MANAGED_DICT;
    const unsigned long flags = PyType_GetFlags(Py_TYPE(object));
    const std::size_t before =
        (flags & Py_TPFLAGS_HAVE_GC ? record::kGcHead : 0) + (flags & kHasPreHeader ? record::kPreHeader : 0);
    return reinterpret_cast<const char*>(object) - before;
}

// `block` is what the allocator returned: the start of the collector's header or pre-header where
// the object has one. 0: before the baseline; format::kBirthUnknown: nobody watched.
inline std::uint16_t run_of(const void* block) {
    if (!armed()) return format::kBirthUnknown;
    shadow::Region* const region = shadow::region_of(block);
    if (region == nullptr) return format::kBirthBaseline;
    if (!shadow::is_mapped(region)) return format::kBirthUnknown;
    return detail::read(region, shadow::granule_index(block));
}

// Row of the site table (sites.h) + 1; 0: unknown.
inline std::uint32_t site_of(const void* block) {
    if (!sites_armed()) return 0;
    shadow::Region* const region = shadow::region_of(block);
    if (!shadow::is_mapped(region) || region->sites == nullptr) return 0;
    return region->sites[shadow::granule_index(block)] & ~sites::kCodeBlock;
}

// The number of the work (works.h) that the block was allocated in; 0: in none, or it is not known.
inline std::uint16_t work_of(const void* block) {
    if (!works_armed()) return 0;
    shadow::Region* const region = shadow::region_of(block);
    if (!shadow::is_mapped(region) || region->works == nullptr) return 0;
    const std::uint16_t run = detail::read(region, shadow::granule_index(block));
    if (run == format::kBirthBaseline || run == format::kBirthOwn) return 0;
    return region->works[shadow::granule_index(block)];
}

// Calls f(const void* block, std::uint16_t run) for each living block allocated since run 1 (or by
// leakscan), in address order. Blocks of the baseline read as 0 and are not visited. A block that
// rests on a free list of the interpreter is "living" here: check its reference count and type.
template <class F>
void for_each_live_block(F&& f) {
    if (!armed()) return;
    shadow::WrittenPages pages;
    shadow::for_each_region([&](std::size_t r, shadow::Region* const region) {
        if (!shadow::is_mapped(region)) return;
        const std::size_t width = region->is_wide ? 2 : 1;
        const std::size_t step = pages.page_bytes() / width;
        const std::uint8_t* const start = region->narrow();
        const std::uint8_t* const end = start + shadow::kGranules * width;
        for (const std::uint8_t* page = start; (page = pages.next_written(page, end)) < end;
             page += pages.page_bytes()) {
            const std::size_t first = static_cast<std::size_t>(page - start) / width;
            for (std::size_t g = first; g < first + step; ++g) {
                if (detail::is_word_empty(region, g)) {
                    g |= detail::word_granules(region) - 1;
                    continue;
                }
                if (const std::uint16_t run = detail::read(region, g)) f(shadow::block_at(r, g), run);
            }
        }
    });
}

// Living blocks born in `run`, and in any of the runs since the baseline; leakscan's own, and what was born
// while it waited, are neither. Reads the written pages of the shadow only. A block that rests on a free list
// counts: ask right after a collection that emptied them.
struct Living {
    std::uint64_t born, all;
};
Living living(std::uint16_t run);

// True while allocations really pass through the hook. Another tool that restores an allocator it
// saved earlier (tracemalloc.stop() after arming) takes the hook out without a word; the recorder
// calls this before it forks. Allocates one block; a loss turns armed() off.
bool verify();

// Sets bits of a living block's site. False when there is no memory for them.
bool add_to_site(const void* block, std::uint32_t bits);

// The object in `block` is dying, and its block may be reused without passing the allocator.
inline void mark_dead(const void* block) {
    if (__builtin_expect(!detail::note_quickly(block), 0)) detail::note_dead_thoughtfully(block);
}

}  // namespace births
