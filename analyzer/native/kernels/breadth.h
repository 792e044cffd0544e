// Breadth-first order with the cache misses of the next objects overlapped.
#pragma once
#include "array.h"

#include <algorithm>

namespace kernels {

// Overlaps the cache misses of the objects that follow item `at` of `items`; `objects(item)` is the object
// of an item, `marks` the column that is looked up for each target.
template <typename Item, typename Objects, typename Mark>
inline void look_ahead(const Csr& csr, const Array<Item>& items, std::size_t at, Objects objects, const Mark* marks) {
    constexpr std::size_t kFar = 24, kMiddle = 16, kNear = 8;
    constexpr u32 kMostTargets = 8;
    if (at + kFar < items.size()) prefetch(&csr.first[objects(items[at + kFar])]);
    if (at + kMiddle < items.size()) prefetch(csr.targets + csr.begin(objects(items[at + kMiddle])));
    if (at + kNear < items.size()) {
        const u32 soon = objects(items[at + kNear]);
        const u32 begin = csr.begin(soon);
        for (u32 ref = begin, end = std::min(csr.end(soon), begin + kMostTargets); ref < end; ++ref)
            prefetch(marks + csr.targets[ref]);
    }
}

// Calls visit(object) for each queued object from `at` on, including those that `visit` appends; false
// when interrupted.
template <typename Mark, typename Visit>
bool breadth_first(const Csr& csr, const Array<u32>& queue, std::size_t at, const Mark* marks, Interrupt& interrupt,
                   Visit visit) {
    for (; at < queue.size(); ++at) {
        if (interrupt.requested()) return false;
        look_ahead(csr, queue, at, [](u32 object) { return object; }, marks);
        visit(queue[at]);
    }
    return true;
}

}  // namespace kernels
