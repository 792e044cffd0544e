#include "memory/pools.h"

#include "births/shadow.h"
#include "cpython/layout.h"
#include "memory/maps.h"

#include <fcntl.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/uio.h>
#endif

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace record {
namespace {

constexpr std::uint64_t kPool = 16 * 1024, kHeader = 48, kGranule = 16;
constexpr std::uint32_t kSizeClasses = 32;

// obmalloc's `struct pool_header`, the same in 3.10 to 3.15 on 64-bit machines. No symbol leads to the
// arenas and their layout changes from version to version; a pool can be told from anything else by
// the three numbers that must fit together.
struct PoolHeader {
    std::uint64_t used_blocks;
    std::uint64_t free_block, next, previous;
    std::uint32_t arena, size_class, next_offset, last_offset;
};
static_assert(sizeof(PoolHeader) == kHeader);

bool is_pool(const PoolHeader& pool, std::uint64_t address) {
    if (pool.size_class >= kSizeClasses) return false;
    const std::uint64_t block = (pool.size_class + 1) * kGranule;
    const std::uint64_t most = (kPool - kHeader) / block;
    return pool.last_offset == kPool - block && pool.used_blocks <= most && pool.next_offset >= kHeader + block &&
           pool.next_offset <= kPool + block && (pool.next_offset - kHeader) % block == 0 && pool.arena < 1u << 28 &&
           (!pool.free_block || pool.free_block - address < kPool);
}

// Arenas are filled from their start: an area beyond all memory is address space that something has reserved, and a look
// at each of its pages would take minutes (16 TB for a sanitizer).
std::uint64_t most_area_bytes() {
    static const std::uint64_t memory =
        static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    return 2 * memory;
}

bool may_hold_pools(const Area& area) {
    if (!area.readable || !area.writable || area.shared || area.inode) return false;
    if (area.end - area.start > most_area_bytes()) return false;
    return !area.path[0] || !std::strncmp(area.path, "[anon", 5);
}

struct Search {
    shadow::WrittenPages pages;
    PoolTotals* totals;
};

// By words that a sanitizer does not look at: what lies there may be anything, its own zones included.
PoolHeader header_at(std::uint64_t address) {
    std::uintptr_t words[sizeof(PoolHeader) / sizeof(std::uintptr_t)];
    for (std::size_t at = 0; at < sizeof(PoolHeader); at += sizeof(std::uintptr_t))
        words[at / sizeof(std::uintptr_t)] = word_at(reinterpret_cast<const void*>(address), at);
    PoolHeader pool;
    std::memcpy(&pool, words, sizeof(pool));
    return pool;
}

void look_into(const Area& area, void* context) {
    auto& search = *static_cast<Search*>(context);
    if (!may_hold_pools(area)) return;
    const std::uint64_t page = search.pages.page_bytes();
    for (std::uint64_t at = (area.start + kPool - 1) & ~(kPool - 1); at + kPool <= area.end; at += kPool) {
        if (!search.pages.may_be_written(reinterpret_cast<const void*>(at))) continue;
        const PoolHeader pool = header_at(at);
        if (!is_pool(pool, at)) continue;
        search.totals->pools++;
        search.totals->used += pool.used_blocks * (pool.size_class + 1) * kGranule;
        search.totals->blocks += pool.used_blocks;
        for (std::uint64_t inside = 0; inside < kPool; inside += page)
            if (search.pages.may_be_written(reinterpret_cast<const void*>(at + inside)))
                search.totals->resident += page < kPool ? page : kPool;
    }
}

#if defined(__linux__)
// Another process's pages: which are there (reading the others would make them), and what they begin with.
class Outside {
  public:
    Outside(int pid, PoolTotals* totals)
        : pid_(pid), page_(static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE))), totals_(totals) {
        char file[32];
        std::snprintf(file, sizeof(file), "/proc/%d/pagemap", pid);
        pagemap_ = open(file, O_RDONLY | O_CLOEXEC);
        error = pagemap_ < 0 ? errno : 0;
    }
    ~Outside() {
        if (pagemap_ >= 0) close(pagemap_);
    }
    Outside(const Outside&) = delete;
    Outside& operator=(const Outside&) = delete;

    void look_into(const Area& area) {
        if (error || !may_hold_pools(area)) return;
        for (std::uint64_t at = (area.start + kPool - 1) & ~(kPool - 1); at + kPool <= area.end;) {
            const std::uint64_t left = (area.end - at) / kPool;
            const std::uint64_t pools = left < kBatch ? left : kBatch;
            look_at(at, pools);
            if (error) return;
            at += pools * kPool;
        }
    }

    int error;

  private:
    // A page may be as small as 4 KiB, or larger than a pool.
    static constexpr std::uint64_t kBatch = 128, kMostPages = kBatch * kPool / 4096 + 1;
    static constexpr std::uint64_t kPresentOrSwapped = std::uint64_t{3} << 62, kPresent = std::uint64_t{1} << 63;

    void look_at(std::uint64_t first, std::uint64_t pools) {
        first_page_ = first / page_;
        const std::size_t wanted = ((first + pools * kPool - 1) / page_ - first_page_ + 1) * 8;
        if (pread(pagemap_, pages_, wanted, static_cast<off_t>(first_page_ * 8)) != static_cast<ssize_t>(wanted))
            return;  // unmapped meanwhile
        std::size_t count = 0;
        for (std::uint64_t i = 0; i < pools; i++)
            if (page_at(first + i * kPool) & kPresent) {
                remote_[count] = {reinterpret_cast<void*>(first + i * kPool), sizeof(PoolHeader)};
                index_[count++] = i;
            }
        for (std::size_t done = 0; done < count;) {
            iovec local{headers_ + done, (count - done) * sizeof(PoolHeader)};
            const ssize_t got = process_vm_readv(pid_, &local, 1, remote_ + done, count - done, 0);
            if (got < 0 && errno != EFAULT) {
                error = errno;
                return;
            }
            const std::size_t whole = got > 0 ? static_cast<std::size_t>(got) / sizeof(PoolHeader) : 0;
            for (std::size_t i = done; i < done + whole; i++) add(headers_[i], first, index_[i]);
            done += whole + 1;  // the one behind is gone
        }
    }

    std::uint64_t page_at(std::uint64_t address) const { return pages_[address / page_ - first_page_]; }

    void add(const PoolHeader& pool, std::uint64_t first, std::uint64_t index) {
        const std::uint64_t start = first + index * kPool;
        if (!is_pool(pool, start)) return;
        totals_->pools++;
        totals_->used += pool.used_blocks * (pool.size_class + 1) * kGranule;
        totals_->blocks += pool.used_blocks;
        for (std::uint64_t inside = 0; inside < kPool; inside += page_)
            if (page_at(start + inside) & kPresentOrSwapped) totals_->resident += page_ < kPool ? page_ : kPool;
    }

    int pid_, pagemap_ = -1;
    const std::uint64_t page_;
    PoolTotals* totals_;
    std::uint64_t first_page_ = 0, pages_[kMostPages], index_[kBatch];
    iovec remote_[kBatch];
    PoolHeader headers_[kBatch];
};
#endif

}  // namespace

int find_pools_of(int pid, PoolTotals* totals) {
    *totals = PoolTotals{};
#if defined(__linux__)
    Outside outside(pid, totals);
    char file[32];
    std::snprintf(file, sizeof(file), "/proc/%d/maps", pid);
    const auto each = [](const Area& area, void* context) { static_cast<Outside*>(context)->look_into(area); };
    if (!outside.error && for_each_area(file, each, &outside) < 0) return -1;
    errno = outside.error;
#else
    (void)pid;
    errno = ENOSYS;
#endif
    return errno ? -1 : 0;
}

std::uint64_t pool_block_bytes(const void* block) {
    const auto address = reinterpret_cast<std::uint64_t>(block);
    const std::uint64_t start = address & ~(kPool - 1);
    PoolHeader pool;
    std::memcpy(&pool, reinterpret_cast<const void*>(start), sizeof(pool));
    if (!is_pool(pool, start) || address < start + kHeader) return 0;
    const std::uint64_t bytes = (pool.size_class + 1) * kGranule;
    return (address - start - kHeader) % bytes ? 0 : bytes;
}

void find_pools(PoolTotals* totals) {
    *totals = PoolTotals{};
    Search search{{}, totals};
    for_each_area("/proc/self/maps", look_into, &search);
}

}  // namespace record
