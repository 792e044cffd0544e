#include "walk/texts.h"

#include "walk/strings.h"

#include <cstdlib>
#include <cstring>
#if defined(__linux__)
#include <sys/auxv.h>
#endif

namespace record {
namespace {

struct Sip {
    std::uint64_t v0, v1, v2, v3;

    explicit Sip(const TextKey& key)
        : v0(key.first ^ 0x736f6d6570736575ull),
          v1(key.second ^ 0x646f72616e646f6dull),
          v2(key.first ^ 0x6c7967656e657261ull),
          v3(key.second ^ 0x7465646279746573ull) {}
    static std::uint64_t turned(std::uint64_t value, int bits) { return (value << bits) | (value >> (64 - bits)); }
    void round() {
        v0 += v1;
        v1 = turned(v1, 13) ^ v0;
        v0 = turned(v0, 32);
        v2 += v3;
        v3 = turned(v3, 16) ^ v2;
        v0 += v3;
        v3 = turned(v3, 21) ^ v0;
        v2 += v1;
        v1 = turned(v1, 17) ^ v2;
        v2 = turned(v2, 32);
    }
    void word(std::uint64_t value) {
        v3 ^= value;
        round();
        v0 ^= value;
    }
};

std::uint64_t siphash(const char* data, std::size_t count, const TextKey& key) {
    Sip sip(key);
    const std::uint64_t whole = count;
    for (; count >= 8; data += 8, count -= 8) sip.word(load<std::uint64_t>(data, 0));
    std::uint64_t last = whole << 56;
    for (std::size_t i = 0; i < count; i++) last |= std::uint64_t{static_cast<unsigned char>(data[i])} << (8 * i);
    sip.word(last);
    sip.v2 ^= 0xff;
    for (int i = 0; i < 3; i++) sip.round();
    return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}

}  // namespace

bool text_key(TextKey* key) {
#if defined(__linux__)
    // What the kernel gave the process when it began: no system call, which a filter might forbid.
    const auto given = getauxval(AT_RANDOM);
    if (!given) return false;
    std::memcpy(key, reinterpret_cast<const void*>(given), sizeof *key);  // on no boundary
    // The C library's guards are made of the same words: these are others.
    *key = {siphash("texts: 1", 8, *key), siphash("texts: 2", 8, *key)};
#else
    static TextKey made;
    if (!made.first) arc4random_buf(&made, sizeof made);
    *key = made;
#endif
    return true;
}

bool text_hash(const Object* object, const TextKey& key, TextHash* hash) {
    if (object->type->flags & tpflag::BYTES) {
        const auto count = static_cast<std::uint64_t>(static_cast<const VarObject*>(object)->size);
        if (count > kLongestText) return false;
        *hash = {siphash(reinterpret_cast<const char*>(object) + kBytesText, count, key),
                 static_cast<std::uint32_t>(count)};
        return true;
    }
    const Text text = text_of(object);
    if (!text.data || text.length * static_cast<std::size_t>(text.kind) > kLongestText) return false;
    *hash = {siphash(text.data, text.length * static_cast<std::size_t>(text.kind), key),
             static_cast<std::uint32_t>(text.length)};
    return true;
}

void Texts::write(Writer& writer, Array<std::uint32_t>* often) {
    if (!rows_.size()) return;
    // Two bits for each of eight times as many slots: one text in eight has its slot by chance and is written for
    // nothing.
    int bits = 10;
    while ((std::size_t{1} << bits) < rows_.size() * 8) bits++;
    const std::size_t bytes = (std::size_t{1} << bits) / 8;
    auto seen = static_cast<std::uint8_t*>(map_bytes(bytes)), again = static_cast<std::uint8_t*>(map_bytes(bytes));
    const auto slot = [&](const Row& row) { return row.hash >> (64 - bits); };
    for (const Row& row : rows_) {
        const std::uint64_t at = slot(row);
        const auto bit = static_cast<std::uint8_t>(1 << (at & 7));
        again[at >> 3] |= seen[at >> 3] & bit;
        seen[at >> 3] |= bit;
    }
    Array<Row> written;
    for (const Row& row : rows_) {
        const std::uint64_t at = slot(row);
        if (!(again[at >> 3] >> (at & 7) & 1)) continue;
        writer.u32(TEXT_OBJ, row.id);
        writer.u32(TEXT_LENGTH, row.length);
        writer.u64(TEXT_HASH, row.hash);
        if (often) written.push(row);
    }
    if (often) find_often(written, often);
}

void Texts::find_often(const Array<Row>& written, Array<std::uint32_t>* often) const {
    struct Met {
        std::uint64_t hash;
        std::uint32_t first, times;
    };
    std::size_t slots = 1024;
    while (slots < written.size() * 2) slots *= 2;
    auto met = static_cast<Met*>(map_bytes(slots * sizeof(Met)));
    for (const Row& row : written) {
        std::size_t at = row.hash & (slots - 1);
        while (met[at].times && met[at].hash != row.hash) at = (at + 1) & (slots - 1);
        if (!met[at].times) met[at] = {row.hash, row.id, 0};
        if (++met[at].times == 2) often->push(met[at].first);
    }
}

}  // namespace record
