#include "chunks.h"

#include "../crc32.h"

#include <algorithm>
#include <cstring>

#ifdef _WIN32
#include <io.h>
#else
#include <unistd.h>
#include <cerrno>
#endif

namespace heap {
namespace {

constexpr std::uint64_t kFileHeader = 16;
constexpr std::size_t kReadStep = std::size_t{1} << 20;
// Deflate cannot expand more than 1032 times; a whole snapshot stays far below the second figure.
constexpr std::uint64_t kMostPerChunk = 1032;
constexpr std::uint64_t kMostPerFile = 256;
constexpr std::uint64_t kBombFloor = std::uint64_t{1} << 20;

std::uint64_t item_bytes(std::uint8_t dtype) {
    switch (dtype) {
        case format::U16: return 2;
        case format::U32: return 4;
        case format::U64:
        case format::I64: return 8;
        default: return 1;
    }
}

bool is_good_name(const char (&name)[16]) {
    std::size_t length = 0;
    while (length < sizeof name && name[length] > ' ' && name[length] < 0x7F) ++length;
    if (length == 0) return false;
    return std::all_of(name + length, name + sizeof name, [](char c) { return c == 0; });
}

bool is_end(const format::ChunkHeader& header) { return std::memcmp(header.name, "end", 4) == 0; }

// What is wrong with one header, whatever follows it. `room` is what the file holds after it.
Problem judge(const format::ChunkHeader& header, std::uint64_t sequence, std::uint64_t room, std::uint64_t* value) {
    const auto fail = [value](Problem problem, std::uint64_t found) {
        *value = found;
        return problem;
    };
    if (std::memcmp(header.magic, format::kChunkMagic, 4) != 0) return fail(Problem::CHUNK_MAGIC, 0);
    if (!is_good_name(header.name)) return fail(Problem::BAD_NAME, 0);
    if (header.dtype > format::I64) return fail(Problem::BAD_DTYPE, header.dtype);
    if (header.codec > format::SHUFFLED) return fail(Problem::BAD_CODEC, header.codec);
    if (header.sequence != sequence) return fail(Problem::BAD_SEQUENCE, header.sequence);
    if (header.items > UINT64_MAX / 8) return fail(Problem::BAD_LENGTH, header.items);
    const std::uint64_t decoded = header.items * item_bytes(header.dtype);
    if (header.codec == format::RAW && decoded != header.payload_bytes) return fail(Problem::BAD_LENGTH, header.items);
    if (header.payload_bytes > room) return fail(Problem::PAYLOAD_CUT, header.payload_bytes);
    if (header.codec != format::RAW && decoded / kMostPerChunk > header.payload_bytes)
        return fail(Problem::BOMB, decoded);
    return Problem::NONE;
}

}  // namespace

std::int64_t MemorySource::read(std::uint64_t offset, void* out, std::size_t size) const {
    if (offset >= size_) return 0;
    const std::size_t got = std::min(size, size_ - static_cast<std::size_t>(offset));
    std::memcpy(out, bytes_ + offset, got);
    return static_cast<std::int64_t>(got);
}

std::int64_t FileSource::read(std::uint64_t offset, void* out, std::size_t size) const {
    std::size_t done = 0;
    while (done < size) {
#ifdef _WIN32
        if (_lseeki64(fd_, static_cast<long long>(offset + done), 0) < 0) return -1;
        const auto step = static_cast<unsigned>(std::min(size - done, kReadStep));
        const int got = _read(fd_, static_cast<char*>(out) + done, step);
#else
        const ssize_t got = pread(fd_, static_cast<char*>(out) + done, size - done, static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) continue;
#endif
        if (got < 0) return -1;
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    return static_cast<std::int64_t>(done);
}

std::size_t Chunk::name_length() const {
    return static_cast<std::size_t>(std::find(header.name, header.name + sizeof header.name, '\0') - header.name);
}

std::uint64_t Chunk::decoded_bytes() const { return header.items * item_bytes(header.dtype); }

Scan scan(const Source& source, std::uint64_t file_size) {
    Scan result;
    const auto stop = [&result](Problem problem, std::uint64_t offset, std::uint64_t value) {
        result.problem = problem;
        result.offset = offset;
        result.value = value;
    };
    unsigned char start[kFileHeader] = {};
    const std::int64_t got = source.read(0, start, sizeof start);
    if (got < 0) return stop(Problem::READ_FAILED, 0, 0), result;
    if (got == 0) return stop(Problem::EMPTY, 0, 0), result;
    const auto compared = std::min<std::size_t>(static_cast<std::size_t>(got), sizeof format::kMagic);
    if (std::memcmp(start, format::kMagic, compared) != 0) return stop(Problem::NOT_A_SNAPSHOT, 0, 0), result;
    if (got < static_cast<std::int64_t>(kFileHeader))
        return stop(Problem::HEADER_CUT, static_cast<std::uint64_t>(got), 0), result;
    std::uint32_t version;
    std::memcpy(&version, start + 8, 4);
    if (version != format::kVersion) return stop(Problem::NEWER, 8, version), result;

    std::uint64_t offset = kFileHeader, decoded_total = 0;
    while (true) {
        if (offset >= file_size) return stop(Problem::NO_END, file_size, 0), result;
        Chunk chunk{};
        chunk.offset = offset;
        const std::int64_t header_bytes = source.read(offset, &chunk.header, sizeof chunk.header);
        if (header_bytes < 0) return stop(Problem::READ_FAILED, offset, 0), result;
        if (header_bytes < static_cast<std::int64_t>(sizeof chunk.header) || file_size - offset < sizeof chunk.header)
            return stop(Problem::HEADER_CUT, file_size, 0), result;
        const std::uint64_t room = file_size - offset - sizeof chunk.header;
        std::uint64_t value = 0;
        const Problem problem = judge(chunk.header, result.chunks.size(), room, &value);
        if (problem == Problem::PAYLOAD_CUT) return stop(problem, file_size, value), result;
        if (problem != Problem::NONE) return stop(problem, offset, value), result;
        const std::uint64_t decoded = chunk.decoded_bytes();
        if (decoded > UINT64_MAX / 2 - decoded_total ||
            (decoded_total + decoded > kBombFloor && (decoded_total + decoded) / kMostPerFile > file_size))
            return stop(Problem::BOMB, offset, decoded), result;
        decoded_total += decoded;
        result.chunks.push_back(chunk);
        offset += sizeof chunk.header + chunk.header.payload_bytes;
        const std::uint64_t padding = (8 - chunk.header.payload_bytes % 8) % 8;
        if (is_end(chunk.header)) {
            // The padding of the last chunk may be missing: nothing is lost with it.
            if (file_size > offset + padding) return stop(Problem::AFTER_END, offset + padding, 0), result;
            return result;
        }
        offset += padding;
    }
}

Problem read_payload(const Source& source, const Chunk& chunk, void* out) {
    format::ChunkHeader header = chunk.header;
    header.crc32 = 0;
    std::uint32_t crc = crc32_update(0, &header, sizeof header);
    auto* at = static_cast<unsigned char*>(out);
    std::uint64_t offset = chunk.offset + sizeof header, left = chunk.header.payload_bytes;
    while (left != 0) {
        // In steps, so that the checksum reads what is still in the processor's cache.
        const auto step = static_cast<std::size_t>(std::min<std::uint64_t>(left, kReadStep));
        const std::int64_t got = source.read(offset, at, step);
        if (got < 0) return Problem::READ_FAILED;
        if (static_cast<std::size_t>(got) < step) return Problem::PAYLOAD_CUT;
        crc = crc32_update(crc, at, step);
        at += step;
        offset += step;
        left -= step;
    }
    return crc == chunk.header.crc32 ? Problem::NONE : Problem::BAD_CHECKSUM;
}

}  // namespace heap
