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

// Maps the region of `block` if it has none. May lose a race and return the winner's.
Region* map_region(const void* block, Form form);

// Forgets everything that was written. Regions of another form than asked for are set aside.
void clear(Form form);

std::uint64_t resident_bytes();

// Which pages of the shadow were ever touched, asked from the kernel in batches: reading all of a
// sparse region would fault in every page of it. Without /proc every page may be written.
class WrittenPages {
  public:
    WrittenPages();
    ~WrittenPages();
    WrittenPages(const WrittenPages&) = delete;
    WrittenPages& operator=(const WrittenPages&) = delete;

    std::size_t page_bytes() const { return page_bytes_; }
    bool may_be_written(const void* address);

  private:
    static constexpr std::size_t kBatch = 512;
    std::size_t page_bytes_;
    int file_;
    std::uint64_t first_page_ = ~std::uint64_t{0};
    std::size_t known_ = 0;
    std::uint64_t entries_[kBatch];
};

}  // namespace shadow
