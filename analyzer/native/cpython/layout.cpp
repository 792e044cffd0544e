#include "cpython/layout.h"

#include "cpython/layout_table.h"

#include <dlfcn.h>

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
    return object_at(interpreter, row.is_modules) ==
               reinterpret_cast<Object*>(PyImport_GetModuleDict()) &&
           load<const void*>(state, row.ts_interp) == interpreter;
}

void forget_interpreter_state(Layout& row) {
    int* const fields[] = {&row.is_sysdict, &row.is_builtins, &row.is_modules_by_index, &row.is_importlib,
                       &row.is_import_func, &row.is_sysdict_copy, &row.is_builtins_copy,
                       &row.is_codec_search_path, &row.is_codec_search_cache, &row.is_codec_errors,
                       &row.is_dict, &row.is_before_forkers, &row.is_after_forkers_parent,
                       &row.is_after_forkers_child, &row.is_audit_hooks, &row.is_warnings_filters,
                       &row.is_warnings_once, &row.is_warnings_default, &row.is_gc_garbage,
                       &row.is_gc_callbacks, &row.is_interned, &row.is_monitoring_callables,
                       &row.is_monitoring_names, &row.is_atexit_callbacks, &row.rt_signal_handlers};
    for (int* field : fields) *field = -1;
}

bool frames_known = false, threads_known = false;

// A patch release that changes a struct changes the size that its type states.
bool basicsize_is(const char* type, int bytes) {
    const auto* found = static_cast<const TypeObject*>(dlsym(RTLD_DEFAULT, type));
    return !found || found->basicsize == bytes;
}

bool objects_match(const Layout& row) {
    return basicsize_is("PyTuple_Type", row.tuple_items) && basicsize_is("PyList_Type", row.list_allocated + 8) &&
           basicsize_is("PyDict_Type", row.dict_values + 8) && basicsize_is("PySet_Type", row.set_bytes) &&
           basicsize_is("PyUnicode_Type", row.str_bytes) && basicsize_is("PyLong_Type", row.int_digits) &&
           basicsize_is("PyFunction_Type", row.function_bytes) && basicsize_is("PyCode_Type", row.code_adaptive) &&
           basicsize_is("PyModule_Type", row.module_bytes) && basicsize_is("PyType_Type", row.heap_type_bytes);
}

bool frames_match(const Layout& row) {
    const int frame = row.frame_localsplus;
    return basicsize_is("PyGen_Type", row.gen_frame + frame) &&
           basicsize_is("PyFrame_Type", row.frameobj_data + frame);
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

}  // namespace

const char* layout_select() {
    static const char* verdict = nullptr;
    static bool done = false;
    if (done) return verdict;
    done = true;
    const auto version = static_cast<unsigned long>(Py_Version);
    const int minor = static_cast<int>((version >> 16) & 255);
    const Layout* row = version >> 24 == 3 ? row_for(minor) : nullptr;
    if (!row) return verdict = "this version of CPython is not known to the recorder (3.11 to 3.15 are)";
    if (sizeof(void*) != 8) return verdict = "only 64-bit builds of CPython can be recorded";
    if (is_free_threaded()) return verdict = "free-threaded builds of CPython cannot be recorded yet";
    if (!objects_match(*row)) return verdict = "this build of CPython lays out its objects in an unknown way";
    chosen = *row;
    L = &chosen;
    frames_known = frames_match(chosen);
    threads_known = threads_match(chosen);
    if (!interpreter_matches(chosen)) forget_interpreter_state(chosen);
    return nullptr;
}

bool layout_knows_frames() { return frames_known; }
bool layout_knows_threads() { return threads_known; }
bool layout_knows_interpreter() { return L && L->is_sysdict >= 0; }

}  // namespace record
