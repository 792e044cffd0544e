// Streaming scan of a V8 `.heapsnapshot`: JSON whose bulk is three arrays of numbers and one of strings.
// Bytes are pushed in blocks of any size; columns are written where the caller wants them. No tree of
// JSON is ever built, no Python here: the fuzzer links this part alone.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace v8 {

constexpr int kAbsent = -1;
constexpr int kMostFields = 16;

// Positions of the fields that `meta` announces; kAbsent for one that this version does not write.
struct Layout {
    int node_stride, node_type, node_name, node_id, node_size, node_edges, node_detached;
    int edge_stride, edge_type, edge_name, edge_target;
    int place_stride, place_object, place_script, place_line, place_column;
    std::uint32_t node_types, edge_types;  // how many of each there are
    int string_type;                       // of nodes that are strings: their names are contents
    std::uint64_t numbered_edges;          // bit t: the name of edges of type t is a number
};

// The caller's arrays; all of `nodes` and `edges` items.
struct Columns {
    std::uint64_t nodes, edges;
    std::uint8_t* node_types;
    std::uint32_t* node_names;
    std::uint64_t* node_ids;
    std::uint64_t* node_sizes;
    std::uint32_t* node_edges;
    std::uint8_t* node_detached;
    std::uint8_t* edge_types;
    std::uint32_t* edge_names;
    std::uint32_t* edge_targets;
};

struct Place {
    std::uint32_t object, script, line, column;
};

enum class Fault {
    NONE,
    SYNTAX,     // not the JSON of a heap snapshot
    NUMBER,     // a number that is negative, fractional or too large
    TOO_MANY,   // more numbers than `snapshot` announces
    TOO_FEW,    // fewer; `value` is what there is
    PARTIAL,    // the last record lacks fields
    REPEATED,   // a section that occurs twice
    NODE_TYPE,  // a type that `meta` does not list; `value`
    EDGE_TYPE,
    TARGET,    // an edge to no node; `value`
    EDGE_SUM,  // the edge counts of the nodes do not add up; `value` is their sum
    NAME,      // a name beyond the strings; `value`
    STRING,    // a broken escape
    CUT,       // the file stops in the middle
    MEMORY,
};

class Scanner {
  public:
    Scanner(const Layout& layout, const Columns& columns) : layout_(layout), columns_(columns) {}
    Scanner(const Scanner&) = delete;
    Scanner& operator=(const Scanner&) = delete;
    ~Scanner();

    // False when the scan has failed: `fault`, `offset` and `value` say why, and nothing more is read.
    bool feed(const char* block, std::size_t size);
    // After the last block: false for a file that stops too early or whose sections disagree.
    bool finish();

    Fault fault() const { return fault_; }
    std::uint64_t offset() const { return offset_; }
    std::uint64_t value() const { return value_; }
    const char* section() const;

    const std::vector<Place>& places() const { return places_; }
    const std::vector<std::uint64_t>& string_ends() const { return ends_; }
    const char* string_bytes() const { return bytes_; }
    std::uint64_t string_size() const { return used_; }

  private:
    enum class Section : std::uint8_t { NONE, NODES, EDGES, LOCATIONS, STRINGS, SKIPPED };
    enum class State : std::uint8_t {
        START,  // before the opening brace
        KEY,    // before a key or the closing brace
        IN_KEY,
        COLON,
        VALUE,    // before a value
        NUMBERS,  // in an array of numbers
        STRINGS,  // in the array of strings, between two of them
        IN_STRING,
        SKIP,         // in a value that does not matter
        AFTER_VALUE,  // before a comma or the closing brace
        DONE,
    };

    const char* step(const char* at, const char* end);
    const char* numbers(const char* at, const char* end);
    const char* string(const char* at, const char* end);
    const char* escaped(const char* at, const char* end);
    const char* skip(const char* at, const char* end);
    bool begin_value(char c);
    bool emit(std::uint64_t number);
    bool commit_node();
    bool commit_edge();
    bool end_array();
    void mark_names();
    bool put(const char* bytes, std::size_t size);
    bool put_code_point(std::uint32_t code_point);
    void end_string();
    bool fail(Fault fault, std::uint64_t value = 0);

    const Layout layout_;
    const Columns columns_;
    State state_ = State::START;
    Section section_ = Section::NONE;
    Fault fault_ = Fault::NONE;
    std::uint64_t offset_ = 0, value_ = 0;
    unsigned seen_ = 0;

    char key_[32] = {};
    std::size_t key_size_ = 0;

    std::uint64_t number_ = 0;
    int digits_ = 0, field_ = 0, stride_ = 0;
    std::uint64_t record_[kMostFields] = {};
    std::uint64_t node_ = 0, edge_ = 0, edge_sum_ = 0;
    std::uint64_t largest_name_ = 0;
    std::vector<Place> places_;

    // Skipping: depth of brackets, and whether a string is open.
    std::uint64_t depth_ = 0;
    bool in_text_ = false, after_backslash_ = false;

    // The string being read: its escape so far, and how much of it is kept.
    int escape_ = 0;  // 0 none, 1 after the backslash, 2..5 hexadecimal digits to come
    std::uint32_t code_ = 0, high_surrogate_ = 0;
    std::uint64_t room_ = 0;
    bool is_cut_ = false;
    bool names_marked_ = false;
    std::vector<bool> is_name_;
    char* bytes_ = nullptr;
    std::uint64_t used_ = 0, capacity_ = 0;
    std::vector<std::uint64_t> ends_;
};

}  // namespace v8
