// For each object the set of slots that keep it alive: sets are unions along the condensation, each stored
// once (hash-consing, Ershov 1958), so that objects with the same set share one number. About linear in
// n + m where sets are few; `most_sets`, `most_items` and `most_work` bound what a hostile heap can ask for.
#include "array.h"
#include "kernels.h"

#include <algorithm>

namespace kernels {
namespace {

u64 mixed(u64 hash, u64 value) {
    hash ^= value + 0x9E3779B97F4A7C15ull + (hash << 6) + (hash >> 2);
    return hash * 0xFF51AFD7ED558CCDull;
}

// The sets made so far; number 0 is the empty one.
class Sets {
  public:
    Sets(const SetLimits& limits, u64* out_first, u32* out_items)
        : limits_(limits), first_(out_first), items_(out_items) {}

    bool allocate() {
        std::size_t places = 16;
        while (places < 2 * static_cast<std::size_t>(limits_.sets) + 2) places *= 2;
        mask_ = places - 1;
        if (!table_.allocate_filled(places, 0xFF)) return false;
        first_[0] = first_[1] = 0;
        count_ = 1;
        return true;
    }

    // The number of this sorted set, kNo when one more is not allowed.
    u32 number_of(const u32* items, std::size_t size) {
        if (size == 0) return 0;
        u64 hash = size;
        for (std::size_t i = 0; i < size; ++i) hash = mixed(hash, items[i]);
        std::size_t place = static_cast<std::size_t>(hash ^ (hash >> 32)) & mask_;
        for (; table_[place] != kNo; place = (place + 1) & mask_) {
            const u32 known = table_[place];
            const u64 begin = first_[known];
            if (first_[known + 1] - begin == size && std::equal(items, items + size, items_ + begin)) return known;
        }
        const u64 end = first_[count_];
        if (count_ >= limits_.sets || end + size > limits_.items) return kNo;
        std::copy(items, items + size, items_ + end);
        table_[place] = count_;
        first_[++count_] = end + size;
        return count_ - 1;
    }

    const u32* begin(u32 set) const { return items_ + first_[set]; }
    const u32* end(u32 set) const { return items_ + first_[set + 1]; }
    u32 count() const { return count_; }

  private:
    const SetLimits& limits_;
    u64* first_;
    u32* items_;
    Array<u32> table_;
    std::size_t mask_ = 0;
    u32 count_ = 0;
};

// Unions of two sets that were made before: a chain beside another asks for the same one again and again.
class Pairs {
  public:
    bool allocate() { return keys_.allocate_filled(kPlaces, 0) && values_.allocate(kPlaces); }

    u32* find(u32 one, u32 other) {
        const u64 key = one < other ? (static_cast<u64>(one) << 32) | other : (static_cast<u64>(other) << 32) | one;
        const std::size_t place = static_cast<std::size_t>(mixed(1, key) >> 20) & (kPlaces - 1);
        is_known_ = keys_[place] == key;
        keys_[place] = key;
        return &values_[place];
    }
    bool is_known() const { return is_known_; }

  private:
    static constexpr std::size_t kPlaces = 1u << 14;
    Array<u64> keys_;
    Array<u32> values_;
    bool is_known_ = false;
};

// Items by component, `first[c]` .. `first[c + 1] - 1` of `order`.
bool by_component(const u32* component_of, u32 count, u32 components, Array<u32>& first, Array<u32>& order) {
    if (!first.allocate_filled(static_cast<std::size_t>(components) + 2, 0) || !order.allocate(count)) return false;
    for (u32 i = 0; i < count; ++i) ++first[component_of[i] + 2];
    for (u32 c = 2; c <= components; ++c) first[c] += first[c - 1];
    for (u32 i = 0; i < count; ++i) order[first[component_of[i] + 1]++] = i;
    return true;
}

}  // namespace

Status holding_sets(const Csr& backward, const SetQuery& query, SetResult& result, Interrupt& interrupt) {
    const u32 components = query.components;
    Array<u32> first, order, entry_first, entry_order, entry_component, set_of, set_seen, slot_seen, parts, joined;
    Sets sets(query.limits, result.first, result.items);
    Pairs pairs;
    if (!entry_component.allocate(query.entries.count)) return Status::NO_MEMORY;
    for (u32 i = 0; i < query.entries.count; ++i) entry_component[i] = query.component_of[query.entries.items[i]];
    if (!by_component(query.component_of, backward.objects, components, first, order) ||
        !by_component(entry_component.data(), query.entries.count, components, entry_first, entry_order) ||
        !set_of.allocate_filled(components, 0) || !set_seen.allocate_zeroed(query.limits.sets) ||
        !slot_seen.allocate_zeroed(query.slots) || !sets.allocate() || !pairs.allocate())
        return Status::NO_MEMORY;

    u64 work = 0;
    bool is_whole = true;
    // A component's number is greater than those of all that it references: holders come first.
    for (u32 component = components; component-- > 0;) {
        parts.clear();
        joined.clear();
        bool is_over = false;
        for (u32 at = first[component]; at < first[component + 1]; ++at) {
            const u32 object = order[at];
            for (u32 e = backward.begin(object); e < backward.end(object); ++e) {
                if (interrupt.requested()) return Status::INTERRUPTED;
                const u32 holder = query.component_of[backward.targets[e]];
                if (holder == component) continue;
                const u32 set = set_of[holder];
                if (set == kNo) {
                    is_over = true;
                } else if (set != 0 && set_seen[set] != component + 1) {
                    set_seen[set] = component + 1;
                    if (!parts.push(set)) return Status::NO_MEMORY;
                }
            }
        }
        const u32 entry_begin = entry_first[component], entry_end = entry_first[component + 1];
        if (is_over || work > query.limits.work) {
            set_of[component] = kNo;
            is_whole = false;
            continue;
        }
        const bool has_entries = entry_begin != entry_end;
        if (!has_entries && parts.size() <= 1) {
            set_of[component] = parts.empty() ? 0 : parts[0];
            continue;
        }
        u32* remembered = nullptr;
        if (!has_entries && parts.size() == 2) {
            remembered = pairs.find(parts[0], parts[1]);
            if (pairs.is_known()) {
                set_of[component] = *remembered;
                is_whole = is_whole && *remembered != kNo;
                continue;
            }
        }
        const auto add = [&](u32 slot) {
            if (slot_seen[slot] == component + 1) return true;
            slot_seen[slot] = component + 1;
            return joined.push(slot);
        };
        for (u32 at = entry_begin; at < entry_end; ++at)
            if (!add(query.entry_slots[entry_order[at]])) return Status::NO_MEMORY;
        for (std::size_t i = 0; i < parts.size(); ++i) {
            work += static_cast<u64>(sets.end(parts[i]) - sets.begin(parts[i]));
            for (const u32* slot = sets.begin(parts[i]); slot != sets.end(parts[i]); ++slot)
                if (!add(*slot)) return Status::NO_MEMORY;
        }
        work += joined.size();
        std::sort(joined.data(), joined.data() + joined.size());
        const u32 set = sets.number_of(joined.data(), joined.size());
        if (remembered != nullptr) *remembered = set;
        set_of[component] = set;
        is_whole = is_whole && set != kNo;
    }
    for (u32 object = 0; object < backward.objects; ++object)
        result.set_of[object] = set_of[query.component_of[object]];
    result.sets = sets.count();
    result.is_whole = is_whole;
    return Status::OK;
}

}  // namespace kernels
