// libFuzzer target: any bytes go through the scan, the payloads and the checks, and whatever the checks
// let pass is then followed index by index, as the kernels would. Wrong checksums are computed but
// forgiven, because the fuzzer could never get past them.
#include "../heap/check.h"
#include "../heap/chunks.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace {

using Columns = std::map<std::string, std::vector<std::uint8_t>>;

template <typename T>
std::vector<T> column(const Columns& columns, const char* name) {
    const auto found = columns.find(name);
    if (found == columns.end()) return {};
    std::vector<T> items(found->second.size() / sizeof(T));
    if (!items.empty()) std::memcpy(items.data(), found->second.data(), items.size() * sizeof(T));
    return items;
}

// A column of another dtype must be refused by the reader: here it counts as absent.
Columns read_columns(const heap::Source& source, const heap::Scan& scan) {
    Columns columns;
    std::map<std::string, std::uint8_t> dtypes;
    for (const heap::Chunk& chunk : scan.chunks) {
        const std::string name(chunk.header.name, chunk.name_length());
        std::vector<std::uint8_t> payload(chunk.header.payload_bytes);
        const heap::Problem problem = heap::read_payload(source, chunk, payload.data());
        if (problem != heap::Problem::NONE && problem != heap::Problem::BAD_CHECKSUM) std::abort();
        if (chunk.header.codec != format::RAW) continue;
        if (payload.size() != chunk.decoded_bytes()) std::abort();
        const auto [dtype, is_first] = dtypes.emplace(name, chunk.header.dtype);
        if (!is_first && dtype->second != chunk.header.dtype) continue;
        std::vector<std::uint8_t>& bytes = columns[name];
        bytes.insert(bytes.end(), payload.begin(), payload.end());
    }
    return columns;
}

// Reads through every index that was accepted; the sanitizer sees what is out of bounds.
std::uint64_t follow(const Columns& columns) {
    const auto blob = column<std::uint8_t>(columns, "str.bytes");
    const auto ends = column<std::uint64_t>(columns, "str.ends");
    const auto types = column<std::uint32_t>(columns, "type.name");
    const auto type_ids = column<std::uint32_t>(columns, "obj.type");
    const auto counts = column<std::uint32_t>(columns, "obj.refs");
    const auto targets = column<std::uint32_t>(columns, "ref.dst");
    const auto kinds = column<std::uint8_t>(columns, "ref.kind");
    const auto labels = column<std::uint32_t>(columns, "ref.label");
    if (counts.size() != type_ids.size() || kinds.size() != targets.size() || labels.size() != kinds.size()) return 0;
    std::vector<std::uint64_t> first(counts.size() + 1);
    using heap::kAllGood;
    if (heap::first_not_monotone(ends.data(), ends.size(), blob.size()) != kAllGood ||
        heap::first_not_below(types.data(), types.size(), ends.size()) != kAllGood ||
        heap::first_not_below(type_ids.data(), type_ids.size(), types.size()) != kAllGood ||
        heap::first_not_below(targets.data(), targets.size(), type_ids.size()) != kAllGood ||
        heap::first_unknown_kind(kinds.data(), kinds.size()) != kAllGood ||
        heap::first_bad_label(kinds.data(), labels.data(), kinds.size(), ends.size()) != kAllGood ||
        heap::prefix_sum(counts.data(), counts.size(), first.data()) != targets.size())
        return 0;
    std::uint64_t seen = 0;
    for (std::size_t object = 0; object < type_ids.size(); ++object) {
        seen += types[type_ids[object]];
        for (std::uint64_t ref = first[object]; ref < first[object + 1]; ++ref) {
            seen += type_ids[targets[ref]];
            const std::uint8_t kind = kinds[ref] & 0x7F;
            if (kind == format::INDEX || kind == format::STACK) continue;
            const std::uint64_t start = labels[ref] ? ends[labels[ref] - 1] : 0;
            for (std::uint64_t i = start; i < ends[labels[ref]]; ++i) seen += blob[i];
        }
    }
    return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const heap::MemorySource source(bytes, size);
    const heap::Scan scan = heap::scan(source, size);
    if (scan.offset > size && scan.problem != heap::Problem::NONE) std::abort();
    volatile std::uint64_t result = follow(read_columns(source, scan));
    static_cast<void>(result);
    return 0;
}
