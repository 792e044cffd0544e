// Sums over columns, and the collector's subtraction of the counts that the heap itself explains.
#include "breadth.h"
#include "kernels.h"

#include <algorithm>

namespace kernels {

void count_in_references(const u32* targets, u32 references, const u8* counted, u32* counts) {
    if (counted == nullptr) {
        for (u32 r = 0; r < references; ++r) ++counts[targets[r]];
        return;
    }
    for (u32 r = 0; r < references; ++r) counts[targets[r]] += counted[r] != 0;
}

Status collector_reachability(const Csr& csr, const CollectorQuery& query, u32* out_external, u8* out_state,
                              u32& overcounted, Interrupt& interrupt) {
    Array<u32> queue;
    if (!queue.allocate(csr.objects)) return Status::NO_MEMORY;

    std::fill_n(out_external, csr.objects, 0);
    for (u32 r = 0; r < csr.references; ++r)
        if (!is_set(query.skip, r)) ++out_external[csr.targets[r]];
    for (u32 i = 0; i < query.roots.count; ++i)
        if (!is_set(query.uncounted_roots, i)) ++out_external[query.roots.items[i]];

    overcounted = 0;
    for (u32 i = 0; i < csr.objects; ++i) {
        const u32 explained = out_external[i];
        const u32 count = query.refcounts[i];
        const bool is_immortal = count == kImmortalCount;
        if (!is_immortal && explained > count) ++overcounted;
        out_external[i] = is_immortal || explained >= count ? 0 : count - explained;
    }

    std::fill_n(out_state, csr.objects, u8{GARBAGE});
    const auto reach = [&](u32 object, u8 state) {
        if (out_state[object] != GARBAGE) return;
        out_state[object] = state;
        queue.append(object);
    };
    const auto propagate = [&](std::size_t from, u8 state) {
        return breadth_first(csr, queue, from, out_state, interrupt, [&](u32 object) {
            for (u32 ref = csr.begin(object), end = csr.end(object); ref < end; ++ref)
                if (!is_set(query.skip, ref)) reach(csr.targets[ref], state);
        });
    };
    for (u32 i = 0; i < query.roots.count; ++i) reach(query.roots.items[i], REACHED);
    if (!propagate(0, REACHED)) return Status::INTERRUPTED;
    const std::size_t reached = queue.size();
    for (u32 i = 0; i < csr.objects; ++i)
        if (out_external[i] != 0 || query.refcounts[i] == kImmortalCount) reach(i, HELD_FROM_C);
    return propagate(reached, HELD_FROM_C) ? Status::OK : Status::INTERRUPTED;
}

template <typename Size>
void census(const u32* keys, u32 items, const Size* sizes, const u8* members, u64* counts, u64* bytes) {
    for (u32 i = 0; i < items; ++i) {
        if (members != nullptr && members[i] == 0) continue;
        ++counts[keys[i]];
        bytes[keys[i]] += sizes[i];
    }
}

template void census<u32>(const u32*, u32, const u32*, const u8*, u64*, u64*);
template void census<u64>(const u32*, u32, const u64*, const u8*, u64*, u64*);

}  // namespace kernels
