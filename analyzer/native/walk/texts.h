// What tells equal texts without telling them: a keyed hash of each string and byte string.
#pragma once
#include "cpython/layout.h"
#include "walk/memory.h"
#include "walk/writer.h"

namespace record {

// SipHash-1-3 (Aumasson and Bernstein 2012) under a key of this process that is written nowhere: without it nobody
// can try which short text has a hash.
struct TextKey {
    std::uint64_t first = 0, second = 0;
};

// In the parent. False when the system gives no randomness: then there are no hashes.
bool text_key(TextKey* key);

inline constexpr std::uint64_t kLongestText = 16u << 20;  // bytes; longer ones would take the child's time

struct TextHash {
    std::uint64_t hash;
    std::uint32_t length;  // characters, or bytes
};

// Of a str or bytes object, also of a class derived from them. False for every other, and for what is too long.
bool text_hash(const Object* object, const TextKey& key, TextHash* hash);

// The texts of a walk, of which those are written that seem to occur more than once: a hash cannot be compressed.
class Texts {
  public:
    void add(std::uint32_t id, const Object* object, const TextKey& key) {
        TextHash found;
        if (text_hash(object, key, &found)) rows_.push({id, found.length, found.hash});
    }
    // `often`: the first object of each text that does occur more than once, when that is asked for.
    void write(Writer& writer, Array<std::uint32_t>* often);

  private:
    struct Row {
        std::uint32_t id, length;
        std::uint64_t hash;
    };
    void find_often(const Array<Row>& written, Array<std::uint32_t>* often) const;
    Array<Row> rows_;
};

}  // namespace record
