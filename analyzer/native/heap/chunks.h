// The chunk table of a snapshot file (docs/format.md), checked against the file's size. No Python here:
// the fuzzer links this part alone.
#pragma once
#include "../format.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace heap {

// Bytes at an offset. `read` gives the number of bytes read: fewer than asked means the end of the
// file (it may shrink while it is read), negative an error that `errno` tells.
class Source {
  public:
    virtual std::int64_t read(std::uint64_t offset, void* out, std::size_t size) const = 0;

  protected:
    ~Source() = default;
};

class MemorySource final : public Source {
  public:
    MemorySource(const std::uint8_t* bytes, std::size_t size) : bytes_(bytes), size_(size) {}
    std::int64_t read(std::uint64_t offset, void* out, std::size_t size) const override;

  private:
    const std::uint8_t* bytes_;
    std::size_t size_;
};

class FileSource final : public Source {
  public:
    explicit FileSource(int fd) : fd_(fd) {}
    std::int64_t read(std::uint64_t offset, void* out, std::size_t size) const override;

  private:
    int fd_;
};

struct Chunk {
    format::ChunkHeader header;
    std::uint64_t offset;  // of the header in the file

    // The length of the name without its padding; 16 when it fills the field.
    std::size_t name_length() const;
    // Bytes after decoding. Cannot overflow in a chunk that `scan` accepted.
    std::uint64_t decoded_bytes() const;
};

enum class Problem {
    NONE,
    READ_FAILED,     // errno
    EMPTY,           // no bytes at all
    NOT_A_SNAPSHOT,  // another magic
    NEWER,           // `value` is its version
    HEADER_CUT,      // the file stops inside a header
    PAYLOAD_CUT,     // the file stops inside a payload; `value` is the size it should have had
    NO_END,          // the file stops after a whole chunk that is not `end`
    CHUNK_MAGIC,     // no chunk begins at `offset`
    BAD_NAME,        // not ASCII, or not zero-padded
    BAD_DTYPE,       // `value`
    BAD_CODEC,       // `value`
    BAD_SEQUENCE,    // `value` is the number found
    BAD_LENGTH,      // items and payload do not agree; `value` items
    BOMB,            // decoded size out of proportion; `value` decoded bytes
    AFTER_END,       // bytes follow the end chunk
    BAD_CHECKSUM,
};

struct Scan {
    Problem problem = Problem::NONE;
    std::uint64_t offset = 0;  // where the problem is
    std::uint64_t value = 0;
    std::vector<Chunk> chunks;  // those before the problem
};

// Headers only: payloads are neither read nor checked. Stops at the first problem.
Scan scan(const Source& source, std::uint64_t file_size);

// Reads the payload of `chunk` into `out` (`payload_bytes` of it) and checks header and payload
// against the checksum. NONE, READ_FAILED, PAYLOAD_CUT or BAD_CHECKSUM.
Problem read_payload(const Source& source, const Chunk& chunk, void* out);

}  // namespace heap
