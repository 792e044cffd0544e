#include "v8_build.h"

#include "../format.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <string_view>
#include <tuple>

namespace v8 {
namespace {

// V8's ordered hash tables are arrays: three counters, one head for each bucket (their number is a power
// of two), then two entries for each bucket. Their size tells which table it is: 3 + 7 b words for a
// Map (entries of key, value, chain), 3 + 5 b for a Set (key, chain). Words are of 4 bytes where
// pointers are compressed (Chrome, Electron).
struct Table {
    std::uint64_t first_entry = 0, entry_words = 0;
};

Table table_of(std::uint64_t size) {
    for (const std::uint64_t word : {std::uint64_t{8}, std::uint64_t{4}})
        for (const std::uint64_t entry_words : {std::uint64_t{3}, std::uint64_t{2}}) {
            const std::uint64_t head = 5 * word, per_bucket = word * (1 + 2 * entry_words);
            if (size <= head || (size - head) % per_bucket != 0) continue;
            const std::uint64_t buckets = (size - head) / per_bucket;
            if (std::has_single_bit(buckets)) return {3 + buckets, entry_words};
        }
    return {};
}

// What a name like "17" says; UINT32_MAX for any other.
std::uint32_t index_of(std::string_view name) {
    if (name.empty() || name.size() > 9) return UINT32_MAX;
    std::uint32_t index = 0;
    for (const char c : name) {
        if (c < '0' || c > '9') return UINT32_MAX;
        index = index * 10 + static_cast<std::uint32_t>(c - '0');
    }
    return index;
}

class Builder {
  public:
    Builder(const Raw& raw, const Rules& rules, const References& out)
        : raw_(raw),
          rules_(rules),
          out_(out),
          table_(raw.nodes, kNoString),
          store_(raw.nodes, kNoString),
          properties_(raw.nodes, kNoString),
          is_registers_(raw.nodes),
          is_table_(raw.nodes),
          is_property_(raw.nodes) {}

    Built run();

  private:
    static constexpr std::uint32_t kShared = UINT32_MAX - 1;
    // The edge is listed by the owner of its source as well: cutting the owner's must be enough.
    static constexpr std::uint8_t kDuplicate = 0xFF;

    std::string_view text(std::uint32_t string) const {
        const std::uint64_t start = string ? rules_.ends[string - 1] : 0;
        return {rules_.bytes + start, static_cast<std::size_t>(rules_.ends[string] - start)};
    }
    static bool is(std::uint8_t raw, EdgeType type) { return raw == static_cast<std::uint8_t>(type); }
    void find_stores();
    void mark_duplicates();
    std::uint64_t entry_index(const Table& table, std::uint64_t edge) const;
    void put_node(std::uint32_t node);
    void put_entries(std::uint32_t table_node);
    bool is_key(std::uint32_t store, std::uint64_t edge) const;
    void put_keys(std::uint32_t store);
    void put_edge(std::uint32_t node, std::uint64_t edge);
    std::uint32_t variable(std::uint32_t node, std::uint64_t edge);
    bool put_pair(std::uint32_t node, std::uint64_t edge, std::string_view name);
    void put(std::uint64_t edge, std::uint8_t kind, std::uint32_t label) {
        out_.kinds[kept_] = kind;
        out_.labels[kept_] = label;
        out_.targets[kept_++] = raw_.edge_targets[edge];
    }

    const Raw& raw_;
    const Rules& rules_;
    const References& out_;
    std::uint64_t kept_ = 0;
    std::vector<std::uint32_t> table_;       // of a Map or Set: its table
    std::vector<std::uint32_t> store_;       // of elements and properties: the object they belong to
    std::vector<std::uint32_t> properties_;  // of an object: its store of properties
    std::vector<bool> is_registers_;         // of a generator
    std::vector<bool> is_table_;             // its entries are written at its owner
    std::vector<std::vector<std::uint32_t>> variables_;
    std::map<std::tuple<std::uint32_t, std::size_t, std::size_t>, std::uint32_t> label_of_variable_;
    std::vector<bool> is_property_;  // some object lists it among its properties
};

Built Builder::run() {
    find_stores();
    mark_duplicates();
    std::vector<Root> roots;
    out_.first[0] = 0;
    for (std::uint32_t node = 0; node < raw_.nodes; ++node) {
        if (raw_.node_class[node] != SYNTHETIC) {
            put_node(node);
        } else {
            for (std::uint64_t edge = raw_.first[node]; edge < raw_.first[node + 1]; ++edge)
                if (!is(raw_.edge_types[edge], EdgeType::WEAK)) roots.push_back({node, raw_.edge_targets[edge]});
        }
        out_.first[node + 1] = kept_;
    }
    return {std::move(roots), std::move(variables_)};
}

void Builder::find_stores() {
    std::vector<std::uint32_t> owner_of_table(raw_.nodes, kNoString);
    for (std::uint32_t node = 0; node < raw_.nodes; ++node)
        for (std::uint64_t edge = raw_.first[node]; edge < raw_.first[node + 1]; ++edge) {
            const std::uint32_t name = raw_.edge_names[edge], target = raw_.edge_targets[edge];
            if (is(raw_.edge_types[edge], EdgeType::PROPERTY)) is_property_[target] = true;
            if (!is(raw_.edge_types[edge], EdgeType::INTERNAL)) continue;
            if (name == rules_.table && raw_.node_class[node] == ORDINARY)
                owner_of_table[target] = owner_of_table[target] == kNoString ? node : kShared;
            else if (name == rules_.elements || name == rules_.properties)
                store_[target] = node, properties_[node] = name == rules_.properties ? target : properties_[node];
            else if (name == rules_.registers)
                is_registers_[target] = true;
        }
    // An iterator may outlive its Map: then both hold the table, and the table holds the entries.
    for (std::uint32_t table = 0; table < raw_.nodes; ++table) {
        const std::uint32_t owner = owner_of_table[table];
        if (owner >= kShared || owner == table || table_of(raw_.node_sizes[table]).entry_words == 0) continue;
        if (raw_.node_class[table] != ORDINARY || table_[owner] != kNoString) continue;
        table_[owner] = table;
        is_table_[table] = true;
    }
}

void Builder::mark_duplicates() {
    // stamp[t] == store: the owner of `store` refers to t by a name of its own.
    std::vector<std::uint32_t> stamp(raw_.nodes, kNoString);
    for (std::uint32_t store = 0; store < raw_.nodes; ++store) {
        const std::uint32_t owner = store_[store];
        if (owner == kNoString) continue;
        for (std::uint64_t edge = raw_.first[owner]; edge < raw_.first[owner + 1]; ++edge)
            if (is(raw_.edge_types[edge], EdgeType::ELEMENT) || is(raw_.edge_types[edge], EdgeType::PROPERTY))
                stamp[raw_.edge_targets[edge]] = store;
        if (owner == store) continue;
        for (std::uint64_t edge = raw_.first[store]; edge < raw_.first[store + 1]; ++edge)
            if (stamp[raw_.edge_targets[edge]] == store) raw_.edge_types[edge] = kDuplicate;
    }
}

// Where in the entries of `table` the edge leads; UINT64_MAX for one that is not of an entry.
std::uint64_t Builder::entry_index(const Table& table, std::uint64_t edge) const {
    if (!is(raw_.edge_types[edge], EdgeType::INTERNAL)) return UINT64_MAX;
    const std::uint32_t index = index_of(text(raw_.edge_names[edge]));
    return index == UINT32_MAX || index < table.first_entry ? UINT64_MAX : index - table.first_entry;
}

void Builder::put_node(std::uint32_t node) {
    const Table table = is_table_[node] ? table_of(raw_.node_sizes[node]) : Table{};
    for (std::uint64_t edge = raw_.first[node]; edge < raw_.first[node + 1]; ++edge)
        if ((!is_table_[node] || entry_index(table, edge) == UINT64_MAX) && !is_key(node, edge)) put_edge(node, edge);
    if (table_[node] != kNoString) put_entries(table_[node]);
    if (properties_[node] != kNoString) put_keys(properties_[node]);
}

// An object with many properties, or with some deleted, keeps them in a hash table (NameDictionary): key, value,
// details. The owner lists the values by their names; what the table refers to beyond them are the keys.
bool Builder::is_key(std::uint32_t store, std::uint64_t edge) const {
    const std::uint32_t owner = store_[store];
    if (owner == kNoString || owner == store || properties_[owner] != store) return false;
    if (raw_.node_class[owner] != ORDINARY || raw_.node_class[store] != ORDINARY) return false;
    return is(raw_.edge_types[edge], EdgeType::INTERNAL) && raw_.is_string[raw_.edge_targets[edge]] &&
           index_of(text(raw_.edge_names[edge])) != UINT32_MAX;
}

void Builder::put_keys(std::uint32_t store) {
    for (std::uint64_t edge = raw_.first[store]; edge < raw_.first[store + 1]; ++edge)
        if (is_key(store, edge)) put(edge, format::KEY, raw_.node_names[raw_.edge_targets[edge]]);
}

void Builder::put_entries(std::uint32_t table_node) {
    const Table table = table_of(raw_.node_sizes[table_node]);
    const bool is_map = table.entry_words == 3;
    std::uint64_t key_index = UINT64_MAX;
    std::uint32_t key = kNoString;
    for (std::uint64_t edge = raw_.first[table_node]; edge < raw_.first[table_node + 1]; ++edge) {
        const std::uint64_t index = entry_index(table, edge);
        if (index == UINT64_MAX) continue;
        const std::uint64_t word = index % table.entry_words;
        const std::uint32_t target = raw_.edge_targets[edge];
        if (word == 0) {
            key_index = index;
            key = target;
            put(edge, is_map ? format::KEY : format::MEMBER, is_map ? raw_.node_names[target] : 0);
        } else if (!is_map || word == 2) {
            put(edge, format::UNNAMED, 0);  // the chain: a small integer in every V8 seen
        } else if (key == kNoString || key_index + 1 != index) {
            put(edge, format::KEY_OTHER, rules_.number_key);  // a small integer has no node, so no edge
        } else {
            put(edge, raw_.is_string[key] == 1 ? format::KEY_STR : format::KEY_OTHER, raw_.node_names[key]);
        }
    }
}

void Builder::put_edge(std::uint32_t node, std::uint64_t edge) {
    const std::uint8_t type = raw_.edge_types[edge], own = raw_.node_class[node];
    const std::uint32_t name = raw_.edge_names[edge];
    const bool is_listed = own == DUPLICATED && is_property_[raw_.edge_targets[edge]];
    if (type == kDuplicate || is(type, EdgeType::WEAK) || is(type, EdgeType::SHORTCUT) || own == BOOKKEEPING ||
        is_listed)
        return put(edge, format::WEAK, 0);
    const bool is_numbered = is(type, EdgeType::ELEMENT) || is(type, EdgeType::HIDDEN);
    if (own == ENGINE || own == DUPLICATED || raw_.node_class[raw_.edge_targets[edge]] == ENGINE)
        return put(edge, format::INTERNAL, is_numbered ? 0 : name);
    switch (static_cast<EdgeType>(type)) {
        case EdgeType::CONTEXT: return put(edge, format::CLOSURE, name);
        case EdgeType::ELEMENT: return put(edge, format::INDEX, name);
        case EdgeType::PROPERTY:
            return put(edge, name == rules_.prototype ? format::MACHINERY : format::ATTRIBUTE, name);
        case EdgeType::HIDDEN: {
            const std::uint32_t label = rules_.hidden_label[raw_.node_names[node]];
            if (label == kVariable) {
                const std::uint32_t name_of = variable(node, edge);
                return name_of == kNoString ? put(edge, format::UNNAMED, 0) : put(edge, format::CLOSURE, name_of);
            }
            return label == kNoString ? put(edge, format::UNNAMED, 0) : put(edge, format::SLOT, label);
        }
        default: break;
    }
    const std::string_view spelled = text(name);
    if (const std::uint32_t index = index_of(spelled); index != UINT32_MAX)
        return put(edge, is_registers_[node] ? format::STACK : format::INDEX, index);
    if (!put_pair(node, edge, spelled)) put(edge, rules_.internal_kind[name], rules_.internal_label[name]);
}

// V8 names the variables of functions and modules, not those of blocks. The names are in the scope's
// description, in the order of the slots; but a slot that holds a small integer has no edge, so with
// fewer edges than names one of several may be meant.
std::uint32_t Builder::variable(std::uint32_t node, std::uint64_t edge) {
    // Beyond this many a scope keeps its names elsewhere; it also bounds the work for each edge.
    constexpr std::size_t kMostVariables = 80, kMostNamed = 4;
    std::uint32_t info = kNoString;
    std::size_t edges = 0, position = 0;
    for (std::uint64_t other = raw_.first[node]; other < raw_.first[node + 1]; ++other) {
        if (is(raw_.edge_types[other], EdgeType::INTERNAL) && raw_.edge_names[other] == rules_.scope_info)
            info = raw_.edge_targets[other];
        if (!is(raw_.edge_types[other], EdgeType::HIDDEN)) continue;
        if (other == edge) position = edges;
        if (++edges > kMostVariables) return kNoString;
    }
    if (info == kNoString) return kNoString;
    std::vector<std::uint32_t> names;
    const std::uint64_t last = std::min(raw_.first[info + 1], raw_.first[info] + 2 * kMostVariables);
    for (std::uint64_t other = raw_.first[info]; other < last; ++other)
        if (is(raw_.edge_types[other], EdgeType::HIDDEN) && raw_.is_string[raw_.edge_targets[other]] == 1)
            names.push_back(raw_.node_names[raw_.edge_targets[other]]);
    if (names.size() < edges || names.size() - edges >= kMostNamed) return kNoString;
    if (names.size() == edges) return names[position];
    const auto next = static_cast<std::uint32_t>(variables_.size());
    const auto [found, is_first] = label_of_variable_.try_emplace({info, position, edges}, next);
    if (is_first) {
        const auto start = names.begin() + static_cast<std::ptrdiff_t>(position);
        variables_.emplace_back(start, start + static_cast<std::ptrdiff_t>(names.size() - edges + 1));
    }
    return rules_.first_variable + found->second;
}

// "3 / part of key (Key @17) -> value (Value @19) pair in WeakMap (table @21)": one such edge comes from
// the key and one from the table. The value lives while both do: the table's edge does not hold it, and
// the key's is as good as an ordinary one as long as the table is alive.
bool Builder::put_pair(std::uint32_t node, std::uint64_t edge, std::string_view name) {
    constexpr std::string_view kPart = " / part of key (", kTable = " pair in WeakMap (table @";
    if (name.empty() || name[0] < '0' || name[0] > '9' || name.back() != ')') return false;
    if (name.find(kPart) == std::string_view::npos) return false;
    const std::size_t at = name.rfind(kTable);
    if (at == std::string_view::npos) return false;
    std::uint64_t id = 0;
    for (const char c : name.substr(at + kTable.size(), name.size() - at - kTable.size() - 1)) {
        if (c < '0' || c > '9') return false;
        id = id * 10 + static_cast<std::uint64_t>(c - '0');
    }
    if (id == raw_.node_ids[node])
        put(edge, format::EPHEMERON, raw_.edge_names[edge]);
    else
        put(edge, format::ELEMENT, rules_.weak_map_value);
    return true;
}

}  // namespace

Built build(const Raw& raw, const Rules& rules, const References& out) { return Builder(raw, rules, out).run(); }

void move_sizes(std::size_t nodes, const std::uint64_t* first, const std::uint8_t* edge_types,
                const std::uint32_t* targets, const std::uint8_t* classes, std::uint32_t* owners,
                std::uint64_t* sizes) {
    constexpr std::uint32_t kUnvisited = UINT32_MAX, kSeveral = UINT32_MAX - 1;
    std::vector<std::uint32_t> work;
    work.reserve(nodes);
    for (std::uint32_t node = 0; node < nodes; ++node) {
        owners[node] = classes[node] == BACKING ? kUnvisited : node;
        if (owners[node] == node) work.push_back(node);
    }
    // A node changes at most twice: unvisited, owned, owned by several.
    while (!work.empty()) {
        const std::uint32_t node = work.back(), owner = owners[node];
        work.pop_back();
        for (std::uint64_t edge = first[node]; edge < first[node + 1]; ++edge) {
            if (static_cast<EdgeType>(edge_types[edge]) == EdgeType::WEAK) continue;
            const std::uint32_t target = targets[edge], current = owners[target];
            if (current == target || current == owner || current == kSeveral) continue;
            owners[target] = current == kUnvisited ? owner : kSeveral;
            work.push_back(target);
        }
    }
    for (std::uint32_t node = 0; node < nodes; ++node) {
        const std::uint32_t owner = owners[node];
        if (owner == kUnvisited || owner == kSeveral || owner == node || classes[owner] == SYNTHETIC) continue;
        sizes[owner] += sizes[node];
        sizes[node] = 0;
    }
}

std::vector<Found> find_strings(const char* bytes, const std::uint64_t* ends, std::size_t strings,
                                const Names& wanted) {
    // Few names and many strings: most strings are turned away by their first character.
    std::vector<std::uint32_t> by_first[256];
    for (std::uint32_t name = 0; name < wanted.count; ++name)
        by_first[static_cast<unsigned char>(wanted.names[name][0])].push_back(name);
    std::vector<Found> found;
    std::uint64_t start = 0;
    for (std::uint32_t string = 0; string < strings; ++string) {
        const std::string_view spelled(bytes + start, static_cast<std::size_t>(ends[string] - start));
        start = ends[string];
        if (spelled.empty()) continue;
        for (const std::uint32_t name : by_first[static_cast<unsigned char>(spelled[0])]) {
            const std::string_view pattern(wanted.names[name]);
            const bool is_match = pattern.back() == '*'
                                      ? spelled.substr(0, pattern.size() - 1) == pattern.substr(0, pattern.size() - 1)
                                      : spelled == pattern;
            if (is_match) found.push_back({string, name});
        }
    }
    return found;
}

}  // namespace v8
