#include "v8_scan.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace v8 {
namespace {

// Contents of strings serve only as the text of a key: as much of them is kept as a label shows.
constexpr std::uint64_t kMostContent = 120;

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

Scanner::~Scanner() { std::free(bytes_); }

const char* Scanner::section() const {
    switch (section_) {
        case Section::NODES: return "nodes";
        case Section::EDGES: return "edges";
        case Section::LOCATIONS: return "locations";
        case Section::STRINGS: return "strings";
        default: return "";
    }
}

bool Scanner::fail(Fault fault, std::uint64_t value) {
    fault_ = fault;
    value_ = value;
    return false;
}

bool Scanner::feed(const char* block, std::size_t size) {
    const char* at = block;
    const char* const end = block + size;
    const std::uint64_t start = offset_;
    while (at < end && fault_ == Fault::NONE) {
        const char* next = step(at, end);
        if (fault_ != Fault::NONE) break;
        at = next;
    }
    offset_ = start + static_cast<std::uint64_t>(at - block);
    return fault_ == Fault::NONE;
}

const char* Scanner::step(const char* at, const char* end) {
    switch (state_) {
        case State::NUMBERS: return numbers(at, end);
        case State::IN_STRING: return string(at, end);
        case State::SKIP: return skip(at, end);
        default: break;
    }
    const char c = *at;
    if (state_ == State::IN_KEY) {
        if (c == '"') {
            state_ = State::COLON;
        } else if (key_size_ < sizeof key_) {
            key_[key_size_++] = c;  // a longer key is none of ours: what does not fit is not compared
        }
        return at + 1;
    }
    if (is_space(c)) return at + 1;
    switch (state_) {
        case State::START:
            if (c != '{') return fail(Fault::SYNTAX), at;
            state_ = State::KEY;
            break;
        case State::KEY:
            if (c == '"') {
                key_size_ = 0;
                state_ = State::IN_KEY;
            } else if (c == '}') {
                state_ = State::DONE;
            } else if (c != ',') {
                return fail(Fault::SYNTAX), at;
            }
            break;
        case State::COLON:
            if (c != ':') return fail(Fault::SYNTAX), at;
            state_ = State::VALUE;
            break;
        case State::VALUE:
            if (!begin_value(c)) return at;
            if (state_ == State::SKIP) return at;
            break;
        case State::STRINGS:
            if (c == '"') {
                const bool is_name = ends_.size() >= is_name_.size() || is_name_[ends_.size()];
                room_ = !names_marked_ || is_name ? UINT64_MAX : kMostContent;
                is_cut_ = false;
                state_ = State::IN_STRING;
            } else if (c == ']') {
                section_ = Section::NONE;
                state_ = State::AFTER_VALUE;
            } else if (c != ',') {
                return fail(Fault::SYNTAX), at;
            }
            break;
        case State::AFTER_VALUE:
            if (c == ',')
                state_ = State::KEY;
            else if (c == '}')
                state_ = State::DONE;
            else
                return fail(Fault::SYNTAX), at;
            break;
        default: return fail(Fault::SYNTAX), at;
    }
    return at + 1;
}

bool Scanner::begin_value(char c) {
    const auto is_key = [this](const char* name) {
        return key_size_ == std::strlen(name) && std::memcmp(key_, name, key_size_) == 0;
    };
    section_ = is_key("nodes")       ? Section::NODES
               : is_key("edges")     ? Section::EDGES
               : is_key("strings")   ? Section::STRINGS
               : is_key("locations") ? Section::LOCATIONS
                                     : Section::SKIPPED;
    if (section_ == Section::SKIPPED || (section_ == Section::LOCATIONS && layout_.place_stride == 0)) {
        depth_ = 0;
        in_text_ = after_backslash_ = false;
        state_ = State::SKIP;
        return true;
    }
    if (c != '[') return fail(Fault::SYNTAX);
    const unsigned bit = 1u << static_cast<unsigned>(section_);
    if (seen_ & bit) return fail(Fault::REPEATED);
    seen_ |= bit;
    field_ = digits_ = 0;
    number_ = 0;
    stride_ = section_ == Section::NODES   ? layout_.node_stride
              : section_ == Section::EDGES ? layout_.edge_stride
                                           : layout_.place_stride;
    state_ = State::NUMBERS;
    if (section_ == Section::STRINGS) {
        state_ = State::STRINGS;
        mark_names();
    }
    return true;
}

// Strings come last in every snapshot seen; were they first, all of them would be kept whole.
void Scanner::mark_names() {
    if (node_ != columns_.nodes || edge_ != columns_.edges) return;
    // A hostile index must not choose how much is allocated; the real check is in `finish`.
    is_name_.assign(static_cast<std::size_t>(std::min<std::uint64_t>(largest_name_ + 1, node_ + edge_ + 1)), false);
    const auto mark = [this](std::uint32_t name) {
        if (name < is_name_.size()) is_name_[name] = true;
    };
    for (std::uint64_t i = 0; i < node_; ++i)
        if (columns_.node_types[i] != layout_.string_type) mark(columns_.node_names[i]);
    for (std::uint64_t i = 0; i < edge_; ++i)
        if (!((layout_.numbered_edges >> columns_.edge_types[i]) & 1)) mark(columns_.edge_names[i]);
    names_marked_ = true;
}

const char* Scanner::numbers(const char* at, const char* end) {
    std::uint64_t number = number_;
    int digits = digits_;
    for (; at < end; ++at) {
        const unsigned digit = static_cast<unsigned char>(*at) - static_cast<unsigned>('0');
        if (digit < 10) {
            number = number * 10 + digit;
            ++digits;
            continue;
        }
        if (digits != 0) {
            if (digits > 19) return fail(Fault::NUMBER), at;
            if (!emit(number)) return at;
            number = 0;
            digits = 0;
        }
        if (*at == ',' || is_space(*at)) continue;
        if (*at != ']') return fail(*at == '-' || *at == '.' || *at == 'e' ? Fault::NUMBER : Fault::SYNTAX), at;
        number_ = 0;
        digits_ = 0;
        return end_array() ? at + 1 : at;
    }
    // A run of digits may be as long as the file: the count must not wrap.
    digits_ = std::min(digits, 64);
    number_ = number;
    return at;
}

bool Scanner::emit(std::uint64_t number) {
    record_[field_++] = number;
    if (field_ != stride_) return true;
    field_ = 0;
    if (section_ == Section::NODES) return commit_node();
    if (section_ == Section::EDGES) return commit_edge();
    const std::uint64_t object = record_[layout_.place_object];
    const auto node_stride = static_cast<std::uint64_t>(layout_.node_stride);
    if (object % node_stride != 0 || object / node_stride >= columns_.nodes) return fail(Fault::TARGET, object);
    const auto clipped = [this](int field) {
        return static_cast<std::uint32_t>(std::min<std::uint64_t>(record_[field], UINT32_MAX));
    };
    places_.push_back({static_cast<std::uint32_t>(object / node_stride), clipped(layout_.place_script),
                       clipped(layout_.place_line),
                       layout_.place_column == kAbsent ? 0 : clipped(layout_.place_column)});
    return true;
}

bool Scanner::commit_node() {
    if (node_ == columns_.nodes) return fail(Fault::TOO_MANY, columns_.nodes);
    const std::uint64_t type = record_[layout_.node_type], name = record_[layout_.node_name];
    const std::uint64_t edges = record_[layout_.node_edges];
    if (type >= layout_.node_types) return fail(Fault::NODE_TYPE, type);
    if (name >= UINT32_MAX) return fail(Fault::NAME, name);
    if (edges > columns_.edges - edge_sum_) return fail(Fault::EDGE_SUM, edges);
    columns_.node_types[node_] = static_cast<std::uint8_t>(type);
    columns_.node_names[node_] = static_cast<std::uint32_t>(name);
    columns_.node_ids[node_] = record_[layout_.node_id];
    columns_.node_sizes[node_] = record_[layout_.node_size];
    columns_.node_edges[node_] = static_cast<std::uint32_t>(edges);
    columns_.node_detached[node_] =
        layout_.node_detached == kAbsent
            ? std::uint8_t{0}
            : static_cast<std::uint8_t>(std::min<std::uint64_t>(record_[layout_.node_detached], 255));
    largest_name_ = std::max(largest_name_, name);
    edge_sum_ += edges;
    ++node_;
    return true;
}

bool Scanner::commit_edge() {
    if (edge_ == columns_.edges) return fail(Fault::TOO_MANY, columns_.edges);
    const std::uint64_t type = record_[layout_.edge_type], name = record_[layout_.edge_name];
    const std::uint64_t target = record_[layout_.edge_target];
    const auto node_stride = static_cast<std::uint32_t>(layout_.node_stride);
    if (type >= layout_.edge_types) return fail(Fault::EDGE_TYPE, type);
    // Indexes are of 32 bits in V8: the division is then twice as fast.
    if (target > UINT32_MAX) return fail(Fault::TARGET, target);
    const std::uint32_t node = static_cast<std::uint32_t>(target) / node_stride;
    if (node >= columns_.nodes || node * node_stride != target) return fail(Fault::TARGET, target);
    const bool is_named = !((layout_.numbered_edges >> type) & 1);
    if (is_named) {
        if (name >= UINT32_MAX) return fail(Fault::NAME, name);
        largest_name_ = std::max(largest_name_, name);
    }
    columns_.edge_types[edge_] = static_cast<std::uint8_t>(type);
    columns_.edge_names[edge_] = static_cast<std::uint32_t>(std::min<std::uint64_t>(name, UINT32_MAX));
    columns_.edge_targets[edge_] = node;
    ++edge_;
    return true;
}

bool Scanner::end_array() {
    if (section_ == Section::NODES && node_ != columns_.nodes) return fail(Fault::TOO_FEW, node_);
    if (section_ == Section::EDGES && edge_ != columns_.edges) return fail(Fault::TOO_FEW, edge_);
    if (field_ != 0) return fail(Fault::PARTIAL);
    section_ = Section::NONE;
    state_ = State::AFTER_VALUE;
    return true;
}

const char* Scanner::string(const char* at, const char* end) {
    while (at < end) {
        if (escape_ != 0) {
            at = escaped(at, end);
            if (fault_ != Fault::NONE) return at;
            continue;
        }
        const char* run = at;
        while (run < end && *run != '"' && *run != '\\') ++run;
        if (run != at) {
            if (high_surrogate_ != 0 && !put("?", 1)) return at;
            high_surrogate_ = 0;
            if (!put(at, static_cast<std::size_t>(run - at))) return at;
            at = run;
            if (at == end) return at;
        }
        if (*at == '\\') {
            escape_ = 1;
            ++at;
            continue;
        }
        if (high_surrogate_ != 0 && !put("?", 1)) return at;
        high_surrogate_ = 0;
        end_string();
        return at + 1;
    }
    return at;
}

const char* Scanner::escaped(const char* at, const char*) {
    const char c = *at;
    if (escape_ == 1) {
        if (c == 'u') {
            escape_ = 5;
            code_ = 0;
            return at + 1;
        }
        static constexpr char kFrom[] = "\"\\/bfnrt", kTo[] = "\"\\/\b\f\n\r\t";
        const char* found = std::strchr(kFrom, c);
        if (c == 0 || !found) return fail(Fault::STRING), at;
        if (high_surrogate_ != 0 && !put("?", 1)) return at;
        high_surrogate_ = escape_ = 0;
        if (!put(&kTo[found - kFrom], 1)) return at;
        return at + 1;
    }
    const int digit = hex_digit(c);
    if (digit < 0) return fail(Fault::STRING), at;
    code_ = code_ * 16 + static_cast<std::uint32_t>(digit);
    if (--escape_ > 1) return at + 1;
    escape_ = 0;
    const bool is_high = code_ >= 0xD800 && code_ < 0xDC00, is_low = code_ >= 0xDC00 && code_ < 0xE000;
    if (is_low && high_surrogate_ != 0) {
        const std::uint32_t pair = 0x10000 + ((high_surrogate_ - 0xD800) << 10) + (code_ - 0xDC00);
        high_surrogate_ = 0;
        if (!put_code_point(pair)) return at;
        return at + 1;
    }
    if (high_surrogate_ != 0 && !put("?", 1)) return at;
    high_surrogate_ = is_high ? code_ : 0;
    if (is_high) return at + 1;
    if (!put_code_point(is_low ? '?' : code_)) return at;
    return at + 1;
}

bool Scanner::put_code_point(std::uint32_t c) {
    const auto byte = [](std::uint32_t value) { return static_cast<char>(value); };
    char utf8[4];
    std::size_t size = 0;
    if (c < 0x80) {
        utf8[size++] = byte(c);
    } else if (c < 0x800) {
        utf8[size++] = byte(0xC0 | (c >> 6));
    } else if (c < 0x10000) {
        utf8[size++] = byte(0xE0 | (c >> 12));
        utf8[size++] = byte(0x80 | ((c >> 6) & 0x3F));
    } else {
        utf8[size++] = byte(0xF0 | (c >> 18));
        utf8[size++] = byte(0x80 | ((c >> 12) & 0x3F));
        utf8[size++] = byte(0x80 | ((c >> 6) & 0x3F));
    }
    if (c >= 0x80) utf8[size++] = byte(0x80 | (c & 0x3F));
    return put(utf8, size);
}

bool Scanner::put(const char* bytes, std::size_t size) {
    if (size > room_) {
        size = static_cast<std::size_t>(room_);
        is_cut_ = true;
    }
    if (capacity_ - used_ < size) {
        const std::uint64_t wanted = std::max(capacity_ * 2, used_ + size + 4096);
        void* const grown = std::realloc(bytes_, wanted);
        if (!grown) return fail(Fault::MEMORY, wanted);
        bytes_ = static_cast<char*>(grown);
        capacity_ = wanted;
    }
    if (size != 0) std::memcpy(bytes_ + used_, bytes, size);
    used_ += size;
    room_ -= size;
    return true;
}

void Scanner::end_string() {
    if (is_cut_) {
        // Not in the middle of a character, and never into the string before this one.
        const std::uint64_t start = ends_.empty() ? 0 : ends_.back();
        const auto last = [this] { return static_cast<unsigned char>(bytes_[used_ - 1]); };
        while (used_ > start && (last() & 0xC0) == 0x80) --used_;
        if (used_ > start && last() >= 0xC0) --used_;
        room_ = UINT64_MAX;
        put("...", 3);
    }
    ends_.push_back(used_);
    state_ = State::STRINGS;
}

const char* Scanner::skip(const char* at, const char* end) {
    for (; at < end; ++at) {
        const char c = *at;
        if (in_text_) {
            if (after_backslash_)
                after_backslash_ = false;
            else if (c == '\\')
                after_backslash_ = true;
            else if (c == '"')
                in_text_ = false;
            continue;
        }
        if (c == '"') {
            in_text_ = true;
        } else if (c == '[' || c == '{') {
            ++depth_;
        } else if (c == ']' || c == '}') {
            // The brace that closes the whole file ends a bare number or word.
            if (depth_ == 0) break;
            --depth_;
        } else if (c == ',' && depth_ == 0) {
            break;
        }
    }
    if (at < end) {
        section_ = Section::NONE;
        state_ = State::AFTER_VALUE;
    }
    return at;
}

bool Scanner::finish() {
    if (fault_ != Fault::NONE) return false;
    if (state_ != State::DONE) return fail(Fault::CUT);
    const auto has = [this](Section section) { return (seen_ >> static_cast<unsigned>(section)) & 1u; };
    if (!has(Section::NODES) || !has(Section::EDGES) || !has(Section::STRINGS)) return fail(Fault::CUT);
    if (edge_sum_ != edge_) return fail(Fault::EDGE_SUM, edge_sum_);
    if ((node_ != 0 || edge_ != 0) && largest_name_ >= ends_.size()) return fail(Fault::NAME, largest_name_);
    return true;
}

}  // namespace v8
