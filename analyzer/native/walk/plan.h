// What is known of each type before its first instance is read: shape, fields, names.
#pragma once
#include "cpython/layout.h"

#include <cstdint>

namespace record {

// What is known beforehand about the memory behind a type's instances.
enum class Shape : std::uint8_t {
    PLAIN,
    DICT,
    ORDERED_DICT,
    LIST,
    TUPLE,
    SET,
    DEQUE,
    TYPE,
    MODULE,
    FUNCTION,
    CODE,
    FRAME,
    GENERATOR,
    WEAKREF,
    HAMT_BITMAP,
    HAMT_ARRAY,
    HAMT_COLLISION,
    LRU_CACHE,
    EXCEPTION,
    STRING_IO,
    OBJECT_ARRAY,  // numpy arrays of objects
    BUILTIN,       // a function or bound method written in C
    METHOD_WRAPPER,
    DESCRIPTOR,
};

struct Field {
    std::int32_t offset;
    std::uint32_t label;
    std::uint8_t kind;
    bool sure;  // kept although tp_traverse does not report it
};

struct TypePlan {
    const TypeObject* type;
    std::uint32_t row, name, module, bracketed;  // strings: name, module, `<name>`
    Shape shape;
    std::uint8_t sizer;
    bool python_class;  // instances are traversed by subtype_traverse
    bool checked;       // run tp_traverse and compare
    bool managed_dict, inline_values, own;
    // Of the state of a lock or a SimpleQueue: all set while a thread waits for it.
    std::uint8_t waited_bits;
    bool opaque;  // C memory that no tp_traverse tells of: its words are looked at after the walk
    const char* await_label;
    Field* fields;
    std::uint32_t field_count;
    std::int32_t bound_offset;             // a slot called maxsize or the like, 0 = none
    std::int64_t bound_keys, bound_entry;  // the same among the shared keys, and how many were looked at
    std::uint64_t count, bytes;
};

class Walk;

void fill_plan(Walk& walk, TypePlan* plan);  // shape and fields
void resolve_types();                        // in the parent: the addresses of CPython's own types
extern TraverseProc subtype_traverse;

}  // namespace record
