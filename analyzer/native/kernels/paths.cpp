// Cheapest paths from many roots: Dial's bucket queue, O(n + m) but for ordering each bucket.
//
// Paths are compared by distance, hops, root index, the place of the last source in this very order,
// and the place of the reference in that source. The first three are compared outright, and an entry
// loses only to a strictly smaller one. The rest is first come, first served: sources of different
// distance are settled in the order of their buckets, and those of the same distance, hops and root in
// the order they were pushed in, which by induction is this order. Only references of cost 0 need care:
// they add objects to the bucket that is being settled, so it is settled level by level of hops.
#include "breadth.h"
#include "bucket_queue.h"
#include "kernels.h"

#include <algorithm>

namespace kernels {
namespace {

// What is known of an object so far, in one place: it is looked up for every reference.
struct Best {
    u32 distance, hops, root;
    u32 ref;  // the reference it is reached by, kNo at a root
};

struct Entry {
    u32 hops;
    u32 object;
    u32 ref;  // differs from the object's when a better path was found since
};

class Search {
  public:
    Search(const Csr& csr, const PathQuery& query, PathResult& result, Interrupt& interrupt)
        : csr_(csr), query_(query), result_(result), interrupt_(interrupt) {}

    Status run() {
        if (!best_.allocate_filled(csr_.objects, 0xFF) || !queue_.allocate() || !order_roots())
            return Status::NO_MEMORY;
        u32 distance = 0;
        for (std::size_t next_root = 0;;) {
            const u32 queued = queue_.next(distance);
            const u32 rooted = next_root < root_order_.size() ? root_cost(root_order_[next_root]) : kNo;
            distance = std::min(queued, rooted);
            if (distance == kNo) break;
            for (; next_root < root_order_.size() && root_cost(root_order_[next_root]) == distance; ++next_root)
                if (!offer_root(distance, root_order_[next_root])) return Status::NO_MEMORY;
            if (const Status status = settle_distance(distance); status != Status::OK) return status;
            if (distance == kFarthest) break;
        }
        let_go_of_queues();
        write_result();
        return Status::OK;
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

    static bool is_better(const Best& a, const Best& b) {
        if (a.distance != b.distance) return a.distance < b.distance;
        if (a.hops != b.hops) return a.hops < b.hops;
        return a.root < b.root;
    }

    bool offer_root(u32 distance, u32 index) {
        const u32 object = query_.roots.items[index];
        const Best found{distance, 0, index, kNo};
        if (!is_better(found, best_[object])) return true;
        best_[object] = found;
        return queue_.push(distance, {object, kNo});
    }

    bool is_current(u32 object, u32 ref, u32 distance) const {
        return best_[object].ref == ref && best_[object].distance == distance;
    }

    void sort_batch_by_hops() {
        const auto before = [](const Entry& a, const Entry& b) { return a.hops < b.hops; };
        Entry* const end = batch_.data() + batch_.size();
        if (!std::is_sorted(batch_.data(), end, before)) std::stable_sort(batch_.data(), end, before);
    }

    // Settles all objects at one distance, hop level by hop level: references of cost 0 put objects of
    // the next level into `level_next_` while the bucket itself may hold objects of any level.
    Status settle_distance(u32 distance) {
        drained_.clear();
        batch_.clear();
        level_next_.clear();
        if (!queue_.drain(distance, drained_) || !drop_stale(distance)) return Status::NO_MEMORY;
        sort_batch_by_hops();
        for (std::size_t at = 0;;) {
            while (at < batch_.size() && !is_current(batch_[at].object, batch_[at].ref, distance)) ++at;
            if (at == batch_.size() && level_next_.empty()) return Status::OK;
            // What waits in level_next_ comes one level after the last, so before anything in the batch.
            const u32 hops = level_next_.empty() ? batch_[at].hops : next_hops_;
            level_.clear();
            for (; at < batch_.size() && batch_[at].hops == hops; ++at)
                if (is_current(batch_[at].object, batch_[at].ref, distance) && !level_.push(batch_[at]))
                    return Status::NO_MEMORY;
            // Their sources are at this very distance, so they come after those of the batch.
            for (std::size_t i = 0; i < level_next_.size(); ++i)
                if (is_current(level_next_[i].object, level_next_[i].ref, distance) && !level_.push(level_next_[i]))
                    return Status::NO_MEMORY;
            level_next_.clear();
            if (const Status status = settle_level(distance, hops); status != Status::OK) return status;
        }
    }

    bool drop_stale(u32 distance) {
        constexpr std::size_t kAhead = 16;
        for (std::size_t i = 0; i < drained_.size(); ++i) {
            if (i + kAhead < drained_.size()) prefetch(&best_[drained_[i + kAhead].object]);
            const auto [object, ref] = drained_[i];
            if (!is_current(object, ref, distance)) continue;
            if (!batch_.push({best_[object].hops, object, ref})) return false;
        }
        return true;
    }

    Status settle_level(u32 distance, u32 hops) {
        next_hops_ = hops + 1;
        for (std::size_t i = 0; i < level_.size(); ++i) {
            if (interrupt_.requested()) return Status::INTERRUPTED;
            look_ahead(csr_, level_, i, [](const Entry& entry) { return entry.object; }, best_.data());
            const u32 object = level_[i].object;
            if (!is_set(query_.barriers, object) && !relax(object, distance)) return Status::NO_MEMORY;
        }
        return Status::OK;
    }

    bool relax(u32 object, u32 distance) {
        const u32 root = best_[object].root;
        for (u32 ref = csr_.begin(object), end = csr_.end(object); ref < end; ++ref) {
            const u32 cost = query_.costs == nullptr ? 1 : query_.costs[ref];
            if (cost == kBlocked) continue;
            const u32 target = csr_.targets[ref];
            const u32 farther = cost > kFarthest - distance ? kFarthest : distance + cost;
            const Best found{farther, next_hops_, root, ref};
            if (!is_better(found, best_[target])) continue;
            best_[target] = found;
            const bool is_kept =
                farther == distance ? level_next_.push({next_hops_, target, ref}) : queue_.push(farther, {target, ref});
            if (!is_kept) return false;
        }
        return true;
    }

    // The caller's arrays get their pages only when they are written.
    void let_go_of_queues() {
        queue_.release();
        drained_.release();
        batch_.release();
        level_.release();
        level_next_.release();
    }

    void write_result() {
        result_.reached = 0;
        for (u32 i = 0; i < csr_.objects; ++i) {
            result_.distance[i] = best_[i].distance;
            result_.parent_ref[i] = best_[i].ref;
            result_.root[i] = best_[i].root;
            result_.reached += best_[i].distance != kNo;
        }
    }

    const Csr& csr_;
    const PathQuery& query_;
    PathResult& result_;
    Interrupt& interrupt_;
    BucketQueue queue_;
    Array<Best> best_;
    Array<u32> root_order_;
    Array<QueueEntry> drained_;
    Array<Entry> batch_, level_, level_next_;
    u32 next_hops_ = 0;
};

// Where every reference and root costs the same, first in first out is the order documented above.
Status breadth_first_paths(const Csr& csr, const PathQuery& query, PathResult& result, Interrupt& interrupt) {
    Array<u32> queue;
    if (!queue.allocate(csr.objects)) return Status::NO_MEMORY;
    std::fill_n(result.distance, csr.objects, kNo);
    std::fill_n(result.parent_ref, csr.objects, kNo);
    std::fill_n(result.root, csr.objects, kNo);
    const auto reach = [&](u32 object, u32 distance, u32 ref, u32 root) {
        if (result.distance[object] != kNo) return;
        result.distance[object] = distance;
        result.parent_ref[object] = ref;
        result.root[object] = root;
        queue.append(object);
    };
    for (u32 i = 0; i < query.roots.count; ++i) reach(query.roots.items[i], 0, kNo, i);
    const bool is_done = breadth_first(csr, queue, 0, result.distance, interrupt, [&](u32 object) {
        if (is_set(query.barriers, object)) return;
        const u32 distance = result.distance[object] + 1;
        const u32 root = result.root[object];
        for (u32 ref = csr.begin(object), end = csr.end(object); ref < end; ++ref)
            reach(csr.targets[ref], distance, ref, root);
    });
    result.reached = static_cast<u32>(queue.size());
    return is_done ? Status::OK : Status::INTERRUPTED;
}

}  // namespace

Status shortest_paths(const Csr& csr, const PathQuery& query, PathResult& result, Interrupt& interrupt) {
    if (query.costs == nullptr && query.root_costs == nullptr)
        return breadth_first_paths(csr, query, result, interrupt);
    return Search(csr, query, result, interrupt).run();
}

}  // namespace kernels
