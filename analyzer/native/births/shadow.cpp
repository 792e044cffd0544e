#include "births/shadow.h"

#include <fcntl.h>
#if defined(__linux__)
#include <sys/ioctl.h>
#endif
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

namespace shadow {

std::atomic<Region*> regions[kRegions];
std::atomic<std::uint8_t*> narrow[kRegions];
std::atomic<std::uint64_t> taken[kRegions / 64];

namespace {

#if defined(__linux__)
// linux/fs.h of 6.7, which most C libraries do not have yet: PAGEMAP_SCAN.
struct PageRange {
    std::uint64_t start, end, categories;
};
struct PageScan {
    std::uint64_t size, flags, start, end, walked, found, found_most, pages_most, inverted, all_of, any_of, told;
};
constexpr unsigned long kPagemapScan = _IOWR('f', 16, PageScan);
constexpr std::uint64_t kScanPresent = 1 << 3, kScanSwapped = 1 << 4;
#endif

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
    taken[index / 64].fetch_or(std::uint64_t{1} << index % 64, std::memory_order_acq_rel);
    Region* present = nullptr;
    if (regions[index].compare_exchange_strong(present, fresh, std::memory_order_acq_rel)) {
        if (is_mapped(fresh) && !form.is_wide) narrow[index].store(fresh->narrow(), std::memory_order_release);
        return fresh;
    }
    if (memory != MAP_FAILED) munmap(memory, bytes);
    return present;
}

void clear(Form wanted) {
    for_each_region([wanted](std::size_t index, Region* const region) {
        std::atomic<Region*>& slot = regions[index];
        if (region == kUnmapped) {
            slot.store(nullptr, std::memory_order_release);
            return;
        }
        const Form form = form_of(region);
        const bool fits = form.is_wide == wanted.is_wide && form.with_sites == wanted.with_sites &&
                          form.with_works == wanted.with_works;
        madvise(region->narrow(), mapping_bytes(form) - Region::kHeadBytes, MADV_DONTNEED);
        if (fits) return;
        narrow[index].store(nullptr, std::memory_order_release);
        slot.store(nullptr, std::memory_order_release);
    });
}

std::uint64_t resident_bytes() {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    std::uint64_t pages = 0;
    for_each_region([&](std::size_t, Region* const region) {
        if (!is_mapped(region)) return;
        unsigned char is_resident[1024];
        const std::size_t batch = sizeof is_resident * page;
        const std::size_t total = mapping_bytes(form_of(region));
        for (std::size_t at = 0; at < total; at += batch) {
            const std::size_t span = total - at < batch ? total - at : batch;
            if (mincore(reinterpret_cast<char*>(region) + at, span, is_resident) != 0) continue;
            for (std::size_t i = 0; i < span / page; ++i) pages += is_resident[i] & 1;
        }
    });
    return pages * page;
}

WrittenPages::WrittenPages()
    : page_bytes_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))),
      file_(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)) {}

WrittenPages::~WrittenPages() {
    if (file_ >= 0) close(file_);
}

const std::uint8_t* WrittenPages::next_written(const std::uint8_t* address, const std::uint8_t* end) {
    const std::uint64_t last = page_of(end - 1);
    std::uint64_t page = page_of(address);
    while (page <= last) {
        const std::uint64_t found = at(page);
        if (found == page) break;
        page = found;
    }
    return page == page_of(address) ? address : reinterpret_cast<const std::uint8_t*>(page * page_bytes_);
}

// The page itself where it may be written; else a later one, before which none is.
std::uint64_t WrittenPages::at(std::uint64_t page) {
    if (page - first_page_ >= known_) ask(page);
    if (file_ < 0) return page;
    const std::uint64_t index = page - first_page_;
    const std::uint64_t word = written_[index / 64] >> index % 64;
    if (word != 0) return page + static_cast<std::uint64_t>(__builtin_ctzll(word));
    return page + 64 - index % 64;
}

void WrittenPages::ask(std::uint64_t first_page) {
    first_page_ = first_page;
    if (scans_) scans_ = scan();
    if (scans_ || read()) return;
    close(file_);
    file_ = -1;
}

// All of a batch. False where the kernel is older, or is not asked: a sandbox refuses what it does not know.
bool WrittenPages::scan() {
#if defined(__linux__)
    const std::uint64_t end = first_page_ + kBatch;
    std::memset(written_, 0, sizeof written_);
    for (std::uint64_t page = first_page_; page < end;) {
        PageRange found[64];
        PageScan asked{};
        asked.size = sizeof asked;
        asked.start = page * page_bytes_;
        asked.end = end * page_bytes_;
        asked.found = reinterpret_cast<std::uintptr_t>(found);
        asked.found_most = sizeof found / sizeof *found;
        asked.any_of = asked.told = kScanPresent | kScanSwapped;
        const int count = ioctl(file_, kPagemapScan, &asked);
        if (count < 0 || asked.walked <= asked.start) return false;
        for (int i = 0; i < count; ++i)
            for (std::uint64_t at = found[i].start; at < found[i].end; at += page_bytes_)
                note(at / page_bytes_ - first_page_);
        page = asked.walked / page_bytes_;
    }
    known_ = kBatch;
    return true;
#else
    return false;
#endif
}

// A word for each page: what a signal leaves of a batch is asked for with the next page.
bool WrittenPages::read() {
    constexpr std::uint64_t kPresentOrSwapped = std::uint64_t{3} << 62;
    std::uint64_t words[512];
    std::memset(written_, 0, sizeof written_);
    const ssize_t got = pread(file_, words, sizeof words, static_cast<off_t>(first_page_ * 8));
    if (got < 8) return false;
    known_ = static_cast<std::size_t>(got) / 8;
    for (std::size_t i = 0; i < known_; ++i)
        if (words[i] & kPresentOrSwapped) note(i);
    return true;
}

}  // namespace shadow
