// Shallow sizes as sys.getsizeof gives them for types whose __sizeof__ is written in C: each case
// here is one such function of CPython (or numpy), computed without calling anything. Then the tables that
// only the object owns and that sys.getsizeof leaves out (`for_each_table`).
#include "walk/sizes.h"

#include "cpython/module_types.h"
#include "walk/code.h"
#include "walk/containers.h"

#include "memory/pools.h"

namespace record {
namespace {

enum Sizer : std::uint8_t {
    GENERIC,
    STR,
    INT,
    LIST,
    DICT,
    ORDERED_DICT,
    SET,
    DEQUE,
    BYTEARRAY,
    TYPE,
    CODE,
    FRAME,
    GENERATOR,
    ARRAY,
    NUMPY_ARRAY,
    BYTES_IO,
    BUFFERED_IO,
    SIMPLE_QUEUE,
    PRODUCT,
    COMBINATIONS,
    PERMUTATIONS,
    STRUCT,
    LOCK,
    ELEMENT,
    DECIMAL,
    STRING_IO,
    C_DATA,
};

struct NamedSizer {
    const char* type;
    Sizer sizer;
};
constexpr NamedSizer kSizers[] = {
    {"str", STR},
    {"int", INT},
    {"list", LIST},
    {"dict", DICT},
    {"frozendict", DICT},
    {"collections.OrderedDict", ORDERED_DICT},
    {"set", SET},
    {"frozenset", SET},
    {"collections.deque", DEQUE},
    {"bytearray", BYTEARRAY},
    {"type", TYPE},
    {"code", CODE},
    {"frame", FRAME},
    {"generator", GENERATOR},
    {"coroutine", GENERATOR},
    {"async_generator", GENERATOR},
    {"array.array", ARRAY},
    {"numpy.ndarray", NUMPY_ARRAY},
    {"_io.BytesIO", BYTES_IO},
    {"_queue.SimpleQueue", SIMPLE_QUEUE},
    {"itertools.product", PRODUCT},
    {"itertools.combinations", COMBINATIONS},
    {"itertools.combinations_with_replacement", COMBINATIONS},
    {"itertools.permutations", PERMUTATIONS},
    {"_struct.Struct", STRUCT},
    {"Struct", STRUCT},
    {"_thread.lock", LOCK},
    {"_thread.RLock", LOCK},
    {"xml.etree.ElementTree.Element", ELEMENT},
    {"decimal.Decimal", DECIMAL},
    {"_io.StringIO", STRING_IO},
    {"_ctypes._CData", C_DATA},
    {"_io.BufferedReader", BUFFERED_IO},
    {"_io.BufferedWriter", BUFFERED_IO},
    {"_io.BufferedRandom", BUFFERED_IO},
};

std::uint64_t magnitude(std::int64_t value) { return static_cast<std::uint64_t>(value < 0 ? -value : value); }

std::uint64_t usable_keys(const void* keys) {
    return static_cast<std::uint64_t>(load<std::int64_t>(keys, L->keys_nentries) +
                                      load<std::int64_t>(keys, L->keys_usable));
}

std::uint64_t generic_size(const Object* object) {
    const TypeObject* type = object->type;
    auto bytes = static_cast<std::uint64_t>(type->basicsize);
    if (type->itemsize > 0)
        bytes += magnitude(static_cast<const VarObject*>(object)->size) * static_cast<std::uint64_t>(type->itemsize);
    return bytes;
}

std::uint64_t keys_size(const void* keys) {
    const std::uint64_t slots = std::uint64_t{1} << load<std::uint8_t>(keys, L->keys_log2_size);
    const std::uint64_t index_bytes = std::uint64_t{1} << load<std::uint8_t>(keys, L->keys_log2_index_bytes);
    const std::uint64_t entry = load<std::uint8_t>(keys, L->keys_kind) == 0 ? 24 : 16;
    return static_cast<std::uint64_t>(L->keys_indices) + index_bytes + (slots << 1) / 3 * entry;
}

std::uint64_t values_size(const char* values, const void* keys);

std::uint64_t dict_size(const Object* dict) {
    std::uint64_t bytes = generic_size(dict);
    const void* keys = load<const void*>(dict, L->dict_keys);
    if (!keys) return bytes;
    if (const char* values = load<const char*>(dict, L->dict_values)) bytes += values_size(values, keys);
    // A shared table is counted with its type.
    if (load<std::int64_t>(keys, L->keys_refcount) == 1) bytes += keys_size(keys);
    return bytes;
}

std::uint64_t str_size(const Object* str) {
    const auto state = load<std::uint32_t>(str, L->str_state);
    const Text text = text_of(str);
    const bool compact = state & static_cast<std::uint32_t>(L->str_compact_mask);
    const bool ascii = state & static_cast<std::uint32_t>(L->str_ascii_mask);
    if (compact && ascii) return static_cast<std::uint64_t>(L->str_ascii_bytes) + text.length + 1;
    std::uint64_t bytes = static_cast<std::uint64_t>(compact ? L->str_compact_bytes : L->str_bytes);
    if (text.data) bytes += (text.length + 1) * static_cast<std::uint64_t>(text.kind);
    const char* utf8 = load<const char*>(str, L->str_utf8);
    if (utf8 && utf8 != text.data) bytes += static_cast<std::uint64_t>(load<std::int64_t>(str, L->str_utf8_length)) + 1;
    return bytes;
}

std::uint64_t int_size(const Object* number) {
    const auto basic = static_cast<std::uint64_t>(number->type->basicsize);
    if (L->minor < 12)
        return static_cast<std::uint64_t>(L->int_digits) + magnitude(static_cast<const VarObject*>(number)->size) * 4;
    const std::uint64_t digits = load<std::uint64_t>(number, kIntTag) >> kIntTagBits;
    return basic + (digits ? digits : 1) * 4;
}

std::uint64_t type_size(const Object* object) {
    const auto type = reinterpret_cast<const TypeObject*>(object);
    if (!(type->flags & tpflag::HEAP)) return static_cast<std::uint64_t>(L->type_bytes);
    std::uint64_t bytes = static_cast<std::uint64_t>(L->heap_type_bytes);
    if (const void* keys = load<const void*>(type, L->heap_type_cached_keys)) bytes += keys_size(keys);
    return bytes;
}

std::uint64_t code_size(const Object* code) {
    std::uint64_t bytes = (generic_size(code) + 7) & ~std::uint64_t{7};
    if (const char* extra = load<const char*>(code, L->code_extra))
        bytes += 16 + static_cast<std::uint64_t>(load<std::int64_t>(extra, 0) - 1) * 8;
    if (L->code_cached >= 0 && load<const void*>(code, L->code_cached))
        bytes += static_cast<std::uint64_t>(L->co_cached_bytes);
    return bytes;
}

std::uint64_t frame_size(const Object* frame_object) {
    std::uint64_t bytes = static_cast<std::uint64_t>(L->frameobj_data + L->frame_localsplus);
    const char* frame = load<const char*>(frame_object, L->frameobj_frame);
    const Object* code = frame ? frame_code(frame) : nullptr;
    if (code)
        bytes += 8 * static_cast<std::uint64_t>(load<std::int32_t>(code, L->code_nlocalsplus) +
                                                load<std::int32_t>(code, L->code_stacksize));
    return bytes;
}

// The item count of these types is not stored: the frame inside is as large as its code says.
std::uint64_t generator_size(const Object* generator) {
    auto bytes = static_cast<std::uint64_t>(generator->type->basicsize);
    const Object* code = L->gen_code >= 0 ? object_at(generator, L->gen_code) : nullptr;
    if (!code) code = frame_code(reinterpret_cast<const char*>(generator) + L->gen_frame);
    if (code)
        bytes += 8 * static_cast<std::uint64_t>(load<std::int32_t>(code, L->code_nlocalsplus) +
                                                load<std::int32_t>(code, L->code_stacksize));
    return bytes;
}

std::uint64_t struct_size(const Object* compiled) {
    constexpr std::uint64_t kCode = struct_fields::CODE_BYTES;
    std::uint64_t bytes = static_cast<std::uint64_t>(compiled->type->basicsize) + kCode;
    const char* code = load<const char*>(compiled, struct_fields::CODES);
    for (int left = 4096; code && left-- > 0 && load<const void*>(code, 0); code += kCode) bytes += kCode;
    return bytes;
}

// Items of the tuple at `offset`.
std::uint64_t tuple_length(const Object* object, std::ptrdiff_t offset) {
    const Object* tuple = object_at(object, offset);
    return tuple ? magnitude(static_cast<const VarObject*>(tuple)->size) : 0;
}

std::uint64_t numpy_size(const Object* array) {
    namespace np = numpy_array;
    const auto dimensions = static_cast<std::uint64_t>(load<std::int32_t>(array, np::DIMENSIONS));
    std::uint64_t bytes = static_cast<std::uint64_t>(array->type->basicsize) + dimensions * 16;
    if (!(load<std::int32_t>(array, np::FLAGS) & np::OWNS_DATA) || dimensions > np::MOST_DIMENSIONS) return bytes;
    const Object* descr = object_at(array, np::DESCR);
    const bool numpy1 = load<std::int32_t>(descr, numpy_descr::ALIGNMENT_1) != 0;
    auto data = static_cast<std::uint64_t>(numpy1 ? load<std::int32_t>(descr, numpy_descr::ITEM_SIZE_1)
                                                  : load<std::int64_t>(descr, numpy_descr::ITEM_SIZE_2));
    const char* shape = load<const char*>(array, np::SHAPE);
    for (std::uint64_t i = 0; i < dimensions; i++)
        data *= load<std::uint64_t>(shape, static_cast<std::ptrdiff_t>(i * 8));
    return bytes + data;
}

std::uint64_t round_8(std::uint64_t bytes) { return (bytes + 7) & ~std::uint64_t{7}; }

// 3.13+: how many values, their order, the values and one more.
std::uint64_t embedded_values_size(const char* values) {
    const std::uint64_t capacity = load<std::uint8_t>(values, dict_values::CAPACITY);
    return round_8(capacity) + (capacity + 1) * 8;
}

// Values in a block of their own. Up to 3.12 it does not say how long it is; its pool does.
std::uint64_t values_size(const char* values, const void* keys) {
    if (L->minor >= 13) return load<std::uint8_t>(values, dict_values::EMBEDDED) ? 0 : embedded_values_size(values);
    const std::uint64_t prefix = load<std::uint8_t>(values, dict_values::PREFIX_TO_312);
    const std::uint64_t found = pools_in_use ? pool_block_bytes(values - prefix) : 0;
    return found ? found : prefix + usable_keys(keys) * 8;
}

// f(bytes) for each block that belongs to the object alone and that sys.getsizeof leaves out.
template <class F>
void for_each_table(const Object* object, const TypePlan* plan, F&& f) {
    constexpr std::uint64_t kSemaphore = lock_fields::SEMAPHORE_BYTES;
    if (plan->managed_dict && L->minor <= 12)
        if (const char* values = inline_values(object))
            f(values_size(values, load<const void*>(object->type, L->heap_type_cached_keys)));
    switch (static_cast<Sizer>(plan->sizer)) {
        case DEQUE:
            // Freed blocks are kept for the next ones.
            if (const auto spare = load<std::uint64_t>(object, deque_fields::FREE_BLOCKS); spare <= 16)
                for (std::uint64_t i = 0; i < spare; i++) f(deque_fields::BLOCK_BYTES);
            break;
        case LOCK:
            if (L->minor <= 13 && load<const void*>(object, lock_fields::SEMAPHORE_TO_313)) f(kSemaphore);
            break;
        case SIMPLE_QUEUE:
            if (L->minor <= 12 && load<const void*>(object, simple_queue::LOCK_TO_312))
                f(kSemaphore);
            else if (L->minor == 13 || L->minor == 14)
                f(load<std::uint64_t>(object, simple_queue::RING_SLOTS) * 8);
            break;
        case TYPE: {
            const auto type = reinterpret_cast<const TypeObject*>(object);
            if (!(type->flags & tpflag::HEAP)) break;
            if (type->doc) f(std::strlen(type->doc) + 1);
            if (const char* name = load<const char*>(object, L->heap_type_tpname)) f(std::strlen(name) + 1);
            break;
        }
        case ELEMENT:
            if (const char* extra = load<const char*>(object, element::EXTRA)) {
                f(element::EXTRA_BYTES);
                if (load<const char*>(extra, element::EXTRA_CHILDREN) != extra + element::EXTRA_OWN_CHILDREN)
                    f(load<std::uint64_t>(extra, element::EXTRA_ALLOCATED) * 8);
            }
            break;
        case DECIMAL:
            if (!(load<std::uint8_t>(object, decimal::FLAGS) & decimal::NOT_OWN_DATA))
                f(load<std::uint64_t>(object, decimal::ALLOCATED_WORDS) * 8);
            break;
        case STRING_IO: f(load<std::uint64_t>(object, io_fields::STRING_BUFFER_CHARS) * 4); break;
        case C_DATA: {
            const char* data = load<const char*>(object, c_data::POINTER);
            const bool is_inside = data >= reinterpret_cast<const char*>(object) &&
                                   data < reinterpret_cast<const char*>(object) + object->type->basicsize;
            if (data && !is_inside && load<std::int32_t>(object, c_data::NEEDS_FREE) &&
                !object_at(object, c_data::BASE))
                f(load<std::uint64_t>(object, c_data::SIZE));
            break;
        }
        default: break;
    }
}

// What the first block has beside what sys.getsizeof says of it.
std::uint64_t inside_first_block(const Object* object, const TypePlan* plan) {
    const TypeObject* type = object->type;
    std::uint64_t bytes = 0;
    if (plan->inline_values) bytes += embedded_values_size(reinterpret_cast<const char*>(object) + type->basicsize);
    // Types written in Python are allocated with an item more than they have.
    if (plan->python_class && type->itemsize > 0) bytes += static_cast<std::uint64_t>(type->itemsize);
    if (plan->sizer == TYPE && (reinterpret_cast<const TypeObject*>(object)->flags & tpflag::HEAP))
        bytes +=
            (magnitude(static_cast<const VarObject*>(object)->size) + 1) * static_cast<std::uint64_t>(type->itemsize) -
            (plan->python_class ? static_cast<std::uint64_t>(type->itemsize) : 0);
    return bytes;
}

std::uint64_t first_block_bytes(const Object* object, const TypePlan* plan) {
    return generic_size(object) + header_bytes(object->type, has_gc_head(object)) + inside_first_block(object, plan);
}

}  // namespace

bool pools_in_use = false;

std::uint8_t sizer_of(const TypeObject* type, const TypePlan*) {
    for (const TypeObject* base = type; base; base = base->base)
        for (const NamedSizer& known : kSizers)
            if ((layout_knows_frames() || (known.sizer != FRAME && known.sizer != GENERATOR)) &&
                !std::strcmp(base->name, known.type) &&
                !((base->flags & tpflag::HEAP) && base->traverse == subtype_traverse))
                return known.sizer;
    return GENERIC;
}

std::uint64_t shallow_size(const Object* object, const TypePlan* plan) {
    std::uint64_t bytes = 0;
    switch (static_cast<Sizer>(plan->sizer)) {
        case GENERIC:
        case LOCK:
        case ELEMENT:
        case DECIMAL:
        case STRING_IO:
        case C_DATA: bytes = generic_size(object); break;
        case STR: bytes = str_size(object); break;
        case INT: bytes = int_size(object); break;
        case LIST: bytes = generic_size(object) + load<std::uint64_t>(object, L->list_allocated) * 8; break;
        case DICT: bytes = dict_size(object); break;
        case ORDERED_DICT: {
            bytes = dict_size(object) + load<std::uint64_t>(object, behind_dict() + ordered_dict::FAST_NODE_COUNT) * 8;
            if (load<const void*>(object, behind_dict() + ordered_dict::LAST))
                bytes += load<std::uint64_t>(object, L->dict_used) * odict_node::BYTES;
            break;
        }
        case SET: {
            bytes = generic_size(object);
            const auto table = load<const char*>(object, L->set_table);
            if (table != reinterpret_cast<const char*>(object) + L->set_smalltable)
                bytes += (load<std::uint64_t>(object, L->set_mask) + 1) * set_entry::BYTES;
            break;
        }
        case DEQUE: {
            constexpr auto kItems = static_cast<std::uint64_t>(deque_fields::BLOCK_ITEMS);
            const std::uint64_t used = load<std::uint64_t>(object, deque_fields::LEFT_INDEX) +
                                       static_cast<std::uint64_t>(static_cast<const VarObject*>(object)->size);
            bytes = static_cast<std::uint64_t>(object->type->basicsize) +
                    (used + kItems - 1) / kItems * deque_fields::BLOCK_BYTES;
            break;
        }
        case BYTEARRAY:
            bytes =
                static_cast<std::uint64_t>(object->type->basicsize) + load<std::uint64_t>(object, L->bytearray_alloc);
            if (L->minor >= 15 && object_at(object, bytearray_fields::BUFFER_FROM_315))
                bytes += bytearray_fields::BUFFER_HEAD;
            break;
        case TYPE: bytes = type_size(object); break;
        case CODE: bytes = code_size(object); break;
        case FRAME: bytes = frame_size(object); break;
        case GENERATOR: bytes = generator_size(object); break;
        case ARRAY:
            bytes = static_cast<std::uint64_t>(object->type->basicsize);
            if (const char* item = load<const char*>(object, array_fields::DESCR))
                bytes += load<std::uint64_t>(object, array_fields::ALLOCATED) *
                         static_cast<std::uint64_t>(load<std::int32_t>(item, array_fields::DESCR_ITEM_SIZE));
            break;
        case NUMPY_ARRAY: bytes = numpy_size(object); break;
        case SIMPLE_QUEUE:
            bytes = generic_size(object);
            if (L->minor >= 15) bytes += load<std::uint64_t>(object, simple_queue::RING_SLOTS) * 8;
            break;
        case STRUCT: bytes = struct_size(object); break;
        case PRODUCT: bytes = generic_size(object) + tuple_length(object, itertools_fields::POOL) * 8; break;
        case COMBINATIONS:
            bytes = generic_size(object) + load<std::uint64_t>(object, itertools_fields::COMBINATIONS_R) * 8;
            break;
        case PERMUTATIONS:
            bytes = generic_size(object) + (tuple_length(object, itertools_fields::POOL) +
                                            load<std::uint64_t>(object, itertools_fields::PERMUTATIONS_R)) *
                                               8;
            break;
        case BUFFERED_IO: bytes = generic_size(object) + load<std::uint64_t>(object, io_fields::BUFFERED_SIZE); break;
        case BYTES_IO: {
            bytes = generic_size(object);
            const Object* buffer = object_at(object, io_fields::BYTES_BUFFER);
            if (buffer && refcount(buffer) == 1) bytes += generic_size(buffer);
            break;
        }
    }
    // Up to 3.12 sys.getsizeof goes by the type's flag: static types get a head they do not have.
    const bool gc = L->minor >= 13 ? has_gc_head(object) : (object->type->flags & tpflag::HAVE_GC) != 0;
    bytes += inside_first_block(object, plan);
    for_each_table(object, plan, [&](std::uint64_t table) { bytes += table; });
    return bytes + header_bytes(object->type, gc);
}

std::uint64_t block_bytes(const Object* object, const TypePlan* plan, std::uint64_t shallow) {
    constexpr std::uint64_t kLargestInPool = 512, kDequeBlock = 528, kChunkHead = 8;
    const auto rounded = [](std::uint64_t bytes) {
        return (bytes + (bytes > kLargestInPool ? kChunkHead : 0) + 15) & ~std::uint64_t{15};
    };
    const bool is_type = object->type->flags & tpflag::TYPE;
    if (is_type && !(reinterpret_cast<const TypeObject*>(object)->flags & tpflag::HEAP)) return 0;
    std::uint64_t total = 0;
    for_each_table(object, plan, [&](std::uint64_t table) {
        // A semaphore is asked of the C library, whose blocks begin with a word of its own.
        const bool is_semaphore = plan->sizer == LOCK || (plan->sizer == SIMPLE_QUEUE && L->minor <= 12);
        total += is_semaphore ? (table + kChunkHead + 15) & ~std::uint64_t{15} : rounded(table);
        shallow -= table;
    });
    std::uint64_t first = shallow;
    switch (static_cast<Sizer>(plan->sizer)) {
        case STR:
            // A class over str keeps its characters apart.
            if (plan->python_class) first = first_block_bytes(object, plan);
            break;
        case LIST:
        case DICT:
        case ORDERED_DICT:
        case SET:
        case DEQUE:
        case BYTEARRAY:
        case ARRAY:
        case NUMPY_ARRAY:
        case BYTES_IO:
        case BUFFERED_IO:
        case PRODUCT:
        case COMBINATIONS:
        case PERMUTATIONS: first = first_block_bytes(object, plan); break;
        case TYPE:
            first = static_cast<std::uint64_t>(L->heap_type_bytes) + kGcHead + inside_first_block(object, plan);
            break;
        case INT:
            // Made longer than it turned out to be.
            if (pools_in_use && shallow > 28 && shallow <= kLargestInPool && refcount(object) != kImmortalCount)
                if (const std::uint64_t found = pool_block_bytes(object)) return total + found;
            break;
        default: break;
    }
    if (first >= shallow) return total + rounded(shallow);
    const std::uint64_t rest = shallow - first;
    // The buffer is an object of its own.
    if (plan->sizer == BYTES_IO || (plan->sizer == BYTEARRAY && L->minor >= 15)) return total + rounded(first);
    if (plan->sizer == DEQUE) return total + rounded(first) + rest / kDequeBlock * rounded(kDequeBlock);
    return total + rounded(first) + rounded(rest);
}

}  // namespace record
