// From the columns of a V8 snapshot, as scanned, to the references of a HeapGraph. Which name means what
// is policy and comes from Python as tables; here it is only applied. No Python: the fuzzer links this.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace v8 {

constexpr std::uint32_t kNoString = UINT32_MAX;
constexpr std::uint32_t kVariable = UINT32_MAX - 1;

enum class EdgeType : std::uint8_t { CONTEXT, ELEMENT, PROPERTY, INTERNAL, HIDDEN, SHORTCUT, WEAK };

enum NodeClass : std::uint8_t {
    ORDINARY = 0,
    ENGINE = 1,       // hidden classes, code, feedback: its references never carry a path
    SYNTHETIC = 2,    // not an object: its references are roots
    BOOKKEEPING = 3,  // a list of weak things that is written as if it held them
    DUPLICATED = 4,   // engine, and what it refers to may also be a property of the object that owns it
    BACKING = 5,      // hidden, array or external string: its size belongs to its one owner
};

// As scanned. `first` are the prefix sums of the edge counts.
struct Raw {
    std::size_t nodes;
    std::uint64_t edges;
    const std::uint8_t* node_class;  // NodeClass of each node
    const std::uint8_t* is_string;   // of each node: 1 when its name is its content, 2 for a symbol
    const std::uint32_t* node_names;
    const std::uint64_t* node_ids;
    const std::uint64_t* node_sizes;
    const std::uint64_t* first;
    std::uint8_t* edge_types;  // EdgeType; written to
    const std::uint32_t* edge_names;
    const std::uint32_t* edge_targets;
};

// Indexed by string.
struct Rules {
    const std::uint8_t* internal_kind;    // kind of an internal edge of that name
    const std::uint32_t* internal_label;  // and its label
    const std::uint32_t* hidden_label;    // label of the hidden edges of a node of that name, kNoString, kVariable
    const char* bytes;
    const std::uint64_t* ends;
    // Strings with a meaning, kNoString where the snapshot does not have them.
    std::uint32_t table, elements, properties, registers, prototype, scope_info;
    // Labels appended by the caller.
    std::uint32_t number_key, weak_map_value;
    // The first of the labels in `Built::variables`.
    std::uint32_t first_variable;
};

// CSR; the arrays of references have room for as many as there are edges.
struct References {
    std::uint64_t* first;
    std::uint8_t* kinds;
    std::uint32_t* labels;
    std::uint32_t* targets;
};

struct Root {
    std::uint32_t source, target;
};

// `variables`: the names that a variable of a block may have, for each label from `Rules::first_variable` on.
struct Built {
    std::vector<Root> roots;
    std::vector<std::vector<std::uint32_t>> variables;
};

// Fills `out`; the roots, in file order. References out of synthetic nodes are roots only, and those out
// of the table of a Map or Set belong to the Map or Set. Every index in `raw` must be in range.
Built build(const Raw& raw, const Rules& rules, const References& out);

// Adds the size of each BACKING node to the one object that owns it, as DevTools does: a node is owned
// by `o` when every chain of strong edges to it comes through `o` and other backing nodes only. Nodes
// that several own keep their size. `owners` is scratch space, one item a node.
void move_sizes(std::size_t nodes, const std::uint64_t* first, const std::uint8_t* edge_types,
                const std::uint32_t* targets, const std::uint8_t* classes, std::uint32_t* owners, std::uint64_t* sizes);

// Indexes of the strings that equal `name`, or begin with it when it ends in `*`.
struct Names {
    const char* const* names;
    std::size_t count;
};
struct Found {
    std::uint32_t string;
    std::uint32_t name;
};
std::vector<Found> find_strings(const char* bytes, const std::uint64_t* ends, std::size_t strings, const Names& wanted);

}  // namespace v8
