#include "walk/strings.h"

#include "secrets.h"

namespace record {

bool is_str(const Object* object) { return object && (object->type->flags & tpflag::STR); }
bool is_int(const Object* object) { return object && (object->type->flags & tpflag::INT); }

std::uint32_t Text::at(std::size_t i) const {
    if (kind == 1) return static_cast<unsigned char>(data[i]);
    if (kind == 2) return load<std::uint16_t>(data, static_cast<std::ptrdiff_t>(i * 2));
    return load<std::uint32_t>(data, static_cast<std::ptrdiff_t>(i * 4));
}

Text text_of(const Object* str) {
    Text text;
    if (!is_str(str)) return text;
    const auto state = load<std::uint32_t>(str, L->str_state);
    const int kind =
        static_cast<int>((state & static_cast<unsigned>(L->str_kind_mask)) / static_cast<unsigned>(L->str_kind_one));
    if (kind != 1 && kind != 2 && kind != 4) return text;
    text.kind = kind;
    text.length = static_cast<std::size_t>(load<std::int64_t>(str, L->str_length));
    const auto base = reinterpret_cast<const char*>(str);
    if (!(state & static_cast<unsigned>(L->str_compact_mask)))
        text.data = load<const char*>(str, L->str_data);
    else
        text.data =
            base + (state & static_cast<unsigned>(L->str_ascii_mask) ? L->str_ascii_bytes : L->str_compact_bytes);
    return text;
}

namespace {

// At most four bytes of UTF-8.
std::size_t encode(std::uint32_t c, char* out) {
    const auto tail = [&](int shift) { return static_cast<char>(0x80 | ((c >> shift) & 63)); };
    if (c < 0x80) {
        out[0] = static_cast<char>(c);
        return 1;
    }
    if (c < 0x800) {
        out[0] = static_cast<char>(0xC0 | (c >> 6));
        out[1] = tail(0);
        return 2;
    }
    if (c >= 0xD800 && c < 0xE000) {
        out[0] = '?';  // a lone surrogate is not UTF-8
        return 1;
    }
    if (c < 0x10000) {
        out[0] = static_cast<char>(0xE0 | (c >> 12));
        out[1] = tail(6);
        out[2] = tail(0);
        return 3;
    }
    out[0] = static_cast<char>(0xF0 | ((c >> 18) & 7));
    out[1] = tail(12);
    out[2] = tail(6);
    out[3] = tail(0);
    return 4;
}

}  // namespace

bool text_starts_with(const Object* str, const char* bytes, std::size_t count) {
    const Text text = text_of(str);
    if (!text.data) return false;
    std::size_t at = 0;
    for (std::size_t i = 0; i < text.length && at < count; i++) {
        const std::uint32_t c = text.at(i);
        char encoded[4] = {static_cast<char>(c)};
        // What Python makes of a byte in a file name that is no UTF-8.
        const std::size_t length = c >= 0xDC80 && c < 0xDD00 ? 1 : encode(c, encoded);
        if (length > count - at || std::memcmp(bytes + at, encoded, length)) return false;
        at += length;
    }
    return at == count;
}

bool text_equals(const Object* str, const char* ascii) {
    const std::size_t count = std::strlen(ascii);
    return text_of(str).length == count && text_starts_with(str, ascii, count);
}

bool int_value(const Object* object, std::int64_t* value) {
    std::int64_t digits, sign;
    if (L->minor < 12) {
        const std::int64_t size = static_cast<const VarObject*>(object)->size;
        digits = size < 0 ? -size : size;
        sign = size < 0 ? -1 : 1;
    } else {
        const auto tag = load<std::uint64_t>(object, kIntTag);
        digits = static_cast<std::int64_t>(tag >> kIntTagBits);
        sign = 1 - static_cast<std::int64_t>(tag & 3);  // 0 positive, 1 zero, 2 negative
        if (!sign) digits = 0;
    }
    if (digits > 2) return false;
    std::int64_t total = 0;
    for (std::int64_t i = digits; i-- > 0;) total = (total << 30) | load<std::uint32_t>(object, L->int_digits + i * 4);
    *value = sign * total;
    return true;
}

void Strings::open(Writer* writer) {
    writer_ = writer;
    cache_ = static_cast<Cached*>(map_bytes(kCacheSlots * sizeof(Cached)));
    append("", 0);
}

std::uint32_t Strings::append(const char* utf8, std::size_t count) {
    writer_->bytes(STR_BYTES, utf8, count);
    end_ += count;
    close_entry();
    return count_ - 1;
}

std::uint32_t Strings::of(const char* text, std::size_t count) {
    if (!count) return 0;
    Cached& cached = slot(reinterpret_cast<std::uintptr_t>(text));
    const std::uintptr_t key = reinterpret_cast<std::uintptr_t>(text) * 2 + 1;
    // Stack buffers are reused: only strings in static storage may be remembered by address, and a
    // NUL-terminated literal is the caller's promise of that (`number` and `from_object` append).
    if (cached.key == key) return cached.id;
    cached = {key, append(text, count)};
    return cached.id;
}

std::uint32_t Strings::number(std::int64_t value) {
    char digits[24];
    int at = sizeof(digits);
    auto rest = value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
    do digits[--at] = static_cast<char>('0' + rest % 10);
    while (rest /= 10);
    if (value < 0) digits[--at] = '-';
    return append(digits + at, sizeof(digits) - static_cast<std::size_t>(at));
}

// A key or name that has a secret in it, without it: what is never written cannot be found. 0 when it has none. Looks
// further than a label is long: where a secret ends tells that it is one.
std::uint32_t Strings::masked_label(const Text& text) {
    if (text.length < secrets::kShortest) return 0;
    char utf8[4 * kLooked], masked[sizeof utf8];
    std::size_t used = 0;
    const std::size_t looked = text.length < kLooked ? text.length : kLooked;
    for (std::size_t i = 0; i < looked; i++) used += encode(text.at(i), utf8 + used);
    std::size_t count = secrets::masked(utf8, used, masked, sizeof masked);
    if (!count) return 0;
    std::size_t characters = 0, kept = 0;
    for (std::size_t i = 0; i < count; i++) {
        if ((static_cast<unsigned char>(masked[i]) & 0xC0) == 0x80) continue;
        if (characters++ == kLabelLimit - 3) kept = i;
    }
    if (characters <= kLabelLimit && text.length <= kLooked) return append(masked, count);
    if (kept) count = kept;
    std::memcpy(masked + count, "...", 3);
    return append(masked, count + 3);
}

std::uint32_t Strings::from_object(const Object* str, std::size_t limit) {
    if (muted_ || !is_str(str)) return 0;
    const Text text = text_of(str);
    if (!text.data || !text.length) return 0;
    const std::uintptr_t key = reinterpret_cast<std::uintptr_t>(str) * 2 + (limit != kLabelLimit);
    Cached& cached = slot(reinterpret_cast<std::uintptr_t>(str));
    if (cached.key == key) return cached.id;
    if (limit == kLabelLimit)
        if (const std::uint32_t id = masked_label(text)) {
            cached = {key, id};
            return id;
        }
    const bool cut = text.length > limit;
    const std::size_t kept = cut ? limit - 3 : text.length;
    char buffer[512] = {};
    std::size_t used = 0;
    const auto flush = [&] {
        writer_->bytes(STR_BYTES, buffer, used);
        end_ += used;
        used = 0;
    };
    for (std::size_t i = 0; i < kept; i++) {
        if (used > sizeof(buffer) - 4) flush();
        used += encode(text.at(i), buffer + used);
    }
    flush();
    if (cut) {
        writer_->bytes(STR_BYTES, "...", 3);
        end_ += 3;
    }
    close_entry();
    cached = {key, count_ - 1};
    return count_ - 1;
}

std::uint32_t Strings::value(const Object* text) {
    if (is_str(text)) return label(text);
    if (muted_ || !(text->type->flags & tpflag::BYTES)) return 0;
    const auto bytes = reinterpret_cast<const unsigned char*>(text) + kBytesText;
    const auto count = static_cast<std::size_t>(static_cast<const VarObject*>(text)->size);
    char plain[4 * kLooked], masked[sizeof plain];
    std::size_t used = 0;
    for (std::size_t i = 0; i < count && i < kLooked; i++) {
        if (bytes[i] >= 0x20 && bytes[i] < 0x7F && bytes[i] != '\\') {
            plain[used++] = static_cast<char>(bytes[i]);
            continue;
        }
        constexpr char kHex[] = "0123456789abcdef";
        const char escaped[] = {'\\', 'x', kHex[bytes[i] >> 4], kHex[bytes[i] & 15]};
        std::memcpy(plain + used, escaped, sizeof escaped);
        used += sizeof escaped;
    }
    const std::size_t kept = secrets::masked(plain, used, masked, sizeof masked);
    char* said = kept ? masked : plain;
    std::size_t length = kept ? kept : used;
    if (length > kLabelLimit || count > kLooked) {
        if (length > kLabelLimit - 3) length = kLabelLimit - 3;
        std::memcpy(said + length, "...", 3);
        length += 3;
    }
    return length ? append(said, length) : 0;
}

void Strings::close_entry() {
    writer_->u64(STR_ENDS, end_);
    closed_ = end_;
    count_++;
}

void Strings::recover() {
    if (end_ != closed_) close_entry();
}

}  // namespace record
