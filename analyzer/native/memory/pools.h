// The pools of CPython's object allocator, found in memory by what their headers say of themselves.
#pragma once
#include <cstdint>

namespace record {

struct PoolTotals {
    std::uint64_t pools, used, resident, blocks;  // `used`: bytes of the blocks in use; `resident`: of the pools' pages
};

// The same of another process, read from outside while it runs. -1 with errno when it may not be read.
int find_pools_of(int pid, PoolTotals* totals);

// Bytes of the block at that address by the header of its pool, 0 when it does not begin a block of a pool. Reads the
// 16 kB that the address lies in: only for what such an allocator has given.
std::uint64_t pool_block_bytes(const void* block);

// Adds up all pools of this process. Call it where nothing else runs: in the child of the recorder.
void find_pools(PoolTotals* totals);

}  // namespace record
