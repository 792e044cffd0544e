// Consistency of the loaded columns: what must hold before any kernel may index with them.
#pragma once
#include <cstddef>
#include <cstdint>

namespace heap {

constexpr std::size_t kAllGood = SIZE_MAX;

// Each gives the index of the first item at fault, or kAllGood.

// ends[i] <= ends[i + 1], and none beyond `limit`.
std::size_t first_not_monotone(const std::uint64_t* ends, std::size_t count, std::uint64_t limit);
std::size_t first_not_below(const std::uint32_t* values, std::size_t count, std::uint64_t limit);
// As above, but `exempt` is also allowed.
std::size_t first_not_below_or(const std::uint32_t* values, std::size_t count, std::uint64_t limit,
                               std::uint32_t exempt);
std::size_t first_unknown_kind(const std::uint8_t* kinds, std::size_t count);
// Labels of the kinds whose label is a string.
std::size_t first_bad_label(const std::uint8_t* kinds, const std::uint32_t* labels, std::size_t count,
                            std::uint64_t string_count);
// first[i] = sum of counts[0..i), first has count + 1 items. The whole sum; cannot overflow.
std::uint64_t prefix_sum(const std::uint32_t* counts, std::size_t count, std::uint64_t* first);

}  // namespace heap
