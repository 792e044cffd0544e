#include "check.h"

#include "../format.h"

#include <algorithm>

namespace heap {
namespace {

// The scans below look at blocks without a branch per item, so that the compiler vectorises them;
// the item at fault is searched only in the block that holds it.
constexpr std::size_t kBlock = 4096;

template <typename Bad>
std::size_t first_where(std::size_t count, Bad bad) {
    for (std::size_t start = 0; start < count; start += kBlock) {
        const std::size_t stop = std::min(count, start + kBlock);
        unsigned any = 0;
        for (std::size_t i = start; i < stop; ++i) any |= static_cast<unsigned>(bad(i));
        if (!any) continue;
        for (std::size_t i = start; i < stop; ++i)
            if (bad(i)) return i;
    }
    return kAllGood;
}

constexpr std::uint32_t kNumberKinds = (1u << format::INDEX) | (1u << format::STACK);
constexpr std::uint8_t kLastKind = format::CLOSURE;
static_assert(kLastKind < 32);

}  // namespace

std::size_t first_not_monotone(const std::uint64_t* ends, std::size_t count, std::uint64_t limit) {
    const std::size_t unsorted =
        count < 2 ? kAllGood : first_where(count - 1, [ends](std::size_t i) { return ends[i] > ends[i + 1]; });
    if (unsorted != kAllGood) return unsorted + 1;
    return count != 0 && ends[count - 1] > limit ? count - 1 : kAllGood;
}

std::size_t first_not_below(const std::uint32_t* values, std::size_t count, std::uint64_t limit) {
    return first_where(count, [values, limit](std::size_t i) { return values[i] >= limit; });
}

std::size_t first_not_below_or(const std::uint32_t* values, std::size_t count, std::uint64_t limit,
                               std::uint32_t exempt) {
    return first_where(count,
                       [values, limit, exempt](std::size_t i) { return (values[i] >= limit) & (values[i] != exempt); });
}

std::size_t first_unknown_kind(const std::uint8_t* kinds, std::size_t count) {
    return first_where(count, [kinds](std::size_t i) { return (kinds[i] & 0x7F) > kLastKind; });
}

std::size_t first_bad_label(const std::uint8_t* kinds, const std::uint32_t* labels, std::size_t count,
                            std::uint64_t string_count) {
    return first_where(count, [kinds, labels, string_count](std::size_t i) {
        return (labels[i] >= string_count) & !((kNumberKinds >> (kinds[i] & 31)) & 1);
    });
}

std::uint64_t prefix_sum(const std::uint32_t* counts, std::size_t count, std::uint64_t* first) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < count; ++i) {
        first[i] = sum;
        sum += counts[i];
    }
    first[count] = sum;
    return sum;
}

}  // namespace heap
