#include "shadow.h"

#include <sys/mman.h>

namespace shadow {

std::atomic<Region*> regions[kRegions];

namespace {

std::size_t mapping_bytes(bool is_wide, bool with_sites) {
    return sizeof(Region) + kGranules * ((is_wide ? 2 : 1) + (with_sites ? sizeof(std::uint32_t) : 0));
}

std::size_t mapping_bytes(const Region* region) {
    return mapping_bytes(region->is_wide, region->sites != nullptr);
}

// Pages are 4 KB wherever the shadow matters; a larger page only makes the figure coarser.
constexpr std::size_t kPage = 4096;

std::uint64_t resident_bytes(const Region* region) {
    unsigned char pages[4096];
    const auto* start = reinterpret_cast<const unsigned char*>(region);
    const std::size_t total = mapping_bytes(region);
    std::uint64_t resident = 0;
    for (std::size_t done = 0; done < total; done += sizeof pages * kPage) {
        const std::size_t span = total - done < sizeof pages * kPage ? total - done : sizeof pages * kPage;
        if (mincore(const_cast<unsigned char*>(start) + done, span, pages) != 0) continue;
        for (std::size_t page = 0; page < (span + kPage - 1) / kPage; ++page)
            resident += (pages[page] & 1) ? kPage : 0;
    }
    return resident;
}

}  // namespace

Region* map_region(const void* block, bool is_wide, bool with_sites) {
    const std::size_t index = region_index(block);
    if (index >= kRegions) return kUnmapped;
    const std::size_t bytes = mapping_bytes(is_wide, with_sites);
    void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    Region* fresh = kUnmapped;
    if (memory != MAP_FAILED) {
#ifdef MADV_NOHUGEPAGE
        // A huge page for each touched byte would cost 32 MB of heap in one stroke.
        madvise(memory, bytes, MADV_NOHUGEPAGE);
#endif
        fresh = static_cast<Region*>(memory);
        fresh->is_wide = is_wide;
        if (with_sites) {
            auto* const runs_end = fresh->narrow() + kGranules * (is_wide ? 2 : 1);
            fresh->sites = reinterpret_cast<std::uint32_t*>(runs_end);
        }
    }
    Region* present = nullptr;
    if (regions[index].compare_exchange_strong(present, fresh, std::memory_order_acq_rel)) return fresh;
    if (memory != MAP_FAILED) munmap(memory, bytes);
    return present;
}

void clear(bool is_wide, bool with_sites) {
    for (std::atomic<Region*>& slot : regions) {
        Region* const region = slot.load(std::memory_order_acquire);
        if (region == nullptr) continue;
        if (region == kUnmapped) {
            slot.store(nullptr, std::memory_order_release);
            continue;
        }
        const bool fits = region->is_wide == is_wide && (region->sites != nullptr) == with_sites;
        auto* const body = reinterpret_cast<unsigned char*>(region) + sizeof(Region);
        madvise(body, mapping_bytes(region) - sizeof(Region), MADV_DONTNEED);
        for (std::uint8_t& touched : region->touched) touched = 0;
        if (!fits) slot.store(nullptr, std::memory_order_release);
    }
}

std::uint64_t resident_bytes() {
    std::uint64_t total = 0;
    for (const std::atomic<Region*>& slot : regions)
        if (Region* const region = slot.load(std::memory_order_acquire); is_mapped(region))
            total += resident_bytes(region);
    return total;
}

}  // namespace shadow
