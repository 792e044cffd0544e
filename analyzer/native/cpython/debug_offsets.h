// The table of layout_table.h held against what CPython 3.13 and later export of themselves for debuggers:
// `_PyRuntime` begins with them, and they move with the structs that they describe.
#pragma once
#include "cpython/layout.h"

#include <cstdint>
#include <cstring>

namespace record {

// What is given up when one of its fields lies elsewhere.
enum class Part : std::uint8_t { OBJECTS, FRAMES, THREADS, INTERPRETER };

struct DebugOffset {
    Part part;
    int at;  // where `_Py_DebugOffsets` says it
    int Layout::* field;
    const char* name;
};

inline constexpr char kDebugCookie[] = "xdebugpy";

// Calls f(const DebugOffset&) for each field that is not where `row` has it. `runtime` is `_PyRuntime`; where it
// does not begin with the cookie nothing can be compared.
template <std::size_t Count, class F>
void for_each_moved(const void* runtime, const DebugOffset (&known)[Count], const Layout& row, F&& f) {
    if (!runtime || std::memcmp(runtime, kDebugCookie, sizeof(kDebugCookie) - 1)) return;
    for (const DebugOffset& each : known)
        if (load<std::uint64_t>(runtime, each.at) != static_cast<std::uint64_t>(row.*each.field)) f(each);
}

}  // namespace record
