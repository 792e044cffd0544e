// Written by tools/layout_offsets.c, one list for each CPython minor version that exports its offsets.
#pragma once
#include "cpython/debug_offsets.h"

namespace record {

inline constexpr DebugOffset kDebug313[] = {
    {Part::INTERPRETER, 48, &Layout::is_bytes, "interpreter_state.size"},
    {Part::INTERPRETER, 80, &Layout::is_gc, "interpreter_state.gc"},
    {Part::INTERPRETER, 88, &Layout::is_modules, "interpreter_state.imports_modules"},
    {Part::INTERPRETER, 96, &Layout::is_sysdict, "interpreter_state.sysdict"},
    {Part::INTERPRETER, 104, &Layout::is_builtins, "interpreter_state.builtins"},
    {Part::THREADS, 152, &Layout::ts_bytes, "thread_state.size"},
    {Part::THREADS, 176, &Layout::ts_interp, "thread_state.interp"},
    {Part::THREADS, 192, &Layout::ts_thread_id, "thread_state.thread_id"},
    {Part::THREADS, 200, &Layout::ts_native_thread_id, "thread_state.native_thread_id"},
    {Part::FRAMES, 184, &Layout::ts_frame, "thread_state.current_frame"},
    {Part::FRAMES, 232, &Layout::frame_previous, "interpreter_frame.previous"},
    {Part::FRAMES, 240, &Layout::frame_code, "interpreter_frame.executable"},
    {Part::FRAMES, 248, &Layout::frame_instr, "interpreter_frame.instr_ptr"},
    {Part::FRAMES, 256, &Layout::frame_localsplus, "interpreter_frame.localsplus"},
    {Part::FRAMES, 264, &Layout::frame_owner, "interpreter_frame.owner"},
    {Part::OBJECTS, 280, &Layout::code_filename, "code_object.filename"},
    {Part::OBJECTS, 288, &Layout::code_name, "code_object.name"},
    {Part::OBJECTS, 296, &Layout::code_qualname, "code_object.qualname"},
    {Part::OBJECTS, 304, &Layout::code_linetable, "code_object.linetable"},
    {Part::OBJECTS, 312, &Layout::code_firstlineno, "code_object.firstlineno"},
    {Part::OBJECTS, 328, &Layout::code_localsplusnames, "code_object.localsplusnames"},
    {Part::OBJECTS, 336, &Layout::code_localspluskinds, "code_object.localspluskinds"},
    {Part::OBJECTS, 344, &Layout::code_adaptive, "code_object.co_code_adaptive"},
    {Part::OBJECTS, 408, &Layout::tuple_items, "tuple_object.ob_item"},
    {Part::OBJECTS, 432, &Layout::list_items, "list_object.ob_item"},
    {Part::OBJECTS, 456, &Layout::dict_keys, "dict_object.ma_keys"},
    {Part::OBJECTS, 464, &Layout::dict_values, "dict_object.ma_values"},
    {Part::OBJECTS, 504, &Layout::int_digits, "long_object.ob_digit"},
    {Part::OBJECTS, 544, &Layout::str_state, "unicode_object.state"},
    {Part::OBJECTS, 552, &Layout::str_length, "unicode_object.length"},
    {Part::OBJECTS, 560, &Layout::str_ascii_bytes, "unicode_object.asciiobject_size"},
};

}  // namespace record
