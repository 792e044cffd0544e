// The snapshot's string table, fed from str objects and C strings of the observed process.
#pragma once
#include "cpython/layout.h"
#include "walk/writer.h"

namespace record {

inline constexpr std::size_t kLabelLimit = 120;  // characters, see docs/format.md

// Characters of a str object without asking Python. `data` is null when it is not laid out as expected.
struct Text {
    const char* data = nullptr;
    std::size_t length = 0;
    int kind = 1;  // bytes for each character
    std::uint32_t at(std::size_t i) const;
};
Text text_of(const Object* str);
bool text_equals(const Object* str, const char* ascii);
// `bytes` as file names are: UTF-8, and what is none of it.
bool text_starts_with(const Object* str, const char* bytes, std::size_t count);
bool is_str(const Object* object);
bool is_int(const Object* object);
// False when the int needs more than 60 bits.
bool int_value(const Object* object, std::int64_t* value);

class Strings {
  public:
    void open(Writer* writer);
    std::uint32_t of(const char* text) { return of(text, std::strlen(text)); }
    std::uint32_t of(const char* text, std::size_t count);
    // For text that will not stay at its address.
    std::uint32_t fresh(const char* text, std::size_t count) { return count ? append(text, count) : 0; }
    std::uint32_t number(std::int64_t value);
    // A name or key without secrets (secrets.h), cut at kLabelLimit; a file name or qualified name, whole. 0 when not a
    // str.
    std::uint32_t label(const Object* str) { return from_object(str, kLabelLimit); }
    std::uint32_t whole(const Object* str) { return from_object(str, 16384); }
    // What a str or bytes object says, as `label` does; bytes as ASCII, others than printable ones escaped.
    std::uint32_t value(const Object* text);
    // A census writes the names of types only.
    bool mute(bool muted) {
        const bool before = muted_;
        muted_ = muted;
        return before;
    }
    // After a fault while text was copied: what was written of it becomes an entry nobody uses.
    void recover();

  private:
    std::uint32_t from_object(const Object* str, std::size_t limit);
    static constexpr std::size_t kLooked = 512;
    std::uint32_t masked_label(const Text& text);
    std::uint32_t append(const char* utf8, std::size_t count);
    struct Cached {
        std::uintptr_t key;
        std::uint32_t id;
    };
    // Direct-mapped by address: names are interned, so most labels repeat a recent object.
    static constexpr std::size_t kCacheSlots = 1 << 15;
    Cached* cache_ = nullptr;
    Cached& slot(std::uintptr_t key) { return cache_[((key >> 4) * 0x9E3779B97F4A7C15ull) >> 49]; }
    Writer* writer_ = nullptr;
    void close_entry();
    std::uint64_t end_ = 0, closed_ = 0;
    std::uint32_t count_ = 0;
    bool muted_ = false;
};

}  // namespace record
