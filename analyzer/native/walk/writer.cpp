#include "walk/writer.h"

#include "crc32.h"

#include <fcntl.h>

namespace record {
namespace {

struct ColumnFormat {
    const char* name;
    format::Dtype dtype;
    bool hot;  // one row for each object or reference: a larger chunk
};

constexpr ColumnFormat kColumns[COLUMN_COUNT] = {
    {"meta", format::BYTES, false},       {"str.bytes", format::BYTES, true},  {"str.ends", format::U64, true},
    {"type.obj", format::U32, false},     {"type.module", format::U32, false}, {"type.name", format::U32, false},
    {"type.flags", format::U8, false},    {"obj.addr", format::U64, true},     {"obj.type", format::U32, true},
    {"obj.size", format::U32, true},      {"obj.refcount", format::U32, true}, {"obj.birth", format::U16, true},
    {"obj.flags", format::U8, true},      {"obj.refs", format::U32, true},     {"obj.site", format::U32, true},
    {"obj.work", format::U16, true},      {"big.obj", format::U32, false},     {"big.size", format::U64, false},
    {"ref.dst", format::U32, true},       {"ref.kind", format::U8, true},      {"ref.label", format::U32, true},
    {"root.kind", format::U8, false},     {"root.label", format::U32, false},  {"root.dst", format::U32, false},
    {"root.flags", format::U8, false},    {"name.obj", format::U32, false},    {"name.str", format::U32, false},
    {"loc.obj", format::U32, false},      {"loc.file", format::U32, false},    {"loc.line", format::U32, false},
    {"bound.obj", format::U32, false},    {"bound.size", format::U64, false},  {"text.obj", format::U32, true},
    {"text.length", format::U32, true},   {"text.hash", format::U64, true},    {"value.obj", format::U32, false},
    {"value.str", format::U32, false},    {"late.src", format::U32, false},    {"late.dst", format::U32, false},
    {"site.file", format::U32, false},    {"site.line", format::U32, false},   {"site.func", format::U32, false},
    {"work.name", format::U32, false},    {"work.begun", format::U64, false},  {"census.count", format::U64, false},
    {"census.bytes", format::U64, false}, {"memory", format::U64, false},      {"end", format::BYTES, false},
};
constexpr std::uint64_t kCacheBytes = 2 << 20, kSmallCacheBytes = 256 << 10;
constexpr std::size_t kItemBytes[] = {1, 1, 2, 4, 8, 8};

}  // namespace

void Writer::open_nowhere() {
    for (int i = 0; i < COLUMN_COUNT; i++) {
        capacity_[i] = 4096;
        buffer_[i] = static_cast<char*>(map_bytes(capacity_[i]));
    }
}

void Writer::open(int fd, bool keeps_no_cache, bool has_small_chunks) {
    fd_ = fd;
    keeps_no_cache_ = keeps_no_cache;
    cache_bytes_ = has_small_chunks ? kSmallCacheBytes : kCacheBytes;
    for (int i = 0; i < COLUMN_COUNT; i++) {
        capacity_[i] = kColumns[i].hot && !has_small_chunks ? 256 * 1024 : 32 * 1024;
        buffer_[i] = static_cast<char*>(map_bytes(capacity_[i]));
    }
    char head[16] = {};
    std::memcpy(head, format::kMagic, 8);
    std::memcpy(head + 8, &format::kVersion, 4);
    write_all(head, sizeof(head));
}

void Writer::bytes(Column column, const char* data, std::size_t count) {
    while (count) {
        std::size_t room = capacity_[column] - used_[column];
        if (!room) {
            flush(column);
            continue;
        }
        if (room > count) room = count;
        std::memcpy(buffer_[column] + used_[column], data, room);
        used_[column] += room;
        data += room;
        count -= room;
    }
}

void Writer::flush(Column column) {
    if (!used_[column]) return;
    if (fd_ >= 0) chunk(column, buffer_[column], used_[column]);
    used_[column] = 0;
}

void Writer::chunk(Column column, const char* payload, std::size_t count) {
    format::ChunkHeader header{};
    std::memcpy(header.magic, format::kChunkMagic, 4);
    std::strncpy(header.name, kColumns[column].name, sizeof(header.name) - 1);
    header.dtype = kColumns[column].dtype;
    header.codec = format::RAW;
    header.sequence = sequence_++;
    header.items = count / kItemBytes[header.dtype];
    header.payload_bytes = count;
    header.crc32 = crc32_update(crc32_update(0, &header, sizeof(header)), payload, count);
    write_all(reinterpret_cast<const char*>(&header), sizeof(header));
    write_all(payload, count);
    const char padding[8] = {};
    if (count % 8) write_all(padding, 8 - count % 8);
}

void Writer::write_all(const char* data, std::size_t count) {
    while (count) {
        const ssize_t written = write(fd_, data, count);
        if (written < 0) {
            if (errno == EINTR) continue;
            leave(errno < 200 ? errno : EIO);
        }
        data += written;
        count -= static_cast<std::size_t>(written);
        written_ += static_cast<std::size_t>(written);
    }
    if (keeps_no_cache_ && written_ - dropped_ >= 2 * cache_bytes_) drop_cache();
}

// The block before the last one is waited for while the last one is on its way.
void Writer::drop_cache() {
#if defined(__linux__)
    const auto at = static_cast<off_t>(dropped_);
    const auto bytes = static_cast<off_t>(cache_bytes_);
    sync_file_range(fd_, at + bytes, bytes, SYNC_FILE_RANGE_WRITE);
    sync_file_range(fd_, at, bytes, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    posix_fadvise(fd_, at, bytes, POSIX_FADV_DONTNEED);
#endif
    dropped_ += cache_bytes_;
}

void Writer::close(const char* warnings, bool is_shallow) {
    for (int i = 0; i < END; i++) flush(static_cast<Column>(i));
    const auto text = [&](const char* part) { bytes(END, part, std::strlen(part)); };
    char digits[24];
    int at = sizeof(digits) - 1;
    digits[at] = 0;
    std::uint32_t count = sequence_;
    do digits[--at] = static_cast<char>('0' + count % 10);
    while (count /= 10);
    text("{\"chunks\": ");
    text(digits + at);
    text(", \"warnings\": [");
    text(warnings);
    text(is_shallow ? "], \"shallow\": true, \"status\": \"complete\"}" : "], \"status\": \"complete\"}");
    flush(END);
#if defined(__linux__)
    if (keeps_no_cache_) {
        fdatasync(fd_);
        posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
    }
#endif
}

}  // namespace record
