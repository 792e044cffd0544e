#include "cpython/layout.h"

#include "cpython/debug_offsets_table.h"
#include "cpython/layout_table.h"

#include <dlfcn.h>

#include <atomic>
#include <cstdio>

namespace record {

const Layout* L = nullptr;

namespace {

Layout chosen;

const Layout* row_for(int minor) {
    static const Layout* const rows[] = {&k311, &k312, &k313, &k314, &k315};
    return minor >= 11 && minor <= 15 ? rows[minor - 11] : nullptr;
}

// True when an offset of the interpreter state leads to something only Python's own API can know.
bool interpreter_matches(const Layout& row) {
    const void* interpreter = PyInterpreterState_Get();
    PyThreadState* state = PyThreadState_Get();
    return object_at(interpreter, row.is_modules) == reinterpret_cast<Object*>(PyImport_GetModuleDict()) &&
           load<const void*>(state, row.ts_interp) == interpreter;
}

void forget_interpreter_state(Layout& row) {
    int* const fields[] = {&row.is_sysdict,
                           &row.is_builtins,
                           &row.is_modules_by_index,
                           &row.is_importlib,
                           &row.is_import_func,
                           &row.is_sysdict_copy,
                           &row.is_builtins_copy,
                           &row.is_codec_search_path,
                           &row.is_codec_search_cache,
                           &row.is_codec_errors,
                           &row.is_dict,
                           &row.is_before_forkers,
                           &row.is_after_forkers_parent,
                           &row.is_after_forkers_child,
                           &row.is_audit_hooks,
                           &row.is_warnings_filters,
                           &row.is_warnings_once,
                           &row.is_warnings_default,
                           &row.is_gc_garbage,
                           &row.is_gc_callbacks,
                           &row.is_interned,
                           &row.is_monitoring_callables,
                           &row.is_monitoring_names,
                           &row.is_atexit_callbacks,
                           &row.rt_signal_handlers};
    for (int* field : fields) *field = -1;
}

bool frames_known = false, threads_known = false;

// A patch release that changes a struct changes the size that its type states.
bool basicsize_is(const char* type, int bytes) {
    const auto* found = static_cast<const TypeObject*>(dlsym(RTLD_DEFAULT, type));
    return !found || found->basicsize == bytes;
}

// The name of a type of another size than the table has, null when there is none.
const char* resized_type(const Layout& row) {
    const struct {
        const char* type;
        int bytes;
    } known[] = {
        {"PyTuple_Type", row.tuple_items},       {"PyList_Type", row.list_allocated + 8},
        {"PyDict_Type", row.dict_values + 8},    {"PySet_Type", row.set_bytes},
        {"PyUnicode_Type", row.str_bytes},       {"PyLong_Type", row.int_digits},
        {"PyFunction_Type", row.function_bytes}, {"PyCode_Type", row.code_adaptive},
        {"PyModule_Type", row.module_bytes},     {"PyType_Type", row.heap_type_bytes},
    };
    for (const auto& each : known)
        if (!basicsize_is(each.type, each.bytes)) return each.type;
    return nullptr;
}

// The first moved field of each part, null where all are where the table has them.
struct Moved {
    const char *object = nullptr, *frame = nullptr, *thread = nullptr, *interpreter = nullptr;
};

Moved moved_fields(const Layout& row) {
    Moved moved;
    const auto note = [&](const DebugOffset& field) {
        const char** const first[] = {&moved.object, &moved.frame, &moved.thread, &moved.interpreter};
        const char*& name = *first[static_cast<int>(field.part)];
        if (!name) name = field.name;
    };
    const void* const runtime = dlsym(RTLD_DEFAULT, "_PyRuntime");
    if (row.minor == 13) for_each_moved(runtime, kDebug313, row, note);
    if (row.minor == 14) for_each_moved(runtime, kDebug314, row, note);
    if (row.minor == 15) for_each_moved(runtime, kDebug315, row, note);
    return moved;
}

const char* unknown_layout(const char* what) {
    static char sentence[160];
    std::snprintf(sentence, sizeof(sentence), "this build of CPython lays out its objects in an unknown way: %s", what);
    return sentence;
}

bool frames_match(const Layout& row) {
    const int frame = row.frame_localsplus;
    return basicsize_is("PyGen_Type", row.gen_frame + frame) && basicsize_is("PyFrame_Type", row.frameobj_data + frame);
}

bool threads_match(const Layout& row) {
    return load<unsigned long>(PyThreadState_Get(), row.ts_thread_id) == PyThread_get_thread_ident();
}

bool is_free_threaded() {
    PyObject* flags = PySys_GetObject("abiflags");  // borrowed
    const char* text = flags && PyUnicode_Check(flags) ? PyUnicode_AsUTF8AndSize(flags, nullptr) : nullptr;
    PyErr_Clear();
    return text && std::strchr(text, 't');
}

// Null and `L` set, or why not.
const char* choose() {
    const auto version = static_cast<unsigned long>(Py_Version);
    const int minor = static_cast<int>((version >> 16) & 255);
    const Layout* row = version >> 24 == 3 ? row_for(minor) : nullptr;
    if (!row) return "this version of CPython is not known to the recorder (3.11 to 3.15 are)";
    if (sizeof(void*) != 8) return "only 64-bit builds of CPython can be recorded";
    if (is_free_threaded()) return "free-threaded builds of CPython cannot be recorded yet";
    if (const char* const type = resized_type(*row)) return unknown_layout(type);
    const Moved moved = moved_fields(*row);
    if (moved.object) return unknown_layout(moved.object);
    chosen = *row;
    threads_known = !moved.thread && threads_match(chosen);
    frames_known = !moved.frame && frames_match(chosen);
    if (moved.interpreter || !interpreter_matches(chosen)) forget_interpreter_state(chosen);
    L = &chosen;
    return nullptr;
}

}  // namespace

const char* layout_select() {
    // Said to be done last: an interpreter with a lock of its own may ask meanwhile.
    static const char* verdict = nullptr;
    static std::atomic<bool> is_done = false;
    if (!is_done.load(std::memory_order_acquire)) {
        verdict = choose();
        is_done.store(true, std::memory_order_release);
    }
    return verdict;
}

bool layout_knows_frames() { return frames_known; }
bool layout_knows_threads() { return threads_known; }
bool layout_knows_interpreter() { return L && L->is_sysdict >= 0; }

}  // namespace record
