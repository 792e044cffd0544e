// The graph algorithms. Arrays are checked (lengths, indices, no overlap) before any of them is called;
// a null mask has no item set. leakscan/analysis/graph/kernels.py documents each result.
#pragma once
#include "csr.h"

namespace kernels {

inline constexpr u16 kBlocked = 0xFFFF;
inline constexpr u32 kFarthest = 0xFFFFFFFE;
inline constexpr u32 kUncuttable = 0xFFFFFFFF;
inline constexpr u32 kOutside = 0xFFFFFFFE;
inline constexpr u32 kShared = 0xFFFFFFFD;
inline constexpr u32 kImmortalCount = 0xFFFFFFFF;
enum CollectorState : u8 { GARBAGE = 0, REACHED = 1, HELD_FROM_C = 2 };

struct Items {
    const u32* items;
    u32 count;
};

void reverse(const Csr& csr, u64* out_first, u32* out_sources, u32* out_refs);

struct PathQuery {
    const u16* costs;  // per reference, null: 1 each
    Items roots;
    const u32* root_costs;  // null: 0 each
    const u8* barriers;
};
struct PathResult {
    u32* distance;
    u32* parent_ref;
    u32* root;
    u32 reached;
};
Status shortest_paths(const Csr& csr, const PathQuery& query, PathResult& result, Interrupt& interrupt);

Status components(const Csr& csr, const u8* skip, const u8* members, u32* out_component, u32& count,
                  Interrupt& interrupt);

Status dominators(const Csr& csr, const u8* skip, Items roots, u32* out_idom, u32* out_order, u32& count,
                  Interrupt& interrupt);

template <typename Size>
void retained_sizes(const u32* idom, u32 objects, Items order, const Size* sizes, u64* out_retained);

Status reachable(const Csr& csr, const u8* skip, Items roots, const u8* barriers, u8* out_reached, u32& count,
                 Interrupt& interrupt);

Status owners(const Csr& csr, const u8* skip, Items roots, const u32* group_of_object, u32* out_owner,
              Interrupt& interrupt);

void count_in_references(const u32* targets, u32 references, const u8* counted, u32* out_counts);

struct CollectorQuery {
    const u8* skip;
    const u32* refcounts;
    Items roots;
    const u8* uncounted_roots;
};
Status collector_reachability(const Csr& csr, const CollectorQuery& query, u32* out_external, u8* out_state,
                              u32& overcounted, Interrupt& interrupt);

template <typename Size>
void census(const u32* keys, u32 items, const Size* sizes, const u8* members, u64* out_counts, u64* out_bytes);

struct CutQuery {
    const u8* skip;
    const u32* slot_of_ref;
    Items slot_costs;
    Items sources;
    Items sinks;
    bool nearest_to_sinks;
};
struct CutResult {
    u8* is_cut;  // per slot
    u64 cost;
    bool exists;
    bool is_exact;
};
Status min_cut(const Csr& csr, const CutQuery& query, CutResult& result, Interrupt& interrupt);

struct SetLimits {
    u32 sets;   // the empty one included
    u64 items;  // of all sets together
    u64 work;   // items looked at
};
struct SetQuery {
    const u32* component_of;  // per object; greater than those of all components it references
    u32 components;
    Items entries;           // objects that a slot leads to
    const u32* entry_slots;  // the slot, along `entries`
    u32 slots;
    SetLimits limits;
};
struct SetResult {
    u32* set_of;  // per object: kNo when a limit was reached
    u64* first;   // [limits.sets + 1]
    u32* items;   // [limits.items]
    u32 sets;
    bool is_whole;
};
Status holding_sets(const Csr& backward, const SetQuery& query, SetResult& result, Interrupt& interrupt);

}  // namespace kernels
