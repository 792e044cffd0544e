#include "pools.h"

#include "maps.h"
#include "shadow.h"

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

struct Search {
    shadow::WrittenPages pages;
    PoolTotals* totals;
};

void look_into(const Area& area, void* context) {
    auto& search = *static_cast<Search*>(context);
    if (!area.readable || !area.writable || area.shared || area.inode) return;
    if (area.path[0] && std::strncmp(area.path, "[anon", 5)) return;
    const std::uint64_t page = search.pages.page_bytes();
    for (std::uint64_t at = (area.start + kPool - 1) & ~(kPool - 1); at + kPool <= area.end; at += kPool) {
        if (!search.pages.may_be_written(reinterpret_cast<const void*>(at))) continue;
        PoolHeader pool;
        std::memcpy(&pool, reinterpret_cast<const void*>(at), sizeof(pool));
        if (!is_pool(pool, at)) continue;
        search.totals->pools++;
        search.totals->used += pool.used_blocks * (pool.size_class + 1) * kGranule;
        for (std::uint64_t inside = 0; inside < kPool; inside += page)
            if (search.pages.may_be_written(reinterpret_cast<const void*>(at + inside)))
                search.totals->resident += page < kPool ? page : kPool;
    }
}

}  // namespace

void find_pools(PoolTotals* totals) {
    *totals = PoolTotals{};
    Search search{{}, totals};
    for_each_area("/proc/self/maps", look_into, &search);
}

}  // namespace record
