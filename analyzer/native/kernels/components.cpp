// Strongly connected components: Pearce 2016, "A space-efficient algorithm for finding strongly
// connected components", made iterative. O(n + m).
//
// out_component doubles as his `rindex`: 0 = not visited, small = visit number of an object still
// open, large (counting down from kFirstId) = component of a finished one. An open object's number
// never exceeds the objects open, so the two ranges cannot meet.
#include "array.h"
#include "kernels.h"

namespace kernels {
namespace {

struct Frame {
    u32 object;
    u32 next_ref;
    u32 visit;  // its own visit number: it is the first of its component if nothing lowered it
};

constexpr u32 kFirstId = kNo - 1;

}  // namespace

Status components(const Csr& csr, const u8* skip, const u8* members, u32* out_component, u32& count,
                  Interrupt& interrupt) {
    Array<Frame> frames;
    Array<u32> open;
    if (!open.allocate(csr.objects)) return Status::NO_MEMORY;
    // kNo is greater than every open number, so a reference to a non-member changes nothing.
    for (u32 i = 0; i < csr.objects; ++i) out_component[i] = members == nullptr || members[i] != 0 ? 0 : kNo;

    u32 visit = 1;
    u32 next_id = kFirstId;
    for (u32 start = 0; start < csr.objects; ++start) {
        if (out_component[start] != 0) continue;
        out_component[start] = visit;
        if (!frames.push({start, csr.begin(start), visit++})) return Status::NO_MEMORY;
        while (!frames.empty()) {
            Frame& frame = frames.back();
            const u32 object = frame.object;
            if (frame.next_ref < csr.end(object)) {
                const u32 ref = frame.next_ref++;
                if (is_set(skip, ref)) continue;
                const u32 target = csr.targets[ref];
                if (out_component[target] == 0) {
                    out_component[target] = visit;
                    if (!frames.push({target, csr.begin(target), visit++})) return Status::NO_MEMORY;
                } else if (out_component[target] < out_component[object]) {
                    out_component[object] = out_component[target];
                }
                continue;
            }

            if (interrupt.requested()) return Status::INTERRUPTED;
            const bool is_first = out_component[object] == frame.visit;
            if (is_first) {
                const u32 number = out_component[object];
                --visit;
                while (!open.empty() && out_component[open.back()] >= number) {
                    out_component[open.pop()] = next_id;
                    --visit;
                }
                out_component[object] = next_id--;
            } else {
                open.append(object);
            }
            const u32 number = out_component[object];
            frames.pop();
            if (!frames.empty()) {
                u32& above = out_component[frames.back().object];
                if (number < above) above = number;
            }
        }
    }

    count = kFirstId - next_id;
    for (u32 i = 0; i < csr.objects; ++i)
        if (out_component[i] != kNo) out_component[i] = kFirstId - out_component[i];
    return Status::OK;
}

}  // namespace kernels
