// Objects that CPython recycles through free lists do not pass the allocator: unseen, a new list in
// the block of an old one would keep the old one's birth.
#pragma once
#include "module.h"

namespace recycling {

// Puts wrappers around the destructors of the recycled builtin types. Call with the GIL while births
// are armed with a run that is not 0: the probes read what becomes of a block.
void watch(bool with_sites);

void unwatch();

// Gives the current run to what the interpreter keeps over a collection. With the GIL.
void renew();

// Types whose free list could not be kept out of the way: their births may be too early.
int unseen_types();

}  // namespace recycling
