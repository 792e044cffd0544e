// What is reached, and for whose sake. O(n + m).
#include "breadth.h"
#include "kernels.h"

#include <cstring>

namespace kernels {

Status reachable(const Csr& csr, const u8* skip, Items roots, const u8* barriers, u8* out_reached, u32& count,
                 Interrupt& interrupt) {
    Array<u32> queue;
    if (!queue.allocate(csr.objects)) return Status::NO_MEMORY;
    std::memset(out_reached, 0, csr.objects);
    const auto reach = [&](u32 object) {
        if (out_reached[object] != 0) return;
        out_reached[object] = 1;
        queue.append(object);
    };

    for (u32 i = 0; i < roots.count; ++i) reach(roots.items[i]);
    const bool is_done = breadth_first(csr, queue, 0, out_reached, interrupt, [&](u32 object) {
        if (is_set(barriers, object)) return;
        for (u32 ref = csr.begin(object), end = csr.end(object); ref < end; ++ref)
            if (!is_set(skip, ref)) reach(csr.targets[ref]);
    });
    count = static_cast<u32>(queue.size());
    return is_done ? Status::OK : Status::INTERRUPTED;
}

Status owners(const Csr& csr, const u8* skip, Items roots, const u32* group_of_object, u32* out_owner,
              Interrupt& interrupt) {
    // An object enters once outside, or at most twice otherwise: first with a group, then as shared.
    Array<u32> queue;
    if (!queue.allocate(std::size_t{csr.objects} * 2)) return Status::NO_MEMORY;
    std::memcpy(out_owner, group_of_object, std::size_t{csr.objects} * sizeof(u32));

    const auto reach_outside = [&](u32 object) {
        if (out_owner[object] != kNo) return;
        out_owner[object] = kOutside;
        queue.append(object);
    };
    for (u32 i = 0; i < roots.count; ++i) reach_outside(roots.items[i]);
    const bool is_outside_done = breadth_first(csr, queue, 0, out_owner, interrupt, [&](u32 object) {
        for (u32 ref = csr.begin(object), end = csr.end(object); ref < end; ++ref)
            if (!is_set(skip, ref)) reach_outside(csr.targets[ref]);
    });
    if (!is_outside_done) return Status::INTERRUPTED;

    queue.clear();
    for (u32 i = 0; i < csr.objects; ++i)
        if (group_of_object[i] != kNo) queue.append(i);
    const bool is_done = breadth_first(csr, queue, 0, out_owner, interrupt, [&](u32 object) {
        const u32 owner = out_owner[object];
        for (u32 ref = csr.begin(object), end = csr.end(object); ref < end; ++ref) {
            const u32 target = csr.targets[ref];
            if (is_set(skip, ref) || group_of_object[target] != kNo) continue;
            u32& old = out_owner[target];
            if (old == owner || old == kOutside || old == kShared) continue;
            old = old == kNo ? owner : kShared;
            queue.append(target);
        }
    });
    return is_done ? Status::OK : Status::INTERRUPTED;
}

}  // namespace kernels
