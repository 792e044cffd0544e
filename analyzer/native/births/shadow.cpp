#include "births/shadow.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace shadow {

std::atomic<Region*> regions[kRegions];
std::atomic<std::uint8_t*> narrow[kRegions];

namespace {

std::size_t mapping_bytes(Form form) {
    return Region::kHeadBytes + kGranules * ((form.is_wide ? 2 : 1) + (form.with_sites ? sizeof(std::uint32_t) : 0) +
                                             (form.with_works ? sizeof(std::uint16_t) : 0));
}

Form form_of(const Region* region) { return {region->is_wide, region->sites != nullptr, region->works != nullptr}; }

}  // namespace

Region* map_region(const void* block, Form form) {
    const std::size_t index = region_index(block);
    if (index >= kRegions) return kUnmapped;
    const std::size_t bytes = mapping_bytes(form);
    void* const memory =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    Region* fresh = kUnmapped;
    if (memory != MAP_FAILED) {
#ifdef MADV_NOHUGEPAGE
        // A huge page for each touched byte would cost 32 MB of heap in one stroke.
        madvise(memory, bytes, MADV_NOHUGEPAGE);
#endif
        fresh = static_cast<Region*>(memory);
        fresh->is_wide = form.is_wide;
        std::uint8_t* end = fresh->narrow() + kGranules * (form.is_wide ? 2 : 1);
        if (form.with_works) {
            fresh->works = reinterpret_cast<std::uint16_t*>(end);
            end += kGranules * sizeof(std::uint16_t);
        }
        if (form.with_sites) fresh->sites = reinterpret_cast<std::uint32_t*>(end);
    }
    Region* present = nullptr;
    if (regions[index].compare_exchange_strong(present, fresh, std::memory_order_acq_rel)) {
        if (is_mapped(fresh) && !form.is_wide) narrow[index].store(fresh->narrow(), std::memory_order_release);
        return fresh;
    }
    if (memory != MAP_FAILED) munmap(memory, bytes);
    return present;
}

void clear(Form wanted) {
    for (std::size_t index = 0; index < kRegions; ++index) {
        std::atomic<Region*>& slot = regions[index];
        Region* const region = slot.load(std::memory_order_acquire);
        if (region == nullptr) continue;
        if (region == kUnmapped) {
            slot.store(nullptr, std::memory_order_release);
            continue;
        }
        const Form form = form_of(region);
        const bool fits = form.is_wide == wanted.is_wide && form.with_sites == wanted.with_sites &&
                          form.with_works == wanted.with_works;
        madvise(region->narrow(), mapping_bytes(form) - Region::kHeadBytes, MADV_DONTNEED);
        if (fits) continue;
        narrow[index].store(nullptr, std::memory_order_release);
        slot.store(nullptr, std::memory_order_release);
    }
}

std::uint64_t resident_bytes() {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    std::uint64_t pages = 0;
    for (const std::atomic<Region*>& slot : regions) {
        Region* const region = slot.load(std::memory_order_acquire);
        if (!is_mapped(region)) continue;
        unsigned char is_resident[1024];
        const std::size_t batch = sizeof is_resident * page;
        const std::size_t total = mapping_bytes(form_of(region));
        for (std::size_t at = 0; at < total; at += batch) {
            const std::size_t span = total - at < batch ? total - at : batch;
            if (mincore(reinterpret_cast<char*>(region) + at, span, is_resident) != 0) continue;
            for (std::size_t i = 0; i < span / page; ++i) pages += is_resident[i] & 1;
        }
    }
    return pages * page;
}

WrittenPages::WrittenPages()
    : page_bytes_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))),
      file_(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)) {}

WrittenPages::~WrittenPages() {
    if (file_ >= 0) close(file_);
}

bool WrittenPages::may_be_written(const void* address) {
    constexpr std::uint64_t kPresentOrSwapped = std::uint64_t{3} << 62;
    if (file_ < 0) return true;
    const std::uint64_t page = reinterpret_cast<std::uintptr_t>(address) / page_bytes_;
    if (page - first_page_ >= known_) {
        const ssize_t got = pread(file_, entries_, sizeof entries_, static_cast<off_t>(page * 8));
        if (got < 8) {
            close(file_);
            file_ = -1;
            return true;
        }
        first_page_ = page;
        known_ = static_cast<std::size_t>(got) / 8;
    }
    return (entries_[page - first_page_] & kPresentOrSwapped) != 0;
}

}  // namespace shadow
