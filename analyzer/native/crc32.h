// CRC-32 with the zlib polynomial, for snapshot files. Thread-safe, allocates nothing, takes no lock:
// it may run in a forked child.
#pragma once
#include <cstddef>
#include <cstdint>

// Continues `crc` (0 to start) over `size` bytes: the same value as zlib's crc32().
std::uint32_t crc32_update(std::uint32_t crc, const void* bytes, std::size_t size);
