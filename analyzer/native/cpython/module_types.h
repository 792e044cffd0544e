// Fields of structs that no header of CPython shows: they are declared in the .c files of its modules, and in
// numpy, and are the same from 3.11 to 3.15 (numpy: 1.x and 2.x). Read with layout.h's `load`.
#pragma once
#include <cstddef>
#include <cstdint>

namespace record {

// Modules/_collectionsmodule.c
namespace deque_fields {
inline constexpr std::ptrdiff_t LEFT_BLOCK = 24, LEFT_INDEX = 40, MAXLEN = 64, FREE_BLOCKS = 72;
inline constexpr std::int64_t BLOCK_ITEMS = 64;
inline constexpr std::ptrdiff_t BLOCK_DATA = 8, BLOCK_RIGHT = BLOCK_DATA + BLOCK_ITEMS * 8;
inline constexpr std::uint64_t BLOCK_BYTES = BLOCK_RIGHT + 8;
}  // namespace deque_fields

// Objects/odictobject.c: _odictobject behind its dict, _odictnode
namespace ordered_dict {
inline constexpr std::ptrdiff_t FIRST = 0, LAST = 8, FAST_NODE_COUNT = 24;
}
namespace odict_node {
inline constexpr std::ptrdiff_t KEY = 0, NEXT = 16;
inline constexpr std::uint64_t BYTES = 32;
}  // namespace odict_node

// Modules/_functoolsmodule.c: lru_cache_object begins with the head of its list of links.
namespace lru_cache {
inline constexpr std::ptrdiff_t LINK_NEXT = 24, CACHE = 72, FUNCTION = 88, MAXSIZE = 96, KWD_MARK = 112;
inline constexpr std::ptrdiff_t LINK_TYPE = 120, CACHE_INFO = 128;
}  // namespace lru_cache

// Python/hamt.c
namespace hamt {
inline constexpr std::ptrdiff_t ARRAY_ITEMS = 16, COLLISION_ITEMS = 32;
}

// Include/cpython/methodobject.h, Include/cpython/descrobject.h, Objects/descrobject.c: wrapperobject
namespace c_function {
inline constexpr std::ptrdiff_t DEFINITION = 16, SELF = 24;
}
namespace descriptor {
inline constexpr std::ptrdiff_t NAME = 24;
}
namespace method_wrapper {
inline constexpr std::ptrdiff_t DESCRIPTOR = 16, SELF = 24;
}
namespace weak_reference {
inline constexpr std::ptrdiff_t OBJECT = 16, CALLBACK = 24;
}
// Include/cpython/pyerrors.h
namespace base_exception {
inline constexpr std::ptrdiff_t ARGS = 24, NOTES = 32, TRACEBACK = 40, CONTEXT = 48, CAUSE = 56;
}
// Include/cpython/bytearrayobject.h: from 3.15 on the buffer is a bytes object.
namespace bytearray_fields {
inline constexpr std::ptrdiff_t BUFFER_FROM_315 = 56;
inline constexpr std::uint64_t BUFFER_HEAD = 33;
}  // namespace bytearray_fields

// numpy/ndarraytypes.h: PyArrayObject_fields and PyArray_Descr
namespace numpy_array {
inline constexpr std::ptrdiff_t DATA = 16, DIMENSIONS = 24, SHAPE = 32, BASE = 48, DESCR = 56, FLAGS = 64;
inline constexpr int CONTIGUOUS = 3, OWNS_DATA = 4, MOST_DIMENSIONS = 64;
}  // namespace numpy_array
namespace numpy_descr {
// numpy 1 keeps item size and alignment as two ints where numpy 2 has 64 bits of flags.
inline constexpr std::ptrdiff_t TYPE_NUMBER = 28, ITEM_SIZE_1 = 32, ALIGNMENT_1 = 36, ITEM_SIZE_2 = 40;
inline constexpr int OBJECTS = 17;
}  // namespace numpy_descr

// Modules/arraymodule.c
namespace array_fields {
inline constexpr std::ptrdiff_t ALLOCATED = 32, DESCR = 40, DESCR_ITEM_SIZE = 4;
}

// Modules/_struct.c: PyStructObject, and its codes, which end with one without a definition
namespace struct_fields {
inline constexpr std::ptrdiff_t CODES = 32;
inline constexpr std::uint64_t CODE_BYTES = 32;
}  // namespace struct_fields

// Modules/_io/*.c
namespace io_fields {
inline constexpr std::ptrdiff_t BYTES_BUFFER = 16, STRING_BUFFER_CHARS = 40, BUFFERED_SIZE = 120;
// While a text is only written to, what was written is not in the buffer yet: `state` says so.
inline constexpr std::ptrdiff_t STRING_STATE = 48, STRING_WRITTEN = 56, STRING_RECENT_311 = 64;
inline constexpr std::int32_t STRING_ACCUMULATES = 2;
}

// Modules/itertoolsmodule.c
namespace itertools_fields {
inline constexpr std::ptrdiff_t POOL = 16, COMBINATIONS_R = 40, PERMUTATIONS_R = 48;
}

// Modules/_queuemodule.c: up to 3.12 a list and a lock, then a ring
namespace simple_queue {
inline constexpr std::ptrdiff_t LOCK_TO_312 = 16, RING_SLOTS = 48;
}

// Modules/_threadmodule.c
namespace lock_fields {
inline constexpr std::ptrdiff_t SEMAPHORE_TO_313 = 16;
inline constexpr std::uint64_t SEMAPHORE_BYTES = 32;
}  // namespace lock_fields

// Modules/_elementtree.c: ElementObjectExtra is attributes, length, allocated, children, room for four of them.
namespace element {
inline constexpr std::ptrdiff_t EXTRA = 40, EXTRA_ALLOCATED = 16, EXTRA_CHILDREN = 24, EXTRA_OWN_CHILDREN = 32;
inline constexpr std::uint64_t EXTRA_BYTES = 64;
}  // namespace element

// Modules/_decimal: three bits of the flags say that the digits are not its own.
namespace decimal {
inline constexpr std::ptrdiff_t FLAGS = 24, ALLOCATED_WORDS = 56;
inline constexpr std::uint8_t NOT_OWN_DATA = 0xE0;
}  // namespace decimal

// Modules/_ctypes/ctypes.h: CDataObject
namespace c_data {
inline constexpr std::ptrdiff_t POINTER = 16, NEEDS_FREE = 24, BASE = 32, SIZE = 40;
}

}  // namespace record
