// The cheapest set of slots that separates sources from sinks: maximum flow over slots.
//
// Only objects on some way from a source to a sink matter. Of those, what a source reaches by
// uncuttable references alone is the source, and what reaches a sink so is the sink: no cut can run
// there, and on heaps almost everything is one or the other. Between them each slot is an entry and an
// exit node joined by an arc of the slot's cost; its references are unlimited arcs to the entry and
// from the exit. That lets flow enter at one reference's source and leave at another's target, which is
// a way that exists if the slot has one source or one target; otherwise the cut is sufficient, but
// perhaps not the cheapest (the general problem is NP-hard).
#include "array.h"
#include "flow.h"
#include "kernels.h"

#include <algorithm>

namespace kernels {
namespace {

enum Mark : u8 {
    IS_SINK = 1,
    FIXED_TO_SOURCE = 2,  // reached from a source by uncuttable references alone
    LEADS_TO_SINK = 4,
    FIXED_TO_SINK = 8,
};

struct Slot {
    u32 entry, exit;
    u32 only_source, only_target;  // the latest one seen
    bool has_many_sources, has_many_targets;
};

class Cut {
  public:
    Cut(const Csr& csr, const CutQuery& query, CutResult& result, Interrupt& interrupt)
        : csr_(csr), query_(query), result_(result), interrupt_(interrupt) {}

    Status run() {
        result_.exists = true;
        result_.is_exact = true;
        result_.cost = 0;
        std::fill_n(result_.is_cut, query_.slot_costs.count, u8{0});
        if (const Status status = search_forward(); status != Status::OK) return status;
        if (!result_.exists) return Status::OK;
        if (const Status status = search_backward(); status != Status::OK) return status;
        if (const Status status = build_network(); status != Status::OK) return status;
        if (const Status status = network_.maximise(result_.cost, interrupt_); status != Status::OK) return status;
        return read_cut();
    }

  private:
    bool is_uncuttable(u32 ref) const {
        const u32 slot = query_.slot_of_ref[ref];
        return slot == kNo || query_.slot_costs.items[slot] == kUncuttable;
    }

    // Numbers what the sources reach: reached_ lists the objects, local_ gives the place in that list.
    // Those fixed to the source come first, because both searches share the list.
    Status search_forward() {
        if (!mark_.allocate_filled(csr_.objects, 0) || !local_.allocate_filled(csr_.objects, 0xFF) ||
            !reached_.allocate(csr_.objects))
            return Status::NO_MEMORY;
        for (u32 i = 0; i < query_.sinks.count; ++i) mark_[query_.sinks.items[i]] = IS_SINK;

        for (u32 i = 0; i < query_.sources.count; ++i) reach(query_.sources.items[i]);
        if (!spread(0, true)) return Status::INTERRUPTED;
        for (std::size_t i = 0; i < reached_.size(); ++i) {
            mark_[reached_[i]] |= FIXED_TO_SOURCE;
            if ((mark_[reached_[i]] & IS_SINK) != 0) result_.exists = false;
        }
        if (!result_.exists) return Status::OK;
        return spread(0, false) ? Status::OK : Status::INTERRUPTED;
    }

    void reach(u32 object) {
        if (local_[object] != kNo) return;
        local_[object] = static_cast<u32>(reached_.size());
        reached_.append(object);
    }

    bool spread(std::size_t from, bool only_uncuttable) {
        for (std::size_t at = from; at < reached_.size(); ++at) {
            if (interrupt_.requested()) return false;
            const u32 object = reached_[at];
            if ((mark_[object] & IS_SINK) != 0) continue;
            for (u32 ref = csr_.begin(object), end = csr_.end(object); ref < end; ++ref)
                if (!is_set(query_.skip, ref) && (!only_uncuttable || is_uncuttable(ref))) reach(csr_.targets[ref]);
        }
        return true;
    }

    // Marks what leads to a sink, over the reversed references of the reached objects.
    Status search_backward() {
        const std::size_t count = reached_.size();
        if (!back_first_.allocate_filled(count + 2, 0) || !queue_.allocate(count)) return Status::NO_MEMORY;
        for_each_reference([&](u32, u32 ref) { ++back_first_[local_[csr_.targets[ref]] + 2]; });
        for (std::size_t i = 2; i < count + 2; ++i) back_first_[i] += back_first_[i - 1];
        if (!back_ref_.allocate(back_first_[count + 1]) || !back_source_.allocate(back_first_[count + 1]))
            return Status::NO_MEMORY;
        for_each_reference([&](u32 local, u32 ref) {
            const u32 place = back_first_[local_[csr_.targets[ref]] + 1]++;
            back_source_[place] = local;
            back_ref_[place] = ref;
        });

        if (!spread_back(FIXED_TO_SINK) || !spread_back(LEADS_TO_SINK)) return Status::INTERRUPTED;
        queue_.release();
        back_first_.release();
        back_ref_.release();
        back_source_.release();
        return Status::OK;
    }

    template <typename Visit>
    void for_each_reference(Visit visit) const {
        for (u32 local = 0; local < reached_.size(); ++local) {
            const u32 object = reached_[local];
            if ((mark_[object] & IS_SINK) != 0) continue;
            for (u32 ref = csr_.begin(object), end = csr_.end(object); ref < end; ++ref)
                if (!is_set(query_.skip, ref)) visit(local, ref);
        }
    }

    bool spread_back(Mark mark) {
        queue_.clear();
        const auto lead = [&](u32 local) {
            u8& marks = mark_[reached_[local]];
            if ((marks & mark) != 0) return;
            marks |= mark;
            queue_.append(local);
        };
        for (u32 local = 0; local < reached_.size(); ++local)
            if ((mark_[reached_[local]] & IS_SINK) != 0) lead(local);
        for (std::size_t at = 0; at < queue_.size(); ++at) {
            if (interrupt_.requested()) return false;
            for (u32 place = back_first_[queue_[at]]; place < back_first_[queue_[at] + 1]; ++place)
                if (mark == LEADS_TO_SINK || is_uncuttable(back_ref_[place])) lead(back_source_[place]);
        }
        return true;
    }

    Status build_network() {
        u32 ignored = 0;
        if (!network_.add_node(ignored) || !network_.add_node(ignored)) return Status::NO_MEMORY;
        if (!slot_index_.allocate_filled(query_.slot_costs.count, 0xFF)) return Status::NO_MEMORY;
        // From here on local_ holds an object's node.
        for (std::size_t i = 0; i < reached_.size(); ++i) {
            const u32 object = reached_[i];
            u32& node = local_[object];
            if ((mark_[object] & FIXED_TO_SOURCE) != 0)
                node = FlowNetwork::kSource;
            else if ((mark_[object] & FIXED_TO_SINK) != 0)
                node = FlowNetwork::kSink;
            else if ((mark_[object] & LEADS_TO_SINK) == 0)
                node = kNo;
            else if (!network_.add_node(node))
                return Status::NO_MEMORY;
        }
        // Objects fixed to the source come first in reached_, so the references of each node are met
        // one after another, and a slot's latest source is enough to see each of its sources once.
        for (std::size_t i = 0; i < reached_.size(); ++i) {
            const u32 object = reached_[i];
            const u32 from = local_[object];
            if (from == kNo || from == FlowNetwork::kSink) continue;
            if (interrupt_.requested()) return Status::INTERRUPTED;
            for (u32 ref = csr_.begin(object), end = csr_.end(object); ref < end; ++ref) {
                if (is_set(query_.skip, ref)) continue;
                const u32 to = local_[csr_.targets[ref]];
                if (to == kNo || to == from || to == FlowNetwork::kSource) continue;
                const bool is_added = is_uncuttable(ref) ? network_.add_arc(from, to, FlowNetwork::kUnlimited)
                                                         : add_to_slot(query_.slot_of_ref[ref], from, to);
                if (!is_added) return Status::NO_MEMORY;
            }
        }
        for (std::size_t i = 0; i < slots_.size(); ++i)
            if (slots_[i].has_many_sources && slots_[i].has_many_targets) result_.is_exact = false;
        return Status::OK;
    }

    bool add_to_slot(u32 number, u32 from, u32 to) {
        if (slot_index_[number] == kNo) {
            Slot slot{0, 0, kNo, kNo, false, false};
            if (!network_.add_node(slot.entry) || !network_.add_node(slot.exit) ||
                !network_.add_arc(slot.entry, slot.exit, query_.slot_costs.items[number]))
                return false;
            slot_index_[number] = static_cast<u32>(slots_.size());
            if (!slots_.push(slot)) return false;
        }
        Slot& slot = slots_[slot_index_[number]];
        if (slot.only_source != from) {
            slot.has_many_sources |= slot.only_source != kNo;
            slot.only_source = from;
            if (!network_.add_arc(from, slot.entry, FlowNetwork::kUnlimited)) return false;
        }
        if (slot.only_target != to) {
            slot.has_many_targets |= slot.only_target != kNo;
            slot.only_target = to;
            if (!network_.add_arc(slot.exit, to, FlowNetwork::kUnlimited)) return false;
        }
        return true;
    }

    Status read_cut() {
        Array<u8> is_source_side;
        if (const Status status = network_.source_side(query_.nearest_to_sinks, is_source_side); status != Status::OK)
            return status;
        for (u32 number = 0; number < query_.slot_costs.count; ++number) {
            if (slot_index_[number] == kNo) continue;
            const Slot& slot = slots_[slot_index_[number]];
            result_.is_cut[number] = is_source_side[slot.entry] != 0 && is_source_side[slot.exit] == 0;
        }
        return Status::OK;
    }

    const Csr& csr_;
    const CutQuery& query_;
    CutResult& result_;
    Interrupt& interrupt_;
    FlowNetwork network_;
    Array<u8> mark_;
    Array<u32> local_, reached_, queue_, back_first_, back_source_, back_ref_, slot_index_;
    Array<Slot> slots_;
};

}  // namespace

Status min_cut(const Csr& csr, const CutQuery& query, CutResult& result, Interrupt& interrupt) {
    return Cut(csr, query, result, interrupt).run();
}

}  // namespace kernels
