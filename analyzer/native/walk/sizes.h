// Shallow sizes, and what the allocators spend on them.
#pragma once
#include "walk/plan.h"

namespace record {

// Whether the object allocator is CPython's own, which tells how large a small block is.
extern bool pools_in_use;

// With the tables that only this object owns, also where sys.getsizeof leaves them out.
std::uint64_t shallow_size(const Object* object, const TypePlan* plan);
// What the allocators spend on an object of that shallow size: its blocks, rounded as they round.
std::uint64_t block_bytes(const Object* object, const TypePlan* plan, std::uint64_t shallow);
std::uint8_t sizer_of(const TypeObject* type, const TypePlan* plan);

}  // namespace record
