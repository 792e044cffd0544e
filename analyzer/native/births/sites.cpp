#include "births/sites.h"

#include "births/births.h"
#include "cpython/layout.h"
#include "walk/code.h"
#include "walk/strings.h"
#include "walk/walk.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <cstring>

namespace sites {
namespace {

using record::L;
using record::load;
using record::Object;

constexpr std::size_t kCacheSlots = 1 << 15;
constexpr std::size_t kRows = 1 << 20;
constexpr std::size_t kTexts = 1 << 19;
constexpr std::size_t kCodes = 1 << 20;
constexpr std::size_t kTextBytes = 1 << 27;
constexpr std::size_t kLongestText = 4096;
constexpr std::uint32_t kOwnSite = 0xFFFFFFFF;

struct Cached {
    const Object* code;
    std::int32_t offset;
    std::uint32_t site;
};
struct Code {
    const Object* code;
    std::uint32_t file;
    std::uint32_t function;
    bool is_own;
};
struct Span {
    std::uint32_t start;
    std::uint32_t bytes;
};

// One sparse mapping for all: it costs the pages that are used, and never moves, so that the hook
// needs neither malloc nor a lock.
struct Tables {
    Cached cache[kCacheSlots];
    Row rows[kRows];
    std::uint32_t row_slots[kRows * 2];  // row + 1
    Span texts[kTexts];
    std::uint32_t text_slots[kTexts * 2];  // text + 1
    Code codes[kCodes];
    char bytes[kTextBytes];
};

struct State {
    Tables* tables;
    std::uint32_t row_count;
    std::uint32_t text_count;
    std::uint32_t code_count;
    std::uint32_t byte_count;
    std::uint64_t lost;
    const void* interpreter;
    const record::TypeObject* code_type;
    std::size_t code_header;
    void* (*thread_state)();
    char own_folder[1024];
};
State state;

inline std::uint64_t mixed(std::uint64_t value) {
    value *= 0x9E3779B97F4A7C15ull;
    return value ^ (value >> 29);
}

std::uint32_t add_text(std::uint32_t bytes) {
    Tables& tables = *state.tables;
    const char* const utf8 = tables.bytes + state.byte_count;
    std::uint64_t hash = bytes;
    for (std::uint32_t i = 0; i < bytes; ++i) hash = (hash ^ static_cast<unsigned char>(utf8[i])) * 0x100000001B3ull;
    for (std::size_t at = mixed(hash) % (kTexts * 2);; at = (at + 1) % (kTexts * 2)) {
        std::uint32_t& slot = tables.text_slots[at];
        if (slot == 0) {
            tables.texts[state.text_count] = {state.byte_count, bytes};
            state.byte_count += bytes;
            return (slot = ++state.text_count) - 1;
        }
        const Span& known = tables.texts[slot - 1];
        if (known.bytes == bytes && std::memcmp(tables.bytes + known.start, utf8, bytes) == 0) return slot - 1;
    }
}

// Without PyUnicode_AsUTF8, which would keep a copy in the observed heap.
std::uint32_t add_text_of(const Object* str) {
    const record::Text text = record::text_of(str);
    char* const start = state.tables->bytes + state.byte_count;
    char* at = start;
    for (std::size_t i = 0; text.data != nullptr && i < text.length && i < kLongestText; ++i) {
        const std::uint32_t c = text.at(i);
        if (c < 0x80) {
            *at++ = static_cast<char>(c);
        } else if (c < 0x800) {
            *at++ = static_cast<char>(0xC0 | c >> 6);
            *at++ = static_cast<char>(0x80 | (c & 63));
        } else if (c >= 0xD800 && c < 0xE000) {
            *at++ = '?';
        } else if (c < 0x10000) {
            *at++ = static_cast<char>(0xE0 | c >> 12);
            *at++ = static_cast<char>(0x80 | (c >> 6 & 63));
            *at++ = static_cast<char>(0x80 | (c & 63));
        } else {
            *at++ = static_cast<char>(0xF0 | c >> 18);
            *at++ = static_cast<char>(0x80 | (c >> 12 & 63));
            *at++ = static_cast<char>(0x80 | (c >> 6 & 63));
            *at++ = static_cast<char>(0x80 | (c & 63));
        }
    }
    return add_text(static_cast<std::uint32_t>(at - start));
}

std::size_t home_of(const Object* code) { return mixed(reinterpret_cast<std::uintptr_t>(code) >> 4) % kCodes; }

// Null when the table is full: half empty slots keep the probes short.
Code* know_code(const Object* code) {
    Tables& tables = *state.tables;
    std::size_t at = home_of(code);
    for (; tables.codes[at].code != nullptr; at = (at + 1) % kCodes)
        if (tables.codes[at].code == code) return &tables.codes[at];
    const bool is_full = state.code_count >= kCodes / 2 || state.text_count + 2 > kTexts ||
                         state.byte_count + 8 * kLongestText > kTextBytes;
    if (is_full || !births::add_to_site(reinterpret_cast<const char*>(code) - state.code_header, kCodeBlock))
        return nullptr;
    ++state.code_count;
    const Object* const file = record::object_at(code, L->code_filename);
    const std::size_t own = std::strlen(state.own_folder);
    tables.codes[at] = {code, add_text_of(file), add_text_of(record::object_at(code, L->code_qualname)),
                        own != 0 && record::text_starts_with(file, state.own_folder, own)};
    return &tables.codes[at];
}

std::uint32_t site_of(const Code& code, std::uint32_t line) {
    Tables& tables = *state.tables;
    const std::uint64_t key =
        (static_cast<std::uint64_t>(code.file) << 32 | code.function) ^ static_cast<std::uint64_t>(line) << 17;
    for (std::size_t at = mixed(key) % (kRows * 2);; at = (at + 1) % (kRows * 2)) {
        std::uint32_t& slot = tables.row_slots[at];
        if (slot == 0) {
            if (state.row_count == kRows) return 0;
            tables.rows[state.row_count] = {code.file, code.function, line};
            return slot = ++state.row_count;
        }
        const Row& known = tables.rows[slot - 1];
        if (known.file == code.file && known.function == code.function && known.line == line) return slot;
    }
}

Cached& cached(const Object* code, std::int32_t offset) {
    const auto address = reinterpret_cast<std::uintptr_t>(code);
    return state.tables->cache[mixed(address >> 4 ^ static_cast<std::uint64_t>(offset) << 32) % kCacheSlots];
}

__attribute__((noinline)) void fill(Cached& entry, const char* frame, const Object* code, std::int32_t offset) {
    entry = {code, offset, 0};
    const Code* const known = know_code(code);
    if (known == nullptr) {
        entry.code = nullptr;
    } else if (known->is_own) {
        entry.site = kOwnSite;
    } else {
        const std::int64_t line = record::frame_line(frame, code);
        entry.site = site_of(*known, line > 0 ? static_cast<std::uint32_t>(line) : 0);
    }
    if (entry.site == 0) ++state.lost;
}

const char* innermost_frame(const void* thread) {
    if (L->ts_frame >= 0) return load<const char*>(thread, L->ts_frame);
    return load<const char*>(load<const char*>(thread, L->ts_cframe), L->cframe_frame);
}

}  // namespace

const char* start(const char* own_folder) {
    if (const char* reason = record::layout_select()) return reason;
    void* thread_state = dlsym(RTLD_DEFAULT, "PyThreadState_GetUnchecked");
    if (thread_state == nullptr) thread_state = dlsym(RTLD_DEFAULT, "_PyThreadState_UncheckedGet");
    const auto* const code_type = static_cast<const record::TypeObject*>(dlsym(RTLD_DEFAULT, "PyCode_Type"));
    if (thread_state == nullptr || code_type == nullptr) return "this interpreter does not show its frames";
    if (state.tables != nullptr) munmap(state.tables, sizeof(Tables));
    state = State{};
    void* const memory =
        mmap(nullptr, sizeof(Tables), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return "there is no address space for the table of sites";
    state.tables = static_cast<Tables*>(memory);
    state.thread_state = reinterpret_cast<void* (*)()>(thread_state);
    state.code_type = code_type;
    state.code_header = record::header_bytes(code_type, (code_type->flags & record::tpflag::HAVE_GC) != 0);
    state.interpreter = load<const void*>(state.thread_state(), L->ts_interp);
    std::strncpy(state.own_folder, own_folder, sizeof state.own_folder - 1);
    return nullptr;
}

std::uint32_t now() {
    // 3.12 and later put frames of no function between those of Python, 3.14 tags the words.
    constexpr std::uint8_t kOwnedByInterpreter = 3;
    constexpr std::uintptr_t kTags = 3;
    const void* const thread = state.thread_state();
    if (thread == nullptr || load<const void*>(thread, L->ts_interp) != state.interpreter) return 0;
    for (const char* frame = innermost_frame(thread); frame != nullptr;
         frame = load<const char*>(frame, L->frame_previous)) {
        if (load<std::uint8_t>(frame, L->frame_owner) >= kOwnedByInterpreter) continue;
        const auto* const code = reinterpret_cast<const Object*>(load<std::uintptr_t>(frame, L->frame_code) & ~kTags);
        if (code == nullptr || code->type != state.code_type) continue;
        const char* const instructions = reinterpret_cast<const char*>(code) + L->code_adaptive;
        const auto offset = static_cast<std::int32_t>(load<const char*>(frame, L->frame_instr) - instructions);
        Cached& entry = cached(code, offset);
        if (__builtin_expect(entry.code != code || entry.offset != offset, 0)) fill(entry, frame, code, offset);
        if (entry.site != kOwnSite) return entry.site;
    }
    return 0;
}

void forget(const void* code_block) {
    Tables& tables = *state.tables;
    const auto* const code = reinterpret_cast<const Object*>(static_cast<const char*>(code_block) + state.code_header);
    for (Cached& entry : tables.cache)
        if (entry.code == code) entry = {};
    std::size_t hole = home_of(code);
    while (tables.codes[hole].code != code) {
        if (tables.codes[hole].code == nullptr) return;
        hole = (hole + 1) % kCodes;
    }
    // Linear probing without tombstones: later entries move up unless that would put them before home.
    for (std::size_t at = (hole + 1) % kCodes; tables.codes[at].code != nullptr; at = (at + 1) % kCodes) {
        const std::size_t home = home_of(tables.codes[at].code);
        if ((at - home) % kCodes < (at - hole) % kCodes) continue;
        tables.codes[hole] = tables.codes[at];
        hole = at;
    }
    tables.codes[hole] = {};
    --state.code_count;
}

std::uint32_t rows() { return state.row_count; }
Row row(std::uint32_t index) { return state.tables->rows[index]; }
std::uint32_t texts() { return state.text_count; }
Text text(std::uint32_t index) {
    const Span& span = state.tables->texts[index];
    return {state.tables->bytes + span.start, span.bytes};
}
std::uint64_t lost() { return state.lost; }

}  // namespace sites
