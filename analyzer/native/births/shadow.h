// The shadow of the object heap: for each 16 bytes, the run in which a block starting there was
// allocated, and optionally the site. Two levels, so that sparse use costs only touched pages.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace shadow {

inline constexpr unsigned kRegionShift = 30;
inline constexpr unsigned kGranuleShift = 4;
// 48 bits of address cover user space of x86-64 (four levels) and of aarch64; blocks above are
// unknown, not old.
inline constexpr std::size_t kRegions = std::size_t{1} << (48 - kRegionShift);
inline constexpr std::size_t kGranules = std::size_t{1} << (kRegionShift - kGranuleShift);

// What is written for each granule.
struct Form {
    bool is_wide, with_sites, with_works;
};

// The head of one mapping. It is never unmapped and never changes its form, so a thread that is
// inside the hook (another interpreter with its own lock) cannot see memory go away.
struct Region {
    bool is_wide;
    std::uint32_t* sites;  // null without --sites
    std::uint16_t* works;  // null when no work is recorded

    // The shadow begins on a page of its own, however large this machine's are (aarch64: up to 64 KiB): pages of it
    // are given back, and looked for in /proc/self/pagemap.
    static constexpr std::size_t kHeadBytes = 64 * 1024;
    std::uint8_t* narrow() { return reinterpret_cast<std::uint8_t*>(this) + kHeadBytes; }
    std::uint16_t* wide() { return reinterpret_cast<std::uint16_t*>(narrow()); }
};
static_assert(sizeof(Region) <= Region::kHeadBytes);

// A region whose mapping failed: its blocks read as unknown, never as old.
inline Region* const kUnmapped = reinterpret_cast<Region*>(1);

extern std::atomic<Region*> regions[kRegions];

// A bit for each slot of `regions` that may be taken, set before the slot is: whoever asks all of them reads 32 KB of
// bits and not 2 MB of slots.
extern std::atomic<std::uint64_t> taken[kRegions / 64];

// The bytes of the narrow regions again, for the hook: one load less for each allocation.
extern std::atomic<std::uint8_t*> narrow[kRegions];

// The works of a narrow region lie at the same distance behind its runs in all of them.
inline constexpr std::size_t kWorksAfterNarrow = kGranules;

inline bool is_mapped(const Region* region) { return reinterpret_cast<std::uintptr_t>(region) > 1; }
inline std::size_t region_index(const void* block) { return reinterpret_cast<std::uintptr_t>(block) >> kRegionShift; }
inline std::size_t granule_index(const void* block) {
    return (reinterpret_cast<std::uintptr_t>(block) & ((std::uintptr_t{1} << kRegionShift) - 1)) >> kGranuleShift;
}
inline const void* block_at(std::size_t region, std::size_t granule) {
    return reinterpret_cast<const void*>((region << kRegionShift) | (granule << kGranuleShift));
}
inline Region* region_of(const void* block) {
    const std::size_t index = region_index(block);
    return index < kRegions ? regions[index].load(std::memory_order_acquire) : kUnmapped;
}

// Calls f(index, region) for each slot that is taken, those whose mapping failed included, in address order.
template <class F>
void for_each_region(F&& f) {
    for (std::size_t word = 0; word < kRegions / 64; ++word) {
        for (std::uint64_t bits = taken[word].load(std::memory_order_acquire); bits != 0; bits &= bits - 1) {
            const std::size_t index = word * 64 + static_cast<std::size_t>(__builtin_ctzll(bits));
            if (Region* const region = regions[index].load(std::memory_order_acquire)) f(index, region);
        }
    }
}

// Maps the region of `block` if it has none. May lose a race and return the winner's.
Region* map_region(const void* block, Form form);

// Forgets everything that was written. Regions of another form than asked for are set aside.
void clear(Form form);

std::uint64_t resident_bytes();

// Which pages of the shadow were ever touched, asked from the kernel in batches: reading all of a
// sparse region would fault in every page of it. Without /proc every page may be written. Linux 6.7 skips what is
// empty, ten times as fast as its older answer of a word for each page.
class WrittenPages {
  public:
    WrittenPages();
    ~WrittenPages();
    WrittenPages(const WrittenPages&) = delete;
    WrittenPages& operator=(const WrittenPages&) = delete;

    std::size_t page_bytes() const { return page_bytes_; }
    bool may_be_written(const void* address) { return at(page_of(address)) == page_of(address); }

    // The first page from that address on that may be written: its address, or any address from `end` on.
    const std::uint8_t* next_written(const std::uint8_t* address, const std::uint8_t* end);

  private:
    static constexpr std::size_t kBatch = 16384;

    std::uint64_t page_of(const void* address) const {
        return reinterpret_cast<std::uintptr_t>(address) / page_bytes_;
    }
    void ask(std::uint64_t first_page);
    std::uint64_t at(std::uint64_t page);
    void note(std::uint64_t index) { written_[index / 64] |= std::uint64_t{1} << index % 64; }
    bool scan();
    bool read();

    std::size_t page_bytes_;
    int file_;
    bool scans_ = true;
    std::uint64_t first_page_ = ~std::uint64_t{0};
    std::size_t known_ = 0;
    std::uint64_t written_[kBatch / 64];
};

}  // namespace shadow
