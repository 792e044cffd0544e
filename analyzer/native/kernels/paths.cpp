// Cheapest paths from many roots: Dial's bucket queue, O(n + m) but for ordering each bucket.
//
// Paths are compared by distance, hops, root index, the place of the last source in this very order,
// and the place of the reference in that source. Objects are settled in exactly this order. Pushes
// happen in settling order, so a bucket already lists its entries by (source's place, reference's
// place); it only has to be sorted, stably, by hops and root. An entry loses only to a strictly
// smaller (distance, hops, root), which keeps the first of equals.
#include "bucket_queue.h"
#include "kernels.h"

#include <algorithm>

namespace kernels {
namespace {

class Search {
  public:
    Search(const Csr& csr, const PathQuery& query, PathResult& result, Interrupt& interrupt)
        : csr_(csr), query_(query), result_(result), interrupt_(interrupt) {}

    Status run() {
        if (!hops_.allocate(csr_.objects) || !queue_.allocate() || !order_roots()) return Status::NO_MEMORY;
        std::fill_n(result_.distance, csr_.objects, kNo);
        std::fill_n(result_.parent_ref, csr_.objects, kNo);
        std::fill_n(result_.root, csr_.objects, kNo);
        result_.reached = 0;

        u32 distance = 0;
        for (std::size_t next_root = 0;;) {
            const u32 queued = queue_.next(distance);
            const u32 rooted = next_root < root_order_.size() ? root_cost(root_order_[next_root]) : kNo;
            distance = std::min(queued, rooted);
            if (distance == kNo) return Status::OK;
            for (; next_root < root_order_.size() && root_cost(root_order_[next_root]) == distance; ++next_root)
                if (!offer_root(distance, root_order_[next_root])) return Status::NO_MEMORY;
            if (const Status status = settle_distance(distance); status != Status::OK) return status;
            if (distance == kFarthest) return Status::OK;
        }
    }

  private:
    u32 root_cost(u32 index) const { return query_.root_costs == nullptr ? 0 : query_.root_costs[index]; }

    bool order_roots() {
        if (!root_order_.allocate(query_.roots.count)) return false;
        for (u32 i = 0; i < query_.roots.count; ++i)
            if (root_cost(i) != kNo) root_order_.append(i);
        if (query_.root_costs != nullptr)
            std::sort(root_order_.data(), root_order_.data() + root_order_.size(), [this](u32 a, u32 b) {
                return root_cost(a) != root_cost(b) ? root_cost(a) < root_cost(b) : a < b;
            });
        return true;
    }

    bool is_better(u32 object, u32 distance, u32 hops, u32 root) const {
        if (distance != result_.distance[object]) return distance < result_.distance[object];
        if (hops != hops_[object]) return hops < hops_[object];
        return root < result_.root[object];
    }

    void assign(u32 object, u32 distance, u32 hops, u32 root, u32 ref) {
        if (result_.distance[object] == kNo) ++result_.reached;
        result_.distance[object] = distance;
        hops_[object] = hops;
        result_.root[object] = root;
        result_.parent_ref[object] = ref;
    }

    bool offer_root(u32 distance, u32 index) {
        const u32 object = query_.roots.items[index];
        if (!is_better(object, distance, 0, index)) return true;
        assign(object, distance, 0, index, kNo);
        return queue_.push(distance, {object, kNo});
    }

    bool is_current(QueueEntry entry, u32 distance) const {
        return result_.parent_ref[entry.object] == entry.ref && result_.distance[entry.object] == distance;
    }

    u64 sort_key(QueueEntry entry) const {
        return u64{hops_[entry.object]} << 32 | result_.root[entry.object];
    }

    void sort_entries(QueueEntry* from, QueueEntry* to) const {
        const auto before = [this](QueueEntry a, QueueEntry b) { return sort_key(a) < sort_key(b); };
        if (!std::is_sorted(from, to, before)) std::stable_sort(from, to, before);
    }

    // Settles all objects at one distance, hop level by hop level: references of cost 0 put objects of
    // the next level into `level_next_` while the bucket itself may hold objects of any level.
    Status settle_distance(u32 distance) {
        batch_.clear();
        if (!queue_.drain(distance, batch_)) return Status::NO_MEMORY;
        drop_stale(distance);
        sort_entries(batch_.data(), batch_.data() + batch_.size());
        level_next_.clear();
        for (std::size_t at = 0;;) {
            while (at < batch_.size() && !is_current(batch_[at], distance)) ++at;
            if (at == batch_.size() && level_next_.empty()) return Status::OK;
            u32 hops = kNo;
            if (at < batch_.size()) hops = hops_[batch_[at].object];
            if (!level_next_.empty()) hops = std::min(hops, zero_hops_);

            level_.clear();
            for (; at < batch_.size(); ++at) {
                if (!is_current(batch_[at], distance)) continue;
                if (hops_[batch_[at].object] != hops) break;
                if (!level_.push(batch_[at])) return Status::NO_MEMORY;
            }
            if (!level_next_.empty() && zero_hops_ == hops) {
                for (std::size_t i = 0; i < level_next_.size(); ++i)
                    if (is_current(level_next_[i], distance) && !level_.push(level_next_[i]))
                        return Status::NO_MEMORY;
                level_next_.clear();
                sort_entries(level_.data(), level_.data() + level_.size());
            }
            if (const Status status = settle_level(distance, hops); status != Status::OK) return status;
        }
    }

    void drop_stale(u32 distance) {
        const std::size_t count = batch_.size();
        batch_.clear();
        for (std::size_t i = 0; i < count; ++i)
            if (is_current(batch_[i], distance)) batch_.append(batch_[i]);
    }

    Status settle_level(u32 distance, u32 hops) {
        zero_hops_ = hops + 1;
        for (std::size_t i = 0; i < level_.size(); ++i) {
            if (interrupt_.requested()) return Status::INTERRUPTED;
            const u32 object = level_[i].object;
            if (is_set(query_.barriers, object)) continue;
            if (!relax(object, distance, hops)) return Status::NO_MEMORY;
        }
        return Status::OK;
    }

    bool relax(u32 object, u32 distance, u32 hops) {
        const u32 root = result_.root[object];
        for (u32 ref = csr_.begin(object), end = csr_.end(object); ref < end; ++ref) {
            const u32 cost = query_.costs == nullptr ? 1 : query_.costs[ref];
            if (cost == kBlocked) continue;
            const u32 target = csr_.targets[ref];
            const u32 farther = cost > kFarthest - distance ? kFarthest : distance + cost;
            if (!is_better(target, farther, hops + 1, root)) continue;
            assign(target, farther, hops + 1, root, ref);
            const bool kept = farther == distance ? level_next_.push({target, ref})
                                                  : queue_.push(farther, {target, ref});
            if (!kept) return false;
        }
        return true;
    }

    const Csr& csr_;
    const PathQuery& query_;
    PathResult& result_;
    Interrupt& interrupt_;
    BucketQueue queue_;
    Array<u32> hops_, root_order_;
    Array<QueueEntry> batch_, level_, level_next_;
    u32 zero_hops_ = 0;
};

}  // namespace

Status shortest_paths(const Csr& csr, const PathQuery& query, PathResult& result, Interrupt& interrupt) {
    return Search(csr, query, result, interrupt).run();
}

}  // namespace kernels
