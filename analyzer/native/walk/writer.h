// The snapshot file as a stream of chunks: docs/format.md. Used by the child only.
#pragma once
#include "format.h"
#include "walk/memory.h"

namespace record {

enum Column : int {
    META,
    STR_BYTES,
    STR_ENDS,
    TYPE_OBJ,
    TYPE_MODULE,
    TYPE_NAME,
    TYPE_FLAGS,
    OBJ_ADDR,
    OBJ_TYPE,
    OBJ_SIZE,
    OBJ_REFCOUNT,
    OBJ_BIRTH,
    OBJ_FLAGS,
    OBJ_REFS,
    OBJ_SITE,
    OBJ_WORK,
    BIG_OBJ,
    BIG_SIZE,
    REF_DST,
    REF_KIND,
    REF_LABEL,
    ROOT_KIND,
    ROOT_LABEL,
    ROOT_DST,
    ROOT_FLAGS,
    NAME_OBJ,
    NAME_STR,
    LOC_OBJ,
    LOC_FILE,
    LOC_LINE,
    BOUND_OBJ,
    BOUND_SIZE,
    TEXT_OBJ,
    TEXT_LENGTH,
    TEXT_HASH,
    VALUE_OBJ,
    VALUE_STR,
    LATE_SRC,
    LATE_DST,
    SITE_FILE,
    SITE_LINE,
    SITE_FUNC,
    WORK_NAME,
    WORK_BEGUN,
    CENSUS_COUNT,
    CENSUS_BYTES,
    MEMORY,
    END,
    COLUMN_COUNT
};

class Writer {
  public:
    // Writes the file's magic. A write error ends the process with the errno as its exit code.
    // `keeps_no_cache`: what was written goes to the disk and out of memory at once.
    // `has_small_chunks`: memory is short.
    void open(int fd, bool keeps_no_cache, bool has_small_chunks);
    // What is written goes nowhere.
    void open_nowhere();
    void u8(Column column, std::uint8_t value) { put(column, &value, 1); }
    void u16(Column column, std::uint16_t value) { put(column, &value, 2); }
    void u32(Column column, std::uint32_t value) { put(column, &value, 4); }
    void u64(Column column, std::uint64_t value) { put(column, &value, 8); }
    void bytes(Column column, const char* data, std::size_t count);
    void flush_meta() { flush(META); }  // before any other column
    // Writes what is buffered and the `end` chunk; `warnings` is the inside of a JSON list. `is_shallow`: the walk did
    // not look into all that it met.
    void close(const char* warnings, bool is_shallow = false);

  private:
    // The item sizes divide every capacity, so a value never straddles two chunks.
    void put(Column column, const void* value, std::size_t count) {
        if (used_[column] + count > capacity_[column]) flush(column);
        std::memcpy(buffer_[column] + used_[column], value, count);
        used_[column] += count;
    }
    void flush(Column column);
    void chunk(Column column, const char* payload, std::size_t count);
    void write_all(const char* data, std::size_t count);

    void drop_cache();

    int fd_ = -1;
    bool keeps_no_cache_ = false;
    std::uint64_t written_ = 0, dropped_ = 0, cache_bytes_ = 0;
    std::uint32_t sequence_ = 0;
    char* buffer_[COLUMN_COUNT] = {};
    std::size_t used_[COLUMN_COUNT] = {};
    std::size_t capacity_[COLUMN_COUNT] = {};
};

}  // namespace record
