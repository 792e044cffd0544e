#include "secrets.h"

#include <cstdint>
#include <cstring>
#include <initializer_list>

namespace secrets {
namespace {

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alnum(char c) { return is_lower(c) || is_upper(c) || is_digit(c); }
bool is_token(char c) { return is_alnum(c) || c == '_' || c == '-'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
char lowered(char c) { return is_upper(c) ? static_cast<char>(c + 32) : c; }

struct View {
    const char* data;
    std::size_t count;
    char operator[](std::size_t i) const { return data[i]; }
    bool starts_with(const char* word, std::size_t at = 0) const {
        const std::size_t length = std::strlen(word);
        return count - at >= length && std::memcmp(data + at, word, length) == 0;
    }
};

struct Span {
    std::size_t start = 0, end = 0;
    explicit operator bool() const { return end > start; }
};

// Tokens of services, by their first letters, and how many characters follow at least. Where the letters may
// begin a name as well (`sk-learn-...`), what follows must look like chance.
constexpr struct {
    const char* word;
    std::size_t at_least;
    bool is_telling;
} kPrefixes[] = {
    {"sk_live_", 10, true}, {"sk_test_", 10, true}, {"rk_live_", 10, true},    {"rk_test_", 10, true},
    {"whsec_", 16, true},   {"ghp_", 20, true},     {"gho_", 20, true},        {"ghu_", 20, true},
    {"ghs_", 20, true},     {"ghr_", 20, true},     {"github_pat_", 20, true}, {"glpat-", 16, true},
    {"xoxb-", 10, true},    {"xoxp-", 10, true},    {"xoxa-", 10, true},       {"xoxr-", 10, true},
    {"xoxs-", 10, true},    {"xapp-", 10, true},    {"AIza", 30, true},        {"ya29.", 20, true},
    {"dop_v1_", 30, true},  {"shpat_", 20, true},   {"shpss_", 20, true},      {"lin_api_", 20, true},
    {"sk-", 16, false},     {"npm_", 30, false},    {"pypi-", 30, false},      {"hf_", 20, false},
    {"SG.", 20, false},     {"gsk_", 20, false},    {"xai-", 20, false},
};

// Words whose value is a secret: `name=value`, `name: value`. A longer name may end with one of them, and with
// those of kWords only as a word of its own. kWeak ones count in the query of a URL, for long values.
constexpr const char* kNames[] = {
    "apikey",   "accesskey", "secretkey",  "privatekey",    "sharedkey",  "accountkey",  "token",     "secret",
    "password", "passwd",    "passphrase", "authorization", "credential", "credentials", "sessionid",
};
constexpr const char* kWords[] = {"signature", "sig", "pwd", "cookie", "bearer"};
constexpr const char* kWeak[] = {"key", "code", "auth", "state"};
constexpr std::size_t kWeakLength = 16;

// A letter and a digit at least, as what a generator makes has, and what a word lacks.
bool is_mixed(View text, std::size_t start, std::size_t end) {
    bool has_letter = false, has_digit = false;
    for (std::size_t i = start; i < end; i++) {
        has_letter |= is_lower(text[i]) || is_upper(text[i]);
        has_digit |= is_digit(text[i]);
    }
    return has_letter && has_digit;
}

struct Letters {
    std::size_t count = 0, digits = 0, lower = 0, upper = 0, hex = 0, changes = 0, longest = 0, word = 0;
};

// Letters and digits of a part of the text; `changes` between kinds of neighbours, `longest` without a separator,
// `word` in small letters.
Letters letters_of(View text, std::size_t start, std::size_t end) {
    Letters all;
    std::size_t run = 0, small = 0;
    int before = 0;
    for (std::size_t i = start; i < end; i++) {
        const char c = text[i];
        const int kind = is_digit(c) ? 1 : is_lower(c) ? 2 : is_upper(c) ? 3 : 0;
        all.digits += kind == 1;
        all.lower += kind == 2;
        all.upper += kind == 3;
        all.hex += is_hex(c);
        run = kind ? run + 1 : 0;
        if (run > all.longest) all.longest = run;
        small = kind == 2 ? small + 1 : 0;
        if (small > all.word) all.word = small;
        all.changes += kind && before && kind != before;
        before = kind;
    }
    all.count = all.digits + all.lower + all.upper;
    return all;
}

// 32 characters or more that change between digits, small and capital letters as only chance does: a name made of
// words changes at each word. In hexadecimal 40 or more: 32 digits are a UUID, or the number of a trace.
bool is_random(View text, std::size_t start, std::size_t end) {
    if (end - start < 32) return false;
    const Letters all = letters_of(text, start, end);
    if (!all.digits || all.digits == all.count || all.longest < 13) return false;
    if (all.hex == all.count) return all.longest >= 40 && 8 * all.changes >= all.count;
    // `TestPositionalsNargsNoneOneOrMore1` has one digit.
    if (all.lower && all.upper) return (all.digits > 1 ? 5 : 4) * all.changes >= 2 * all.count;
    return 4 * all.changes >= all.count;
}

// The ordinary base64 of 40 or more characters, whose `/` and `+` cut a token in pieces: the whole text.
bool is_base64(View text) {
    if (text.count < 40) return false;
    bool has_sign = false;
    for (std::size_t i = 0; i < text.count; i++) {
        const char c = text[i];
        has_sign |= c == '+' || c == '/';
        if (!is_alnum(c) && c != '+' && c != '/' && !(c == '=' && i + 2 >= text.count)) return false;
    }
    const Letters all = letters_of(text, 0, text.count);
    if (!has_sign || all.digits < 1 || all.upper < 2 || all.lower < 2) return false;
    // The secret keys of AWS have 40 characters; routes with as many are made of words.
    return 5 * all.changes >= 2 * all.count || (text.count == 40 && 4 * all.changes >= all.count && all.word < 5);
}

// Ids begin with a word: `chatcmpl-`, `run_`, `step_`.
std::size_t behind_words(View text, std::size_t start, std::size_t end) {
    for (;;) {
        std::size_t at = start;
        while (at < end && is_lower(text[at])) at++;
        if (at == start || at - start > 12 || at == end || (text[at] != '-' && text[at] != '_')) return start;
        start = at + 1;
    }
}

// `eyJhbGciOi....eyJzdWIi....signature`: three parts in base64url, or the five of an encrypted one.
Span web_token(View text, std::size_t at) {
    if (!text.starts_with("eyJ", at)) return {};
    std::size_t end = at, dots = 0;
    while (end < text.count && (is_token(text[end]) || text[end] == '.')) dots += text[end++] == '.';
    // One that was cut has lost its end.
    return end - at >= 32 && (dots >= 1 || end - at >= 60) ? Span{at, end} : Span{};
}

Span service_token(View text, std::size_t at) {
    for (const auto& prefix : kPrefixes) {
        if (text[at] != prefix.word[0] || !text.starts_with(prefix.word, at)) continue;
        const std::size_t start = at + std::strlen(prefix.word);
        std::size_t end = start;
        while (end < text.count && (is_token(text[end]) || text[end] == '.' || text[end] == '/' || text[end] == '+'))
            end++;
        if (end - start < prefix.at_least || !is_mixed(text, start, end)) continue;
        const Letters all = letters_of(text, start, end);
        const bool is_chance = all.longest >= 24 || (all.longest >= 10 && 8 * all.changes >= all.count);
        if (all.longest >= 10 && (prefix.is_telling || is_chance)) return {start, end};
    }
    // The ids of keys at AWS.
    if (text.starts_with("AKIA", at) || text.starts_with("ASIA", at)) {
        std::size_t end = at + 4;
        while (end < text.count && (is_upper(text[end]) || is_digit(text[end]))) end++;
        if (end - at == 20 && (end == text.count || !is_token(text[end]))) return {at + 4, end};
    }
    return {};
}

bool ends_value(char c, char quote) {
    if (quote) return c == quote;
    return c == '&' || c == ' ' || c == ';' || c == ',' || c == '#' || c == '"' || c == '\'' || c == '>' || c == ')' ||
           c == ']' || c == '}' || c == '\n' || c == '\r' || c == '\t';
}

// Numbers, words that switch something, and places that something else is put into are no secrets.
bool is_plain_value(View text, Span value) {
    if (std::strchr("%{$<[(^", text[value.start])) return true;
    const std::size_t count = value.end - value.start;
    bool is_number = true, is_stars = true;
    for (std::size_t i = value.start; i < value.end; i++) {
        is_number &= is_digit(text[i]) || text[i] == '.';
        is_stars &= text[i] == '*';
    }
    if (is_number || is_stars) return true;
    for (const char* word :
         {"true", "false", "none", "null", "nil", "undefined", "yes", "no", "str", "bytes", "string"}) {
        if (std::strlen(word) != count) continue;
        std::size_t i = 0;
        while (i < count && lowered(text[value.start + i]) == word[i]) i++;
        if (i == count) return true;
    }
    return false;
}

enum class Name { OTHER, WEAK, TELLING };

// What the letters before `end` spell, with any `_` and `-` between. `max_tokens` and `author` end otherwise.
Name name_before(View text, std::size_t end) {
    char letters[24];
    bool begins[24];  // a word begins here
    std::size_t used = 0;
    std::size_t at = end;
    while (at > 0 && used < sizeof letters) {
        const char c = text[at - 1];
        if (is_alnum(c)) {
            const bool first = at == 1 || !is_alnum(text[at - 2]) || (is_upper(c) && !is_upper(text[at - 2]));
            letters[used] = lowered(c);
            begins[used++] = first;
        } else if (c != '_' && c != '-') {
            break;
        }
        at--;
    }
    const auto spells = [&](const char* word, bool as_word) {
        const std::size_t length = std::strlen(word);
        if (used < length || (as_word && !begins[length - 1])) return false;
        for (std::size_t i = 0; i < length; i++)
            if (letters[i] != word[length - 1 - i]) return false;
        return true;
    };
    for (const char* word : kNames)
        if (spells(word, false)) return Name::TELLING;
    for (const char* word : kWords)
        if (spells(word, true)) return Name::TELLING;
    for (const char* word : kWeak)
        if (spells(word, true)) return Name::WEAK;
    return Name::OTHER;
}

// The value after a `=` or `:` at `at`, when the name before it says that it is a secret.
Span named_value(View text, std::size_t at) {
    const char mark = text[at];
    if (mark != '=' && mark != ':') return {};
    std::size_t name_end = at;
    if (name_end && (text[name_end - 1] == '"' || text[name_end - 1] == '\'')) name_end--;
    bool is_query = false;
    for (std::size_t i = name_end; i > 0 && mark == '='; i--) {
        if (text[i - 1] == '?' || text[i - 1] == '&') is_query = true;
        if (!is_token(text[i - 1])) break;
    }
    const Name name = name_before(text, name_end);
    if (name == Name::OTHER || (name == Name::WEAK && !is_query)) return {};
    std::size_t start = at + 1;
    while (start < text.count && text[start] == ' ') start++;
    char quote = 0;
    if (start < text.count && (text[start] == '"' || text[start] == '\'')) quote = text[start++];
    for (const char* scheme : {"Bearer ", "Basic ", "Token ", "bearer ", "basic "})
        if (text.starts_with(scheme, start)) start += std::strlen(scheme);
    std::size_t end = start;
    while (end < text.count && !ends_value(text[end], quote)) end++;
    const Span value{start, end};
    if (name == Name::WEAK && (end - start < kWeakLength || !is_mixed(text, start, end))) return {};
    return value && !is_plain_value(text, value) ? value : Span{};
}

Span bearer(View text, std::size_t at) {
    for (const char* scheme : {"Bearer ", "Basic "}) {
        if (!text.starts_with(scheme, at)) continue;
        const std::size_t start = at + std::strlen(scheme);
        std::size_t end = start;
        while (end < text.count && !ends_value(text[end], 0)) end++;
        if (end - start >= 12 && is_mixed(text, start, end)) return {start, end};
    }
    return {};
}

// `user:password@` behind `scheme://`: the password, or all of it when there is no colon.
Span url_credentials(View text, std::size_t at) {
    if (!text.starts_with("://", at)) return {};
    std::size_t start = at + 3, end = start;
    std::size_t found = 0;
    while (end < text.count && text[end] != '/' && text[end] != '?' && text[end] != '#' && text[end] != ' ' &&
           text[end] != '"' && text[end] != '\'') {
        if (text[end] == '@') found = end;
        end++;
    }
    if (!found) return {};
    for (std::size_t i = start; i < found; i++) {
        if (text[i] == ':') {
            start = i + 1;
            break;
        }
    }
    const Span value{start, found};
    return value && !is_plain_value(text, value) ? value : Span{};
}

// The part of a mail address before its `@`: whom it is about, and nothing that a leak is found by.
Span mailbox(View text, std::size_t at) {
    if (text[at] != '@' || !at) return {};
    std::size_t start = at;
    while (start > 0 && (is_token(text[start - 1]) || text[start - 1] == '.' || text[start - 1] == '+' ||
                         text[start - 1] == '%' || static_cast<unsigned char>(text[start - 1]) >= 0x80))
        start--;
    std::size_t end = at + 1, dot = 0;
    while (end < text.count && (is_alnum(text[end]) || text[end] == '-' || text[end] == '.')) {
        if (text[end] == '.') dot = end;
        end++;
    }
    std::size_t letters = 0;
    for (std::size_t i = dot + 1; dot && i < end; i++) letters += is_lower(text[i]);
    // `logo@2x.png`
    if (end - at > 2 && is_digit(text[at + 1]) && text[at + 2] == 'x') return {};
    const bool is_domain = dot > at + 1 && letters >= 2 && letters == end - dot - 1;
    return start < at && is_domain ? Span{start, at} : Span{};
}

// Names of files and modules hold digests, and a reader needs them.
bool is_path(View text) {
    if (text[0] == '/' || text[0] == '.' || text[0] == '~' || text.starts_with("file:")) return true;
    return text.count > 3 && text[1] == ':' && text[2] == '\\';
}

bool is_private_key(View text) {
    if (!text.starts_with("-----BEGIN ")) return false;
    for (std::size_t at = 11; at < text.count && at < 40; at++)
        if (text.starts_with("PRIVATE KEY", at)) return true;
    return false;
}

// A digest of an algorithm that is named is public: `sha256:...`, `sha512-...`.
bool names_a_digest(View text, std::size_t start) {
    for (const char* word : {"sha1", "sha256", "sha384", "sha512", "md5"}) {
        const std::size_t length = std::strlen(word) + 1;
        if (start >= length && text.starts_with(word, start - length)) return true;
        if (text.starts_with(word, start)) return true;
    }
    return false;
}

class Output {
  public:
    Output(char* out, std::size_t capacity) : out_(out), capacity_(capacity) {}
    void add(const char* text, std::size_t count) {
        const std::size_t room = capacity_ - used_;
        if (count > room) {
            count = room;
            while (count && (static_cast<unsigned char>(text[count]) & 0xC0) == 0x80) count--;
            capacity_ = used_ + count;
        }
        std::memcpy(out_ + used_, text, count);
        used_ += count;
    }
    std::size_t used() const { return used_; }

  private:
    char* out_;
    std::size_t capacity_, used_ = 0;
};

// The characters that a rule may begin at; all others are passed at once.
bool may_begin(char c) { return c == '=' || c == ':' || c == '@' || is_alnum(c); }

}  // namespace

std::size_t masked(const char* data, std::size_t count, char* out, std::size_t capacity) {
    if (count < kShortest) return 0;
    const View text{data, count};
    Output output(out, capacity);
    std::size_t written = 0;  // of the text
    bool found_any = false;
    const auto replace = [&](Span span) {
        output.add(data + written, span.start - written);
        output.add("***", 3);
        written = span.end;
        found_any = true;
    };
    if (is_private_key(text)) {
        output.add("-----BEGIN ***", 14);
        return output.used();
    }
    const bool path = is_path(text);
    if (!path && is_base64(text)) {
        output.add("***", 3);
        return output.used();
    }
    for (std::size_t at = 0; at < count;) {
        const char c = text[at];
        if (!may_begin(c)) {
            at++;
            continue;
        }
        Span span;
        if (c == '=' || c == ':') {
            span = c == ':' ? url_credentials(text, at) : Span{};
            if (!span) span = named_value(text, at);
        } else if (c == '@') {
            span = mailbox(text, at);
            // What is before it is masked already, or masked now up to here.
            if (span && span.start < written) span = {};
            if (span) {
                replace(span);
                at++;
                continue;
            }
        } else {
            const bool begins = at == 0 || !is_token(text[at - 1]);
            if (begins) {
                span = web_token(text, at);
                if (!span) span = service_token(text, at);
                if (!span) span = bearer(text, at);
            }
            if (!span && begins) {
                std::size_t end = at;
                while (end < count && is_token(text[end])) end++;
                while (end < count && text[end] == '=') end++;
                const std::size_t start = behind_words(text, at, end);
                if (!path && !names_a_digest(text, at) && is_random(text, start, end)) span = {start, end};
                if (!span) {
                    // Nothing begins inside a token but what its end says.
                    while (at < count && is_token(text[at])) at++;
                    continue;
                }
            }
        }
        if (span && span.start >= written) {
            replace(span);
            at = span.end;
        } else {
            at++;
        }
    }
    if (!found_any) return 0;
    output.add(data + written, count - written);
    return output.used();
}

}  // namespace secrets
