#include "layout.h"

#include "layout_table.h"

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
    chosen = *row;
    L = &chosen;
    if (!interpreter_matches(chosen)) forget_interpreter_state(chosen);
    return nullptr;
}

bool layout_knows_interpreter() { return L && L->is_sysdict >= 0; }

}  // namespace record
