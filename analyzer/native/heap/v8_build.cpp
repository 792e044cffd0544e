#include "v8_build.h"

#include "../format.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <string_view>

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

class Builder {
  public:
    Builder(const Graph& graph, const Rules& rules)
        : graph_(graph), rules_(rules), is_table_(graph.nodes), owner_(graph.nodes, kNoString) {}

    std::vector<Root> run();

  private:
    std::string_view text(std::uint32_t string) const {
        const std::uint64_t start = string ? rules_.ends[string - 1] : 0;
        return {rules_.bytes + start, static_cast<std::size_t>(rules_.ends[string] - start)};
    }
    void find_stores();
    void mark_duplicates();
    void convert(std::uint32_t node, std::uint64_t edge);
    bool convert_entry(std::uint32_t node, std::uint64_t edge, std::uint64_t index);
    bool convert_pair(std::uint32_t node, std::uint64_t edge, std::string_view name);
    void set(std::uint64_t edge, std::uint8_t kind, std::uint32_t label) {
        graph_.kinds[edge] = kind;
        graph_.labels[edge] = label;
    }

    // The edge is listed by the owner of its source as well: cutting the owner's must be enough.
    static constexpr std::uint8_t kDuplicate = 0xFF;

    const Graph& graph_;
    const Rules& rules_;
    std::vector<bool> is_table_;
    std::vector<std::uint32_t> owner_;  // of elements and properties: the object they belong to
    std::uint64_t key_index_ = 0;       // the key seen last in the table at hand
    std::uint32_t key_node_ = kNoString;
};

std::vector<Root> Builder::run() {
    find_stores();
    mark_duplicates();
    std::vector<Root> roots;
    std::uint64_t kept = 0, start = 0;
    for (std::uint32_t node = 0; node < graph_.nodes; ++node) {
        const std::uint64_t stop = graph_.first[node + 1];
        const bool is_root = graph_.node_class[node] == SYNTHETIC;
        key_node_ = kNoString;
        for (std::uint64_t edge = start; edge < stop; ++edge) {
            if (is_root) {
                if (graph_.kinds[edge] != static_cast<std::uint8_t>(EdgeType::WEAK))
                    roots.push_back({node, graph_.targets[edge]});
                continue;
            }
            convert(node, edge);
            graph_.kinds[kept] = graph_.kinds[edge];
            graph_.labels[kept] = graph_.labels[edge];
            graph_.targets[kept++] = graph_.targets[edge];
        }
        start = stop;
        graph_.first[node + 1] = kept;
    }
    return roots;
}

void Builder::find_stores() {
    for (std::uint32_t node = 0; node < graph_.nodes; ++node)
        for (std::uint64_t edge = graph_.first[node]; edge < graph_.first[node + 1]; ++edge) {
            if (graph_.kinds[edge] != static_cast<std::uint8_t>(EdgeType::INTERNAL)) continue;
            const std::uint32_t name = graph_.labels[edge], target = graph_.targets[edge];
            if (name == rules_.table)
                is_table_[target] = true;
            else if (name == rules_.elements || name == rules_.properties)
                owner_[target] = node;
        }
}

void Builder::mark_duplicates() {
    // stamp[t] == store: the owner of `store` refers to t by a name of its own.
    const std::unique_ptr<std::uint32_t[]> stamp(new std::uint32_t[graph_.nodes]);
    std::fill_n(stamp.get(), graph_.nodes, kNoString);
    for (std::uint32_t store = 0; store < graph_.nodes; ++store) {
        const std::uint32_t owner = owner_[store];
        if (owner == kNoString) continue;
        for (std::uint64_t edge = graph_.first[owner]; edge < graph_.first[owner + 1]; ++edge) {
            const auto type = static_cast<EdgeType>(graph_.kinds[edge]);
            if (type == EdgeType::ELEMENT || type == EdgeType::PROPERTY) stamp[graph_.targets[edge]] = store;
        }
        for (std::uint64_t edge = graph_.first[store]; edge < graph_.first[store + 1]; ++edge)
            if (stamp[graph_.targets[edge]] == store) graph_.kinds[edge] = kDuplicate;
    }
}

void Builder::convert(std::uint32_t node, std::uint64_t edge) {
    const std::uint8_t raw = graph_.kinds[edge];
    const auto type = static_cast<EdgeType>(raw);
    const std::uint8_t own = graph_.node_class[node];
    if (raw == kDuplicate || type == EdgeType::WEAK || type == EdgeType::SHORTCUT || own == BOOKKEEPING ||
        own == DUPLICATED)
        return set(edge, format::WEAK, 0);
    const bool is_numbered = type == EdgeType::ELEMENT || type == EdgeType::HIDDEN;
    if (own == ENGINE || graph_.node_class[graph_.targets[edge]] == ENGINE)
        return set(edge, format::INTERNAL, is_numbered ? 0 : graph_.labels[edge]);
    switch (type) {
        case EdgeType::CONTEXT: graph_.kinds[edge] = format::CLOSURE; return;
        case EdgeType::ELEMENT: graph_.kinds[edge] = format::INDEX; return;
        case EdgeType::PROPERTY: graph_.kinds[edge] = format::ATTRIBUTE; return;
        case EdgeType::HIDDEN: return set(edge, format::UNNAMED, 0);
        default: break;
    }
    const std::uint32_t name = graph_.labels[edge];
    const std::string_view spelled = text(name);
    if (spelled.empty() || spelled[0] < '0' || spelled[0] > '9')
        return set(edge, rules_.internal_kind[name], rules_.internal_label[name]);
    std::uint64_t index = 0;
    std::size_t digits = 0;
    for (; digits < spelled.size() && digits < 10 && spelled[digits] >= '0' && spelled[digits] <= '9'; ++digits)
        index = index * 10 + static_cast<std::uint64_t>(spelled[digits] - '0');
    if (digits == spelled.size() && index < UINT32_MAX) {
        if (is_table_[node] && convert_entry(node, edge, index)) return;
        return set(edge, format::INDEX, static_cast<std::uint32_t>(index));
    }
    if (convert_pair(node, edge, spelled)) return;
    set(edge, rules_.internal_kind[name], rules_.internal_label[name]);
}

bool Builder::convert_entry(std::uint32_t node, std::uint64_t edge, std::uint64_t index) {
    const Table table = table_of(graph_.node_sizes[node]);
    if (table.entry_words == 0 || index < table.first_entry) return false;
    const std::uint64_t word = (index - table.first_entry) % table.entry_words;
    const std::uint32_t target = graph_.targets[edge];
    if (word == 0) {
        key_index_ = index;
        key_node_ = target;
        set(edge, table.entry_words == 2 ? format::MEMBER : format::KEY,
            table.entry_words == 2 ? 0 : graph_.node_names[target]);
        return true;
    }
    if (word != 1 || table.entry_words == 2) return false;
    // A key that is a small integer is no object: it has no edge.
    if (key_node_ == kNoString || key_index_ + 1 != index)
        set(edge, format::KEY_OTHER, rules_.number_key);
    else
        set(edge, graph_.is_string[key_node_] ? format::KEY_STR : format::KEY_OTHER,
            graph_.node_names[key_node_]);
    return true;
}

// "3 / part of key (Key @17) -> value (Value @19) pair in WeakMap (table @21)": one such edge comes from
// the key and one from the table. The value lives while both do: the table's edge does not hold it, and
// the key's is as good as an ordinary one as long as the table is alive.
bool Builder::convert_pair(std::uint32_t node, std::uint64_t edge, std::string_view name) {
    constexpr std::string_view kPart = " / part of key (", kTable = " pair in WeakMap (table @";
    if (name.find(kPart) == std::string_view::npos || name.back() != ')') return false;
    const std::size_t at = name.rfind(kTable);
    if (at == std::string_view::npos) return false;
    std::uint64_t id = 0;
    for (const char c : name.substr(at + kTable.size(), name.size() - at - kTable.size() - 1)) {
        if (c < '0' || c > '9') return false;
        id = id * 10 + static_cast<std::uint64_t>(c - '0');
    }
    if (id == graph_.node_ids[node])
        set(edge, format::EPHEMERON, graph_.labels[edge]);
    else
        set(edge, format::ELEMENT, rules_.weak_map_value);
    return true;
}

}  // namespace

std::vector<Root> build(const Graph& graph, const Rules& rules) { return Builder(graph, rules).run(); }

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
