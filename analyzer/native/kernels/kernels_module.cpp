// Doors of the kernels part: each entry checks its arrays and calls one function.
//
// Contract of every door: reads and writes only the arrays it is given; holds the GIL while checking,
// releases it while working; allocates with malloc and answers MemoryError. Arrays of a wrong length,
// indices out of range and outputs that overlap another array are a ValueError before anything is
// written. Nothing may write to the arrays meanwhile.
#include "doors.h"

#include <cstring>

namespace {

using namespace kernels;

PyObject* none_or_error(bool is_done) {
    if (!is_done) return nullptr;
    Py_INCREF(Py_None);
    return Py_None;
}

// reverse_csr(first_ref, targets, out_first[n + 1], out_sources[m], out_refs[m])
PyObject* reverse_door(PyObject*, PyObject* args) {
    PyObject *first, *targets, *out_first, *out_sources, *out_refs;
    if (!PyArg_ParseTuple(args, "OOOOO:reverse_csr", &first, &targets, &out_first, &out_sources, &out_refs))
        return nullptr;
    Ranges ranges;
    CsrArrays graph;
    Buffer<u64> back_first;
    Buffer<u32> sources, refs;
    if (!graph.read_from(first, targets, ranges)) return nullptr;
    const std::size_t objects = graph.csr.objects;
    const std::size_t references = graph.csr.references;
    if (!write(back_first, out_first, "out_first", objects + 1, ranges) ||
        !write(sources, out_sources, "out_sources", references, ranges) ||
        !write(refs, out_refs, "out_refs", references, ranges))
        return nullptr;
    return none_or_error(run_unlocked([&](Interrupt&) {
        reverse(graph.csr, back_first.data(), sources.data(), refs.data());
        return Status::OK;
    }));
}

// shortest_paths(first_ref, targets, costs[m] | None, roots, root_costs | None, barriers[n] | None,
//                out_distance[n], out_parent_ref[n], out_root[n]) -> number of objects reached
PyObject* shortest_paths_door(PyObject*, PyObject* args) {
    PyObject *first, *targets, *costs, *roots, *root_costs, *barriers, *out_distance, *out_ref, *out_root;
    if (!PyArg_ParseTuple(args, "OOOOOOOOO:shortest_paths", &first, &targets, &costs, &roots, &root_costs, &barriers,
                          &out_distance, &out_ref, &out_root))
        return nullptr;
    Ranges ranges;
    CsrArrays graph;
    ItemArray root_items;
    Buffer<u16> cost_items;
    Buffer<u8> barrier_items;
    Buffer<u32> root_cost_items, distance, parent_ref, root;
    if (!graph.read_from(first, targets, ranges)) return nullptr;
    const std::size_t objects = graph.csr.objects;
    PathQuery query{};
    if (!root_items.read_from(roots, "roots", objects, ranges)) return nullptr;
    query.roots = root_items.items();
    if (!read_optional(cost_items, query.costs, costs, "costs", graph.csr.references, ranges) ||
        !read_optional(root_cost_items, query.root_costs, root_costs, "root_costs", query.roots.count, ranges) ||
        !read_optional(barrier_items, query.barriers, barriers, "barriers", objects, ranges) ||
        !write(distance, out_distance, "out_distance", objects, ranges) ||
        !write(parent_ref, out_ref, "out_parent_ref", objects, ranges) ||
        !write(root, out_root, "out_root", objects, ranges))
        return nullptr;
    PathResult result{distance.data(), parent_ref.data(), root.data(), 0};
    if (!run_unlocked([&](Interrupt& interrupt) { return shortest_paths(graph.csr, query, result, interrupt); }))
        return nullptr;
    return PyLong_FromUnsignedLong(result.reached);
}

// components(first_ref, targets, skip_refs[m] | None, members[n] | None, out_component[n]) -> count
PyObject* components_door(PyObject*, PyObject* args) {
    PyObject *first, *targets, *skip, *members, *out_component;
    if (!PyArg_ParseTuple(args, "OOOOO:components", &first, &targets, &skip, &members, &out_component)) return nullptr;
    Ranges ranges;
    CsrArrays graph;
    Buffer<u8> skip_items, member_items;
    Buffer<u32> component;
    const u8 *skip_mask, *member_mask;
    if (!graph.read_from(first, targets, ranges) ||
        !read_optional(skip_items, skip_mask, skip, "skip_refs", graph.csr.references, ranges) ||
        !read_optional(member_items, member_mask, members, "members", graph.csr.objects, ranges) ||
        !write(component, out_component, "out_component", graph.csr.objects, ranges))
        return nullptr;
    u32 count = 0;
    if (!run_unlocked([&](Interrupt& interrupt) {
            return components(graph.csr, skip_mask, member_mask, component.data(), count, interrupt);
        }))
        return nullptr;
    return PyLong_FromUnsignedLong(count);
}

// dominators(first_ref, targets, skip_refs[m] | None, roots, out_idom[n], out_order[n]) -> reached
PyObject* dominators_door(PyObject*, PyObject* args) {
    PyObject *first, *targets, *skip, *roots, *out_idom, *out_order;
    if (!PyArg_ParseTuple(args, "OOOOOO:dominators", &first, &targets, &skip, &roots, &out_idom, &out_order))
        return nullptr;
    Ranges ranges;
    CsrArrays graph;
    ItemArray root_items;
    Buffer<u8> skip_items;
    Buffer<u32> idom, order;
    const u8* skip_mask;
    if (!graph.read_from(first, targets, ranges) ||
        !read_optional(skip_items, skip_mask, skip, "skip_refs", graph.csr.references, ranges) ||
        !root_items.read_from(roots, "roots", graph.csr.objects, ranges) ||
        !write(idom, out_idom, "out_idom", graph.csr.objects, ranges) ||
        !write(order, out_order, "out_order", graph.csr.objects, ranges))
        return nullptr;
    u32 count = 0;
    if (!run_unlocked([&](Interrupt& interrupt) {
            return dominators(graph.csr, skip_mask, root_items.items(), idom.data(), order.data(), count, interrupt);
        }))
        return nullptr;
    return PyLong_FromUnsignedLong(count);
}

template <typename Size>
PyObject* retain(PyObject* sizes, const Buffer<u32>& idom, Items order, Buffer<u64>& retained, Ranges& ranges) {
    Buffer<Size> size_items;
    if (!read(size_items, sizes, "sizes", idom.size(), ranges)) return nullptr;
    return none_or_error(run_unlocked([&](Interrupt&) {
        retained_sizes(idom.data(), static_cast<u32>(idom.size()), order, size_items.data(), retained.data());
        return Status::OK;
    }));
}

// Item size of a buffer that may be u32 or u64; 0 with an exception set.
std::size_t item_bytes(PyObject* source) {
    Py_buffer view;
    if (PyObject_GetBuffer(source, &view, PyBUF_C_CONTIGUOUS) < 0) return 0;
    const Py_ssize_t bytes = view.itemsize;
    PyBuffer_Release(&view);
    return static_cast<std::size_t>(bytes);
}

// retained_sizes(idom[n], order, sizes[n] u32 or u64, out_retained[n + 1])
PyObject* retained_sizes_door(PyObject*, PyObject* args) {
    PyObject *idom, *order, *sizes, *out_retained;
    if (!PyArg_ParseTuple(args, "OOOO:retained_sizes", &idom, &order, &sizes, &out_retained)) return nullptr;
    Ranges ranges;
    Buffer<u32> idom_items;
    ItemArray order_items;
    Buffer<u64> retained;
    if (!read(idom_items, idom, "idom", kAnyLength, ranges) ||
        !check_indices(idom_items, idom_items.size() + 1, true, "idom") ||
        !order_items.read_from(order, "order", idom_items.size(), ranges) ||
        !write(retained, out_retained, "out_retained", idom_items.size() + 1, ranges))
        return nullptr;
    // An object that is not reached has no dominator to add to.
    for (std::size_t i = 0; i < order_items.buffer.size(); ++i)
        if (idom_items[order_items.buffer[i]] == kNo) {
            PyErr_SetString(PyExc_ValueError, "order: lists an object without a dominator");
            return nullptr;
        }
    const std::size_t bytes = item_bytes(sizes);
    if (bytes == 0) return nullptr;
    if (bytes == sizeof(u64)) return retain<u64>(sizes, idom_items, order_items.items(), retained, ranges);
    return retain<u32>(sizes, idom_items, order_items.items(), retained, ranges);
}

// reachable(first_ref, targets, skip_refs[m] | None, roots, barriers[n] | None, out_reached[n]) -> count
PyObject* reachable_door(PyObject*, PyObject* args) {
    PyObject *first, *targets, *skip, *roots, *barriers, *out_reached;
    if (!PyArg_ParseTuple(args, "OOOOOO:reachable", &first, &targets, &skip, &roots, &barriers, &out_reached))
        return nullptr;
    Ranges ranges;
    CsrArrays graph;
    ItemArray root_items;
    Buffer<u8> skip_items, barrier_items, reached;
    const u8 *skip_mask, *barrier_mask;
    if (!graph.read_from(first, targets, ranges) ||
        !read_optional(skip_items, skip_mask, skip, "skip_refs", graph.csr.references, ranges) ||
        !root_items.read_from(roots, "roots", graph.csr.objects, ranges) ||
        !read_optional(barrier_items, barrier_mask, barriers, "barriers", graph.csr.objects, ranges) ||
        !write(reached, out_reached, "out_reached", graph.csr.objects, ranges))
        return nullptr;
    u32 count = 0;
    if (!run_unlocked([&](Interrupt& interrupt) {
            return reachable(graph.csr, skip_mask, root_items.items(), barrier_mask, reached.data(), count, interrupt);
        }))
        return nullptr;
    return PyLong_FromUnsignedLong(count);
}

// owners(first_ref, targets, skip_refs[m] | None, roots, group_of_object[n], out_owner[n])
PyObject* owners_door(PyObject*, PyObject* args) {
    PyObject *first, *targets, *skip, *roots, *groups, *out_owner;
    if (!PyArg_ParseTuple(args, "OOOOOO:owners", &first, &targets, &skip, &roots, &groups, &out_owner)) return nullptr;
    Ranges ranges;
    CsrArrays graph;
    ItemArray root_items;
    Buffer<u8> skip_items;
    Buffer<u32> group_items, owner;
    const u8* skip_mask;
    if (!graph.read_from(first, targets, ranges) ||
        !read_optional(skip_items, skip_mask, skip, "skip_refs", graph.csr.references, ranges) ||
        !root_items.read_from(roots, "roots", graph.csr.objects, ranges) ||
        !read(group_items, groups, "group_of_object", graph.csr.objects, ranges) ||
        !check_indices(group_items, kShared, true, "group_of_object") ||
        !write(owner, out_owner, "out_owner", graph.csr.objects, ranges))
        return nullptr;
    return none_or_error(run_unlocked([&](Interrupt& interrupt) {
        return owners(graph.csr, skip_mask, root_items.items(), group_items.data(), owner.data(), interrupt);
    }));
}

// count_in_references(targets, counted[m] | None, out_counts[n])
PyObject* count_in_references_door(PyObject*, PyObject* args) {
    PyObject *targets, *counted, *out_counts;
    if (!PyArg_ParseTuple(args, "OOO:count_in_references", &targets, &counted, &out_counts)) return nullptr;
    Ranges ranges;
    Buffer<u32> target_items, counts;
    Buffer<u8> counted_items;
    const u8* counted_mask;
    if (!read(target_items, targets, "targets", kAnyLength, ranges) ||
        !read_optional(counted_items, counted_mask, counted, "counted", target_items.size(), ranges) ||
        !write(counts, out_counts, "out_counts", kAnyLength, ranges) ||
        !check_indices(target_items, counts.size(), false, "targets"))
        return nullptr;
    return none_or_error(run_unlocked([&](Interrupt&) {
        std::memset(counts.data(), 0, counts.size() * sizeof(u32));
        count_in_references(target_items.data(), static_cast<u32>(target_items.size()), counted_mask, counts.data());
        return Status::OK;
    }));
}

// collector_reachability(first_ref, targets, skip_refs[m] | None, refcounts[n], roots,
//                        uncounted_roots | None, out_external[n], out_state[n]) -> overcounted objects
PyObject* collector_reachability_door(PyObject*, PyObject* args) {
    PyObject *first, *targets, *skip, *refcounts, *roots, *uncounted, *out_external, *out_state;
    if (!PyArg_ParseTuple(args, "OOOOOOOO:collector_reachability", &first, &targets, &skip, &refcounts, &roots,
                          &uncounted, &out_external, &out_state))
        return nullptr;
    Ranges ranges;
    CsrArrays graph;
    ItemArray root_items;
    Buffer<u8> skip_items, uncounted_items, state;
    Buffer<u32> refcount_items, external;
    if (!graph.read_from(first, targets, ranges)) return nullptr;
    const std::size_t objects = graph.csr.objects;
    CollectorQuery query{};
    if (!root_items.read_from(roots, "roots", objects, ranges)) return nullptr;
    query.roots = root_items.items();
    if (!read_optional(skip_items, query.skip, skip, "skip_refs", graph.csr.references, ranges) ||
        !read(refcount_items, refcounts, "refcounts", objects, ranges) ||
        !read_optional(uncounted_items, query.uncounted_roots, uncounted, "uncounted_roots", query.roots.count,
                       ranges) ||
        !write(external, out_external, "out_external", objects, ranges) ||
        !write(state, out_state, "out_state", objects, ranges))
        return nullptr;
    query.refcounts = refcount_items.data();
    u32 overcounted = 0;
    if (!run_unlocked([&](Interrupt& interrupt) {
            return collector_reachability(graph.csr, query, external.data(), state.data(), overcounted, interrupt);
        }))
        return nullptr;
    return PyLong_FromUnsignedLong(overcounted);
}

template <typename Size>
PyObject* take_census(PyObject* sizes, const Buffer<u32>& keys, const u8* members, Buffer<u64>& counts,
                      Buffer<u64>& bytes, Ranges& ranges) {
    Buffer<Size> size_items;
    if (!read(size_items, sizes, "sizes", keys.size(), ranges)) return nullptr;
    return none_or_error(run_unlocked([&](Interrupt&) {
        std::memset(counts.data(), 0, counts.size() * sizeof(u64));
        std::memset(bytes.data(), 0, bytes.size() * sizeof(u64));
        census(keys.data(), static_cast<u32>(keys.size()), size_items.data(), members, counts.data(), bytes.data());
        return Status::OK;
    }));
}

// census(keys, sizes u32 or u64, members | None, out_counts[k], out_bytes[k])
PyObject* census_door(PyObject*, PyObject* args) {
    PyObject *keys, *sizes, *members, *out_counts, *out_bytes;
    if (!PyArg_ParseTuple(args, "OOOOO:census", &keys, &sizes, &members, &out_counts, &out_bytes)) return nullptr;
    Ranges ranges;
    Buffer<u32> key_items;
    Buffer<u8> member_items;
    Buffer<u64> counts, bytes;
    const u8* member_mask;
    if (!read(key_items, keys, "keys", kAnyLength, ranges) ||
        !read_optional(member_items, member_mask, members, "members", key_items.size(), ranges) ||
        !write(counts, out_counts, "out_counts", kAnyLength, ranges) ||
        !write(bytes, out_bytes, "out_bytes", counts.size(), ranges) ||
        !check_indices(key_items, counts.size(), false, "keys"))
        return nullptr;
    const std::size_t size_bytes = item_bytes(sizes);
    if (size_bytes == 0) return nullptr;
    if (size_bytes == sizeof(u64)) return take_census<u64>(sizes, key_items, member_mask, counts, bytes, ranges);
    return take_census<u32>(sizes, key_items, member_mask, counts, bytes, ranges);
}

bool check_slot_costs(const Buffer<u32>& costs) {
    if (costs.size() > u64{1} << 31) {
        PyErr_SetString(PyExc_ValueError, "slot_costs: more than 2147483648 slots");
        return false;
    }
    for (std::size_t i = 0; i < costs.size(); ++i)
        if (costs[i] == 0) {
            PyErr_SetString(PyExc_ValueError, "slot_costs: every slot must cost at least 1");
            return false;
        }
    return true;
}

// min_cut(first_ref, targets, skip_refs[m] | None, slot_of_ref[m], slot_costs, sources, sinks,
//         nearest_to_sinks, out_cut[slots]) -> (cost, or -1 when no cut exists; whether it is exact)
PyObject* min_cut_door(PyObject*, PyObject* args) {
    PyObject *first, *targets, *skip, *slot_of_ref, *slot_costs, *sources, *sinks, *out_cut;
    int nearest_to_sinks = 0;
    if (!PyArg_ParseTuple(args, "OOOOOOOpO:min_cut", &first, &targets, &skip, &slot_of_ref, &slot_costs, &sources,
                          &sinks, &nearest_to_sinks, &out_cut))
        return nullptr;
    Ranges ranges;
    CsrArrays graph;
    ItemArray source_items, sink_items;
    Buffer<u8> skip_items, cut;
    Buffer<u32> slot_items, cost_items;
    CutQuery query{};
    if (!graph.read_from(first, targets, ranges) ||
        !read_optional(skip_items, query.skip, skip, "skip_refs", graph.csr.references, ranges) ||
        !read(slot_items, slot_of_ref, "slot_of_ref", graph.csr.references, ranges) ||
        !read(cost_items, slot_costs, "slot_costs", kAnyLength, ranges) ||
        !check_indices(slot_items, cost_items.size(), true, "slot_of_ref") || !check_slot_costs(cost_items) ||
        !source_items.read_from(sources, "sources", graph.csr.objects, ranges) ||
        !sink_items.read_from(sinks, "sinks", graph.csr.objects, ranges) ||
        !write(cut, out_cut, "out_cut", cost_items.size(), ranges))
        return nullptr;
    query.slot_of_ref = slot_items.data();
    query.slot_costs = {cost_items.data(), static_cast<u32>(cost_items.size())};
    query.sources = source_items.items();
    query.sinks = sink_items.items();
    query.nearest_to_sinks = nearest_to_sinks != 0;
    CutResult result{cut.data(), 0, true, true};
    if (!run_unlocked([&](Interrupt& interrupt) { return min_cut(graph.csr, query, result, interrupt); }))
        return nullptr;
    PyObject* const is_exact = result.is_exact ? Py_True : Py_False;
    if (!result.exists) return Py_BuildValue("(iO)", -1, is_exact);
    return Py_BuildValue("(KO)", static_cast<unsigned long long>(result.cost), is_exact);
}

// holding_sets(back_first[n + 1], back_sources[m], component_of[n], components, entry_objects[e],
//              entry_slots[e], slots, most_work, out_set_of[n], out_first, out_items) -> (sets, is_whole)
PyObject* holding_sets_door(PyObject*, PyObject* args) {
    PyObject *first, *sources, *component_of, *entry_objects, *entry_slots, *out_set_of, *out_first, *out_items;
    unsigned int components, slots;
    unsigned long long most_work;
    if (!PyArg_ParseTuple(args, "OOOIOOIKOOO:holding_sets", &first, &sources, &component_of, &components,
                          &entry_objects, &entry_slots, &slots, &most_work, &out_set_of, &out_first, &out_items))
        return nullptr;
    Ranges ranges;
    CsrArrays graph;
    Buffer<u32> component_items, slot_items, sets, items;
    ItemArray entries;
    Buffer<u64> firsts;
    if (!graph.read_from(first, sources, ranges) ||
        !read(component_items, component_of, "component_of", graph.csr.objects, ranges) ||
        !check_indices(component_items, components, false, "component_of") ||
        !entries.read_from(entry_objects, "entry_objects", graph.csr.objects, ranges) ||
        !read(slot_items, entry_slots, "entry_slots", entries.buffer.size(), ranges) ||
        !check_indices(slot_items, slots, false, "entry_slots") ||
        !write(sets, out_set_of, "out_set_of", graph.csr.objects, ranges) ||
        !write(firsts, out_first, "out_first", kAnyLength, ranges) ||
        !write(items, out_items, "out_items", kAnyLength, ranges))
        return nullptr;
    if (components > graph.csr.objects || slots > kMost || firsts.size() < 2) {
        PyErr_SetString(PyExc_ValueError, "components, slots or out_first: out of range");
        return nullptr;
    }
    const SetLimits limits{static_cast<u32>(firsts.size() - 1), items.size(), most_work};
    const SetQuery query{component_items.data(), components, entries.items(), slot_items.data(), slots, limits};
    SetResult result{sets.data(), firsts.data(), items.data(), 0, true};
    if (!run_unlocked([&](Interrupt& interrupt) { return holding_sets(graph.csr, query, result, interrupt); }))
        return nullptr;
    return Py_BuildValue("(IO)", result.sets, result.is_whole ? Py_True : Py_False);
}

}  // namespace

PyMethodDef kernel_methods[] = {{"reverse_csr", reverse_door, METH_VARARGS, nullptr},
                                {"shortest_paths", shortest_paths_door, METH_VARARGS, nullptr},
                                {"components", components_door, METH_VARARGS, nullptr},
                                {"dominators", dominators_door, METH_VARARGS, nullptr},
                                {"retained_sizes", retained_sizes_door, METH_VARARGS, nullptr},
                                {"reachable", reachable_door, METH_VARARGS, nullptr},
                                {"owners", owners_door, METH_VARARGS, nullptr},
                                {"count_in_references", count_in_references_door, METH_VARARGS, nullptr},
                                {"collector_reachability", collector_reachability_door, METH_VARARGS, nullptr},
                                {"census", census_door, METH_VARARGS, nullptr},
                                {"min_cut", min_cut_door, METH_VARARGS, nullptr},
                                {"holding_sets", holding_sets_door, METH_VARARGS, nullptr},
                                {nullptr, nullptr, 0, nullptr}};
