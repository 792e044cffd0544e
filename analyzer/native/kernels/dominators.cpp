// Immediate dominators under a virtual root: SEMI-NCA (Georgiadis, Tarjan, Werneck 2006, "Finding
// dominators in practice"), and sizes retained over the dominator tree.
//
// Objects are handled by preorder number of one depth-first search, 1 .. count; 0 is the virtual root.
// A reference from a smaller to a greater number starts at an ancestor, so it only lowers the
// semidominator of its target at once; the others ("back or across") wait in a list for the pass in
// descending order.
//
// The plain NCA walk is quadratic on a linked list whose payloads are also held elsewhere (each
// payload climbs the whole list). Skew-binary jump pointers (Myers 1983, "An applicative random-access
// stack") bound each walk by O(log n), so the whole is O(m log n) at worst and linear in practice.
#include "array.h"
#include "kernels.h"

#include <algorithm>

namespace kernels {
namespace {

struct Frame {
    u32 number;
    u32 next_ref;
};

struct Late {  // a reference back or across
    u32 source;
    u32 target;
};

// During the semidominator pass: the forest compressed towards its roots. Afterwards: the jump pointers.
struct Link {
    u32 up;     // ancestor; jump pointer
    u32 least;  // least semidominator on the way; depth
};

class Search {
  public:
    Search(const Csr& csr, const u8* skip, u32* number_of, u32* order, Interrupt& interrupt)
        : csr_(csr), skip_(skip), number_of_(number_of), order_(order), interrupt_(interrupt) {}

    Status run(Items roots, u32& count) {
        const std::size_t slots = std::size_t{csr_.objects} + 1;
        if (!parent_.allocate(slots) || !semi_.allocate(slots)) return Status::NO_MEMORY;
        std::fill_n(number_of_, csr_.objects, kNo);
        for (u32 i = 0; i < roots.count; ++i)
            if (const Status status = visit_from(roots.items[i]); status != Status::OK) return status;
        count = count_;
        frames_.release();

        if (!group_late() || !links_.allocate(std::size_t{count_} + 1)) return Status::NO_MEMORY;
        if (const Status status = find_semidominators(); status != Status::OK) return status;
        late_source_.release();
        find_dominators();
        return Status::OK;
    }

  private:
    static constexpr u32 kAhead = 16;

    u32 enter(u32 object, u32 parent) {
        const u32 number = ++count_;
        number_of_[object] = number;
        order_[number - 1] = object;
        parent_[number] = parent;
        semi_[number] = parent;
        const u32 begin = csr_.begin(object);
        for (u32 ref = begin, end = std::min(csr_.end(object), begin + kAhead); ref < end; ++ref) {
            prefetch(&number_of_[csr_.targets[ref]]);
            prefetch(&csr_.first[csr_.targets[ref]]);
        }
        return number;
    }

    Status visit_from(u32 root) {
        if (number_of_[root] != kNo) {
            semi_[number_of_[root]] = 0;
            return Status::OK;
        }
        if (!frames_.push({enter(root, 0), csr_.begin(root)})) return Status::NO_MEMORY;
        while (!frames_.empty()) {
            Frame& frame = frames_.back();
            const u32 number = frame.number;
            if (frame.next_ref == csr_.end(order_[number - 1])) {
                frames_.pop();
                if (interrupt_.requested()) return Status::INTERRUPTED;
                continue;
            }
            const u32 ref = frame.next_ref++;
            if (is_set(skip_, ref)) continue;
            const u32 target = csr_.targets[ref];
            const u32 target_number = number_of_[target];
            if (target_number == kNo) {
                if (!frames_.push({enter(target, number), csr_.begin(target)})) return Status::NO_MEMORY;
            } else if (target_number > number) {
                semi_[target_number] = std::min(semi_[target_number], number);
            } else if (target_number < number) {
                if (late_.size() >= kMost) return Status::NO_MEMORY;
                if (!late_.push({number, target_number})) return Status::NO_MEMORY;
            }
        }
        return Status::OK;
    }

    // Counting sort of late_ by target: sources of number i are late_source_[late_first_[i] ..].
    bool group_late() {
        if (!late_first_.allocate_filled(std::size_t{count_} + 2, 0) || !late_source_.allocate(late_.size()))
            return false;
        for (std::size_t i = 0; i < late_.size(); ++i) ++late_first_[late_[i].target];
        u32 end = 0;
        for (u32 number = 0; number <= count_ + 1; ++number) {
            end += late_first_[number];
            late_first_[number] = end;
        }
        for (std::size_t i = 0; i < late_.size(); ++i) late_source_[--late_first_[late_[i].target]] = late_[i].source;
        late_.release();
        return true;
    }

    Status find_semidominators() {
        links_[0] = {0, 0};
        for (u32 number = count_; number != 0; --number) {
            if (interrupt_.requested()) return Status::INTERRUPTED;
            const u32 first = late_first_[number];
            u32 semi = semi_[number];
            for (u32 at = first, end = late_first_[number + 1]; at < end && semi != 0; ++at) {
                if (at >= kAhead) prefetch(&links_[late_source_[at - kAhead]]);
                u32 least = 0;
                if (!evaluate(late_source_[at], number, least)) return Status::NO_MEMORY;
                semi = std::min(semi, least);
            }
            semi_[number] = semi;
            links_[number] = {parent_[number], semi};
        }
        return Status::OK;
    }

    // Least semidominator from `number` up to, but without, its tree's root, which is the first ancestor
    // not greater than `last`; compresses the way.
    bool evaluate(u32 number, u32 last, u32& least) {
        least = links_[number].least;
        if (links_[number].up <= last) return true;
        path_.clear();
        u32 at = number;
        for (; links_[at].up > last; at = links_[at].up)
            if (!path_.push(at)) return false;
        const u32 root = links_[at].up;
        u32 so_far = links_[at].least;
        while (!path_.empty()) {
            Link& link = links_[path_.pop()];
            so_far = std::min(so_far, link.least);
            link = {root, so_far};
        }
        least = so_far;
        return true;
    }

    // links_ becomes the jump pointers, late_first_ the immediate dominators (by number).
    void find_dominators() {
        links_[0] = {0, 0};
        late_first_[0] = 0;
        for (u32 number = 1; number <= count_; ++number) {
            u32 at = parent_[number];
            while (at > semi_[number]) at = links_[at].up > semi_[number] ? links_[at].up : late_first_[at];
            late_first_[number] = at;

            const Link above = links_[at];
            const Link jump = links_[above.up];
            const bool spans_match = above.least - jump.least == jump.least - links_[jump.up].least;
            links_[number] = {spans_match ? jump.up : at, above.least + 1};
        }
        for (u32 number = 1; number <= count_; ++number) {
            const u32 idom = late_first_[number];
            number_of_[order_[number - 1]] = idom == 0 ? csr_.objects : order_[idom - 1];
        }
    }

    const Csr& csr_;
    const u8* skip_;
    u32* number_of_;  // the caller's out_idom: preorder numbers until the very end
    u32* order_;
    Interrupt& interrupt_;
    u32 count_ = 0;
    Array<u32> parent_, semi_, late_first_, late_source_, path_;
    Array<Frame> frames_;
    Array<Late> late_;
    Array<Link> links_;
};

}  // namespace

Status dominators(const Csr& csr, const u8* skip, Items roots, u32* out_idom, u32* out_order, u32& count,
                  Interrupt& interrupt) {
    return Search(csr, skip, out_idom, out_order, interrupt).run(roots, count);
}

template <typename Size>
void retained_sizes(const u32* idom, u32 objects, Items order, const Size* sizes, u64* out_retained) {
    std::fill_n(out_retained, std::size_t{objects} + 1, u64{0});
    for (u32 i = order.count; i-- != 0;) {
        const u32 object = order.items[i];
        out_retained[object] += sizes[object];
        out_retained[idom[object]] += out_retained[object];
    }
}

template void retained_sizes<u32>(const u32*, u32, Items, const u32*, u64*);
template void retained_sizes<u64>(const u32*, u32, Items, const u64*, u64*);

}  // namespace kernels
