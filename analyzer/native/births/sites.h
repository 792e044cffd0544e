// Allocation sites: file, line and function of the Python frame that runs when a block is allocated.
// Only for the interpreter that armed them, under its lock; the walker reads the tables after a fork.
#pragma once
#include "module.h"

#include <cstdint>

namespace sites {

// Bit of a shadow entry: the block holds a code object that the tables know. Its death must be
// told, or another code object at the same address would inherit its lines.
inline constexpr std::uint32_t kCodeBlock = 0x80000000;

struct Text {
    const char* utf8;
    std::uint32_t bytes;
};
struct Row {
    std::uint32_t file;  // texts
    std::uint32_t function;
    std::uint32_t line;
};

// Empties the tables. Frames of files below `own_folder` are skipped in favour of their caller.
// Null, or one sentence that says why sites cannot be recorded here. Needs the GIL.
const char* start(const char* own_folder);

// Row + 1 of the running frame's line; 0 when there is none, or the tables are full.
std::uint32_t now();

void forget(const void* code_block);

std::uint32_t rows();
Row row(std::uint32_t index);
std::uint32_t texts();
Text text(std::uint32_t index);

// Allocations whose site found no room in the tables.
std::uint64_t lost();

}  // namespace sites
