// The snapshot file's numbers: docs/format.md. The same list is in leakscan/heap/kinds.py.
#pragma once
#include <cstdint>

namespace format {

inline constexpr char kMagic[8] = {'L', 'E', 'A', 'K', 'S', 'C', 'A', 'N'};
inline constexpr std::uint32_t kVersion = 1;
inline constexpr char kChunkMagic[4] = {'C', 'H', 'N', 'K'};

enum Dtype : std::uint8_t { BYTES = 0, U8 = 1, U16 = 2, U32 = 3, U64 = 4, I64 = 5 };
enum Codec : std::uint8_t { RAW = 0, ZLIB = 1, SHUFFLED = 2 };  // SHUFFLED: zlib, after equal bytes were put together

#pragma pack(push, 1)
struct ChunkHeader {
    char magic[4];
    char name[16];
    std::uint8_t dtype;
    std::uint8_t codec;
    std::uint16_t reserved;
    std::uint32_t crc32;
    std::uint32_t sequence;
    std::uint64_t items;
    std::uint64_t payload_bytes;
};
#pragma pack(pop)
static_assert(sizeof(ChunkHeader) == 48);

enum Kind : std::uint8_t {
    UNNAMED = 0,
    ATTRIBUTE = 1,
    SLOT = 2,
    KEY_STR = 3,
    KEY_INT = 4,
    KEY_OTHER = 5,
    KEY = 6,
    INDEX = 7,
    MEMBER = 8,
    DICT = 9,
    LOCAL = 10,
    STACK = 11,
    AWAIT = 12,
    TYPE = 13,
    WEAK = 14,
    CONTEXT = 15,
    MACHINERY = 16,
    FRAME = 17,
    INTERNAL = 18,
    EPHEMERON = 19,
    ELEMENT = 20,
    CLOSURE = 21,
};
inline constexpr std::uint8_t kBorrowed = 0x80;

enum RootKind : std::uint8_t { MODULE = 1, THREAD = 2, INTERPRETER = 3, STATIC_TYPE = 4 };
enum RootFlag : std::uint8_t { ROOT_BORROWED = 1, ROOT_OWN = 2 };

enum ObjectFlag : std::uint8_t {
    TRACKED = 1,
    FINALIZER = 2,
    IS_TYPE = 4,
    UNREACHED_BLOCK = 8,
    SYNTHETIC = 16,
    UNREADABLE = 32,
    OWN = 64,
    WAITED_FOR = 128,
};
enum TypeFlag : std::uint8_t {
    TYPE_HEAP = 1,
    TYPE_COLLECTED = 2,
    TYPE_SYNTHETIC = 4,
    TYPE_FINALIZER = 8,
};

inline constexpr std::uint16_t kBirthBaseline = 0;
inline constexpr std::uint16_t kBirthWaiting = 0xFFFD;
inline constexpr std::uint16_t kBirthOwn = 0xFFFE;
inline constexpr std::uint16_t kBirthUnknown = 0xFFFF;
inline constexpr std::uint32_t kNoObject = 0xFFFFFFFF;
inline constexpr std::uint32_t kImmortal = 0xFFFFFFFF;
inline constexpr std::uint32_t kBigSize = 0xFFFFFFFF;

}  // namespace format
