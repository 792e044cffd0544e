// Doors of the V8 reader. They hold the GIL: a snapshot is read by one thread, and its blocks come from
// Python. The scanner lives in a capsule that keeps the arrays it writes to.
#include "../buffer.h"
#include "check.h"
#include "doors.h"
#include "v8_build.h"
#include "v8_scan.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace {

using Number = unsigned long long;
constexpr char kCapsule[] = "leakscan._native.V8Scanner";

const char* spelled(v8::Fault fault) {
    using v8::Fault;
    switch (fault) {
        case Fault::NONE: return "";
        case Fault::SYNTAX: return "syntax";
        case Fault::NUMBER: return "number";
        case Fault::TOO_MANY: return "too many";
        case Fault::TOO_FEW: return "too few";
        case Fault::PARTIAL: return "partial";
        case Fault::REPEATED: return "repeated";
        case Fault::NODE_TYPE: return "node type";
        case Fault::EDGE_TYPE: return "edge type";
        case Fault::TARGET: return "target";
        case Fault::EDGE_SUM: return "edge sum";
        case Fault::NAME: return "name";
        case Fault::STRING: return "string";
        case Fault::CUT: return "cut";
        case Fault::MEMORY: return "memory";
    }
    return "?";
}

struct Arrays {
    Buffer<std::uint8_t> node_types, node_detached, edge_types;
    Buffer<std::uint32_t> node_names, node_edges, edge_names, edge_targets;
    Buffer<std::uint64_t> node_ids, node_sizes;
};

struct Reading {
    Arrays arrays;
    v8::Scanner scanner;
    explicit Reading(const v8::Layout& layout, const v8::Columns& columns) : scanner(layout, columns) {}
};

void close_reading(PyObject* capsule) { delete static_cast<Reading*>(PyCapsule_GetPointer(capsule, kCapsule)); }

Reading* reading_of(PyObject* capsule) { return static_cast<Reading*>(PyCapsule_GetPointer(capsule, kCapsule)); }

bool is_good(const v8::Layout& layout) {
    const auto within = [](int field, int stride) { return field >= 0 && field < stride; };
    const auto all = [&within](int stride, std::initializer_list<int> fields) {
        if (stride < 1 || stride > v8::kMostFields) return false;
        for (const int field : fields)
            if (!within(field, stride)) return false;
        return true;
    };
    return all(layout.node_stride,
               {layout.node_type, layout.node_name, layout.node_id, layout.node_size, layout.node_edges}) &&
           layout.node_detached < layout.node_stride &&
           all(layout.edge_stride, {layout.edge_type, layout.edge_name, layout.edge_target}) &&
           (layout.place_stride == 0 ||
            all(layout.place_stride, {layout.place_object, layout.place_script, layout.place_line})) &&
           layout.place_column < std::max(layout.place_stride, 1) && layout.node_types <= 256 &&
           layout.edge_types <= 64;
}

// v8_open(layout, arrays) -> scanner
// layout: the 20 numbers of v8::Layout in order. arrays: node types u8[n], names u32[n], ids u64[n],
// sizes u64[n], edge counts u32[n], detachedness u8[n]; edge types u8[m], names u32[m], targets u32[m].
// The scanner writes to them until it is gone.
PyObject* v8_open(PyObject*, PyObject* args) {
    v8::Layout l{};
    PyObject* o[9];
    Number numbered = 0;
    if (!PyArg_ParseTuple(args, "(iiiiiiiiiiiiiiiiIIiK)(OOOOOOOOO):v8_open", &l.node_stride, &l.node_type, &l.node_name,
                          &l.node_id, &l.node_size, &l.node_edges, &l.node_detached, &l.edge_stride, &l.edge_type,
                          &l.edge_name, &l.edge_target, &l.place_stride, &l.place_object, &l.place_script,
                          &l.place_line, &l.place_column, &l.node_types, &l.edge_types, &l.string_type, &numbered,
                          &o[0], &o[1], &o[2], &o[3], &o[4], &o[5], &o[6], &o[7], &o[8]))
        return nullptr;
    l.numbered_edges = numbered;
    if (!is_good(l)) {
        PyErr_SetString(PyExc_ValueError, "v8_open: a field lies outside its record");
        return nullptr;
    }
    // The arrays are held by the reading itself, so they are taken twice: here for their addresses.
    Ranges ranges;
    Arrays a;
    if (!ranges.take(a.node_types, o[0], true, "node_types") || !ranges.take(a.node_names, o[1], true, "node_names") ||
        !ranges.take(a.node_ids, o[2], true, "node_ids") || !ranges.take(a.node_sizes, o[3], true, "node_sizes") ||
        !ranges.take(a.node_edges, o[4], true, "node_edges") ||
        !ranges.take(a.node_detached, o[5], true, "node_detached") ||
        !ranges.take(a.edge_types, o[6], true, "edge_types") || !ranges.take(a.edge_names, o[7], true, "edge_names") ||
        !ranges.take(a.edge_targets, o[8], true, "edge_targets"))
        return nullptr;
    const std::size_t n = a.node_types.size(), m = a.edge_types.size();
    if (a.node_names.size() != n || a.node_ids.size() != n || a.node_sizes.size() != n || a.node_edges.size() != n ||
        a.node_detached.size() != n || a.edge_names.size() != m || a.edge_targets.size() != m) {
        PyErr_SetString(PyExc_ValueError, "v8_open: arrays of different lengths");
        return nullptr;
    }
    const v8::Columns columns{n,
                              m,
                              a.node_types.data(),
                              a.node_names.data(),
                              a.node_ids.data(),
                              a.node_sizes.data(),
                              a.node_edges.data(),
                              a.node_detached.data(),
                              a.edge_types.data(),
                              a.edge_names.data(),
                              a.edge_targets.data()};
    auto* reading = new (std::nothrow) Reading(l, columns);
    if (!reading) return PyErr_NoMemory();
    Arrays& held = reading->arrays;
    if (!held.node_types.take(o[0], true, "") || !held.node_names.take(o[1], true, "") ||
        !held.node_ids.take(o[2], true, "") || !held.node_sizes.take(o[3], true, "") ||
        !held.node_edges.take(o[4], true, "") || !held.node_detached.take(o[5], true, "") ||
        !held.edge_types.take(o[6], true, "") || !held.edge_names.take(o[7], true, "") ||
        !held.edge_targets.take(o[8], true, "")) {
        delete reading;
        return nullptr;
    }
    PyObject* capsule = PyCapsule_New(reading, kCapsule, close_reading);
    if (!capsule) delete reading;
    return capsule;
}

PyObject* verdict(const v8::Scanner& scanner) {
    return Py_BuildValue("(ssKK)", spelled(scanner.fault()), scanner.section(), static_cast<Number>(scanner.offset()),
                         static_cast<Number>(scanner.value()));
}

// v8_feed(scanner, block) -> (fault, section, offset, value); fault is "" while all is well
PyObject* v8_feed(PyObject*, PyObject* args) {
    PyObject *capsule, *block_object;
    if (!PyArg_ParseTuple(args, "OO:v8_feed", &capsule, &block_object)) return nullptr;
    Reading* reading = reading_of(capsule);
    Buffer<std::uint8_t> block;
    if (!reading || !block.take(block_object, false, "block")) return nullptr;
    reading->scanner.feed(reinterpret_cast<const char*>(block.data()), block.size());
    return verdict(reading->scanner);
}

// v8_finish(scanner) -> (fault, section, offset, value, string count, string bytes, place count)
PyObject* v8_finish(PyObject*, PyObject* capsule) {
    Reading* reading = reading_of(capsule);
    if (!reading) return nullptr;
    reading->scanner.finish();
    const v8::Scanner& scanner = reading->scanner;
    return Py_BuildValue("(ssKKKKK)", spelled(scanner.fault()), scanner.section(),
                         static_cast<Number>(scanner.offset()), static_cast<Number>(scanner.value()),
                         static_cast<Number>(scanner.string_ends().size()), static_cast<Number>(scanner.string_size()),
                         static_cast<Number>(scanner.places().size()));
}

// v8_take(scanner, bytes u8, ends u64, places u32[4 k]) -> None
// Copies out what `v8_finish` announced, into arrays of exactly that size.
PyObject* v8_take(PyObject*, PyObject* args) {
    PyObject *capsule, *bytes_object, *ends_object, *places_object;
    if (!PyArg_ParseTuple(args, "OOOO:v8_take", &capsule, &bytes_object, &ends_object, &places_object)) return nullptr;
    Reading* reading = reading_of(capsule);
    Ranges ranges;
    Buffer<std::uint8_t> bytes;
    Buffer<std::uint64_t> ends;
    Buffer<std::uint32_t> places;
    if (!reading || !ranges.take(bytes, bytes_object, true, "bytes") || !ranges.take(ends, ends_object, true, "ends") ||
        !ranges.take(places, places_object, true, "places"))
        return nullptr;
    const v8::Scanner& scanner = reading->scanner;
    if (bytes.size() != scanner.string_size() || ends.size() != scanner.string_ends().size() ||
        places.size() != scanner.places().size() * 4) {
        PyErr_SetString(PyExc_ValueError, "v8_take: arrays of another size than announced");
        return nullptr;
    }
    if (bytes.size()) std::memcpy(bytes.data(), scanner.string_bytes(), bytes.size());
    if (ends.size()) std::memcpy(ends.data(), scanner.string_ends().data(), ends.size() * sizeof(std::uint64_t));
    std::size_t at = 0;
    for (const v8::Place& place : scanner.places()) {
        places[at++] = place.object;
        places[at++] = place.script;
        places[at++] = place.line;
        places[at++] = place.column;
    }
    Py_RETURN_NONE;
}

bool refuse(const char* sentence) {
    PyErr_SetString(PyExc_ValueError, sentence);
    return false;
}

// What every walk over the references relies on: spans in order that cover them, and targets that exist.
bool is_graph(const Buffer<std::uint64_t>& first, const Buffer<std::uint32_t>& targets) {
    const std::size_t n = first.size() - 1;
    if (first[0] != 0 || heap::first_not_monotone(first.data(), n + 1, targets.size()) != heap::kAllGood)
        return refuse("first: spans out of order");
    if (heap::first_not_below(targets.data(), targets.size(), n) != heap::kAllGood)
        return refuse("targets: a reference to no node");
    return true;
}

bool are_strings(const Buffer<std::uint8_t>& bytes, const Buffer<std::uint64_t>& ends) {
    return heap::first_not_monotone(ends.data(), ends.size(), bytes.size()) == heap::kAllGood ||
           refuse("ends: out of order, or beyond the bytes");
}

// v8_find_strings(bytes u8, ends u64, names) -> [(string, name), ...] as numbers
// Names are str, not empty; one that ends in `*` is a beginning. The ends must be in order.
PyObject* v8_find_strings(PyObject*, PyObject* args) {
    PyObject *bytes_object, *ends_object, *names_object;
    if (!PyArg_ParseTuple(args, "OOO!:v8_find_strings", &bytes_object, &ends_object, &PyTuple_Type, &names_object))
        return nullptr;
    Buffer<std::uint8_t> bytes;
    Buffer<std::uint64_t> ends;
    if (!bytes.take(bytes_object, false, "bytes") || !ends.take(ends_object, false, "ends") ||
        !are_strings(bytes, ends))
        return nullptr;
    std::vector<const char*> names;
    for (Py_ssize_t i = 0; i < PyTuple_Size(names_object); ++i) {
        const char* name = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(names_object, i), nullptr);
        if (!name) return nullptr;
        if (!*name) return refuse("names: an empty one"), nullptr;
        names.push_back(name);
    }
    const auto found = v8::find_strings(reinterpret_cast<const char*>(bytes.data()), ends.data(), ends.size(),
                                        {names.data(), names.size()});
    PyObject* result = PyList_New(static_cast<Py_ssize_t>(found.size()));
    if (!result) return nullptr;
    Py_ssize_t row = 0;
    for (const v8::Found& one : found) {
        PyObject* pair = Py_BuildValue("(II)", one.string, one.name);
        if (!pair || PyList_SetItem(result, row++, pair) < 0) {
            Py_DECREF(result);
            return nullptr;
        }
    }
    return result;
}

// v8_move_sizes(first u64[n+1], edge_types u8[m], targets u32[m], classes u8[n], owners u32[n], sizes u64[n])
PyObject* v8_move_sizes(PyObject*, PyObject* args) {
    PyObject* o[6];
    if (!PyArg_ParseTuple(args, "OOOOOO:v8_move_sizes", &o[0], &o[1], &o[2], &o[3], &o[4], &o[5])) return nullptr;
    Ranges ranges;
    Buffer<std::uint64_t> first, sizes;
    Buffer<std::uint8_t> edge_types, classes;
    Buffer<std::uint32_t> targets, owners;
    if (!ranges.take(first, o[0], false, "first") || !ranges.take(edge_types, o[1], false, "edge_types") ||
        !ranges.take(targets, o[2], false, "targets") || !ranges.take(classes, o[3], false, "classes") ||
        !ranges.take(owners, o[4], true, "owners") || !ranges.take(sizes, o[5], true, "sizes"))
        return nullptr;
    const std::size_t n = classes.size();
    if (first.size() != n + 1 || owners.size() != n || sizes.size() != n || edge_types.size() != targets.size() ||
        first[n] != targets.size()) {
        PyErr_SetString(PyExc_ValueError, "v8_move_sizes: arrays of different lengths");
        return nullptr;
    }
    if (!is_graph(first, targets)) return nullptr;
    v8::move_sizes(n, first.data(), edge_types.data(), targets.data(), classes.data(), owners.data(), sizes.data());
    Py_RETURN_NONE;
}

// v8_build(raw, rules, marks, out) -> (sources, targets) of the roots, u32 each, as bytes, and the names that
// each label from the last mark on may stand for: their number, then strings, u32 each, as bytes
// raw: classes u8[n], is_string u8[n] (2: a symbol), names u32[n], ids u64[n], sizes u64[n], first u64[n+1]; edge types
// u8[m] (written to), names u32[m], targets u32[m]. rules: internal kinds u8[s], internal labels u32[s], hidden labels
// u32[s] by the name of the node (0xFFFFFFFF: none, 0xFFFFFFFE: variables of a block), string bytes u8, string ends
// u64[>= s]. marks: strings `table`, `elements`, `properties`, `parameters_and_registers`,
// `__proto__`, `scope_info` (0xFFFFFFFF: absent), then the labels for an unknown number as a key, for the value of
// a weak map, and the first for variables of blocks. out: first u64[n+1], kinds u8[m], labels u32[m], targets u32[m],
// of which `first[n]` are filled. Names must be below s, targets below n, the ends and `first` in order.
PyObject* v8_build(PyObject*, PyObject* args) {
    PyObject *g[9], *r[5], *w[4];
    v8::Rules rules{};
    if (!PyArg_ParseTuple(args, "(OOOOOOOOO)(OOOOO)(IIIIIIIII)(OOOO):v8_build", &g[0], &g[1], &g[2], &g[3], &g[4],
                          &g[5], &g[6], &g[7], &g[8], &r[0], &r[1], &r[2], &r[3], &r[4], &rules.table, &rules.elements,
                          &rules.properties, &rules.registers, &rules.prototype, &rules.scope_info, &rules.number_key,
                          &rules.weak_map_value, &rules.first_variable, &w[0], &w[1], &w[2], &w[3]))
        return nullptr;
    Ranges ranges;
    Buffer<std::uint8_t> classes, is_string, types, internal_kinds, bytes, kinds;
    Buffer<std::uint32_t> names, edge_names, targets, internal_labels, hidden_labels, labels, out_targets;
    Buffer<std::uint64_t> ids, sizes, first, ends, out_first;
    if (!ranges.take(classes, g[0], false, "classes") || !ranges.take(is_string, g[1], false, "is_string") ||
        !ranges.take(names, g[2], false, "names") || !ranges.take(ids, g[3], false, "ids") ||
        !ranges.take(sizes, g[4], false, "sizes") || !ranges.take(first, g[5], false, "first") ||
        !ranges.take(types, g[6], true, "edge_types") || !ranges.take(edge_names, g[7], false, "edge_names") ||
        !ranges.take(targets, g[8], false, "edge_targets") ||
        !ranges.take(internal_kinds, r[0], false, "internal_kinds") ||
        !ranges.take(internal_labels, r[1], false, "internal_labels") ||
        !ranges.take(hidden_labels, r[2], false, "hidden_labels") || !ranges.take(bytes, r[3], false, "bytes") ||
        !ranges.take(ends, r[4], false, "ends") || !ranges.take(out_first, w[0], true, "out_first") ||
        !ranges.take(kinds, w[1], true, "out_kinds") || !ranges.take(labels, w[2], true, "out_labels") ||
        !ranges.take(out_targets, w[3], true, "out_targets"))
        return nullptr;
    const std::size_t n = classes.size(), m = types.size(), s = internal_kinds.size();
    if (is_string.size() != n || names.size() != n || ids.size() != n || sizes.size() != n || first.size() != n + 1 ||
        first[n] != m || edge_names.size() != m || targets.size() != m || internal_labels.size() != s ||
        hidden_labels.size() != s || ends.size() < s || (s && ends[s - 1] > bytes.size()) ||
        out_first.size() != n + 1 || kinds.size() != m || labels.size() != m || out_targets.size() != m) {
        PyErr_SetString(PyExc_ValueError, "v8_build: arrays of different lengths");
        return nullptr;
    }
    if (!is_graph(first, targets) || !are_strings(bytes, ends)) return nullptr;
    if (heap::first_not_below(names.data(), n, s) != heap::kAllGood)
        return refuse("names: a name beyond the strings"), nullptr;
    for (std::size_t i = 0; i < m; ++i) {
        const auto type = static_cast<v8::EdgeType>(types[i]);
        if (type != v8::EdgeType::ELEMENT && type != v8::EdgeType::HIDDEN && edge_names[i] >= s)
            return refuse("edge_names: a name beyond the strings"), nullptr;
    }
    const v8::Raw raw{n,
                      m,
                      classes.data(),
                      is_string.data(),
                      names.data(),
                      ids.data(),
                      sizes.data(),
                      first.data(),
                      types.data(),
                      edge_names.data(),
                      targets.data()};
    rules.internal_kind = internal_kinds.data();
    rules.internal_label = internal_labels.data();
    rules.hidden_label = hidden_labels.data();
    rules.bytes = reinterpret_cast<const char*>(bytes.data());
    rules.ends = ends.data();
    const v8::References out{out_first.data(), kinds.data(), labels.data(), out_targets.data()};
    const v8::Built built = v8::build(raw, rules, out);
    std::vector<std::uint32_t> sources, held;
    for (const v8::Root& root : built.roots) {
        sources.push_back(root.source);
        held.push_back(root.target);
    }
    std::vector<std::uint32_t> variables;
    for (const std::vector<std::uint32_t>& names : built.variables) {
        variables.push_back(static_cast<std::uint32_t>(names.size()));
        variables.insert(variables.end(), names.begin(), names.end());
    }
    const auto bytes_of = [](const std::vector<std::uint32_t>& column) {
        const auto size = static_cast<Py_ssize_t>(column.size() * sizeof(std::uint32_t));
        return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(column.data()), size);
    };
    return Py_BuildValue("(NNN)", bytes_of(sources), bytes_of(held), bytes_of(variables));
}

}  // namespace

PyMethodDef v8_methods[] = {
    {"v8_open", heap::or_no_memory<v8_open>, METH_VARARGS, nullptr},
    {"v8_feed", heap::or_no_memory<v8_feed>, METH_VARARGS, nullptr},
    {"v8_finish", heap::or_no_memory<v8_finish>, METH_O, nullptr},
    {"v8_take", heap::or_no_memory<v8_take>, METH_VARARGS, nullptr},
    {"v8_find_strings", heap::or_no_memory<v8_find_strings>, METH_VARARGS, nullptr},
    {"v8_move_sizes", heap::or_no_memory<v8_move_sizes>, METH_VARARGS, nullptr},
    {"v8_build", heap::or_no_memory<v8_build>, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
