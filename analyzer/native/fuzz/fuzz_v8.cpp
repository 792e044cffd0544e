// libFuzzer target: any bytes go through the V8 scanner in blocks whose size they choose themselves, and
// what the scanner accepts is built into references and followed. The layout is that of Node 20; the
// columns have room for fewer records than a file may hold, so that running over is tried as well.
#include "../format.h"
#include "../heap/v8_build.h"
#include "../heap/v8_scan.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <string>
#include <string_view>

namespace {

constexpr v8::Layout kLayout{7, 0, 1, 2, 3, 4, 6, 3, 0, 1, 2, 4, 0, 1, 2, 3, 16, 7, 2, (1u << 1) | (1u << 4)};

struct Arrays {
    explicit Arrays(std::size_t n, std::size_t m)
        : types(n), detached(n), names(n), counts(n), ids(n), sizes(n), edge_types(m), edge_names(m), targets(m) {}
    std::vector<std::uint8_t> types, detached;
    std::vector<std::uint32_t> names, counts;
    std::vector<std::uint64_t> ids, sizes;
    std::vector<std::uint8_t> edge_types;
    std::vector<std::uint32_t> edge_names, targets;
    v8::Columns columns() {
        return {types.size(),  edge_types.size(), types.data(),      names.data(),      ids.data(),    sizes.data(),
                counts.data(), detached.data(),   edge_types.data(), edge_names.data(), targets.data()};
    }
};

void build_and_follow(const v8::Scanner& scanner, Arrays& a) {
    const std::size_t n = a.types.size(), strings = scanner.string_ends().size();
    std::vector<std::uint64_t> first(n + 1, 0);
    for (std::size_t i = 0; i < n; ++i) first[i + 1] = first[i] + a.counts[i];
    std::vector<std::uint8_t> classes(n), is_string(n), kinds(strings, format::SLOT);
    std::vector<std::uint32_t> labels(strings), owners(n);
    std::iota(labels.begin(), labels.end(), 0u);
    for (std::size_t i = 0; i < n; ++i) {
        classes[i] = a.types[i] % 6;
        is_string[i] = a.types[i] == 2;
    }
    std::vector<std::uint64_t> sizes = a.sizes;
    v8::move_sizes(n, first.data(), a.edge_types.data(), a.targets.data(), classes.data(), owners.data(), sizes.data());
    const char* wanted[] = {"table",     "elements",   "properties", "parameters_and_registers",
                            "__proto__", "scope_info", "system / *"};
    std::uint32_t marks[6];
    std::fill_n(marks, 6, v8::kNoString);
    const auto& ends = scanner.string_ends();
    for (const v8::Found& found : v8::find_strings(scanner.string_bytes(), ends.data(), strings, {wanted, 7})) {
        if (found.string >= strings || found.name >= 7) std::abort();
        if (found.name < 6) marks[found.name] = found.string;
    }
    const v8::Columns c = a.columns();
    const v8::Raw raw{n,
                      c.edges,
                      classes.data(),
                      is_string.data(),
                      c.node_names,
                      c.node_ids,
                      c.node_sizes,
                      first.data(),
                      c.edge_types,
                      c.edge_names,
                      c.edge_targets};
    const auto extra = static_cast<std::uint32_t>(strings);
    // Every other name is that of a scope whose variables are to be named.
    std::vector<std::uint32_t> hidden(labels);
    for (std::size_t i = 0; i < strings; i += 2) hidden[i] = v8::kVariable;
    const v8::Rules rules{kinds.data(), labels.data(), hidden.data(), scanner.string_bytes(),
                          ends.data(),  marks[0],      marks[1],      marks[2],
                          marks[3],     marks[4],      marks[5],      extra,
                          extra + 1,    extra + 2};
    std::vector<std::uint64_t> out_first(n + 1);
    std::vector<std::uint8_t> out_kinds(c.edges);
    std::vector<std::uint32_t> out_labels(c.edges), out_targets(c.edges);
    const v8::References out{out_first.data(), out_kinds.data(), out_labels.data(), out_targets.data()};
    const v8::Built built = v8::build(raw, rules, out);
    for (const std::vector<std::uint32_t>& names : built.variables)
        for (const std::uint32_t name : names)
            if (name >= strings) std::abort();
    const auto most = static_cast<std::uint32_t>(extra + 1 + built.variables.size());
    for (const v8::Root& root : built.roots)
        if (root.source >= n || root.target >= n) std::abort();
    if (out_first[n] > c.edges) std::abort();
    for (std::size_t i = 0; i < n; ++i)
        for (std::uint64_t ref = out_first[i]; ref < out_first[i + 1]; ++ref) {
            const std::uint8_t kind = out_kinds[ref];
            if (out_targets[ref] >= n || kind > format::CLOSURE) std::abort();
            if (kind != format::INDEX && kind != format::STACK && out_labels[ref] > most) std::abort();
        }
}

// The numbers after "node_count": and "edge_count":, as the Python side would read them; small ones only.
std::size_t announced(const char* text, std::size_t size, const char* key) {
    const std::string_view all(text, size);
    const std::size_t at = all.find(key);
    if (at == std::string_view::npos) return 0;
    return std::min<std::size_t>(std::strtoul(std::string(all.substr(at + 13, 6)).c_str(), nullptr, 10), 4096);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const char* text = reinterpret_cast<const char*>(bytes);
    Arrays arrays(announced(text, size, "\"node_count\":"), announced(text, size, "\"edge_count\":"));
    v8::Scanner scanner(kLayout, arrays.columns());
    const std::size_t block = size ? 1 + bytes[size - 1] : 1;
    for (std::size_t at = 0; at < size; at += block)
        if (!scanner.feed(text + at, std::min(block, size - at))) break;
    if (scanner.offset() > size) std::abort();
    std::uint64_t before = 0;
    for (const std::uint64_t end : scanner.string_ends()) {
        if (end < before || end > scanner.string_size()) std::abort();
        before = end;
    }
    if (scanner.finish()) build_and_follow(scanner, arrays);
    return 0;
}
