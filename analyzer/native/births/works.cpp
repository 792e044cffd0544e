#include "births/works.h"

#include "cpython/layout.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <cstring>

namespace works {

using record::L;
using record::load;

namespace detail {
State state;

namespace {

// Allocates nothing: the variable's hash is kept in it, and it is compared by identity.
void look_up(const void* thread, Known& known) {
    PyObject* value = nullptr;
    long number = 0;
    if (state.get_variable(state.table->variable, nullptr, &value) == 0 && value != nullptr) {
        number = PyLong_AsLong(value);
        Py_DECREF(value);
    }
    if (number < 0 || number >= static_cast<long>(kRows)) number = 0;
    known = {thread, load<std::uint64_t>(thread, L->ts_id), load<std::uint64_t>(thread, L->ts_context_version),
             state.table->changes, static_cast<std::uint16_t>(number)};
}

}  // namespace

__attribute__((noinline)) std::uint16_t find(const void* thread) {
    if (load<const void*>(thread, state.of_interpreter) != state.interpreter) return 0;
    const auto word = reinterpret_cast<std::uintptr_t>(thread);
    Known& known = state.known[(word >> 6 ^ word >> 12) % kKnown];
    const bool is_known = known.thread == thread && known.version == load<std::uint64_t>(thread, state.of_version) &&
                          known.id == load<std::uint64_t>(thread, state.of_id) &&
                          known.changes == state.table->changes;
    if (!is_known) look_up(thread, known);
    state.last = known;
    return known.number;
}
}  // namespace detail

using detail::state;

namespace {

std::uint64_t hash_of(const char* name, std::size_t bytes) {
    std::uint64_t hash = 0xCBF29CE484222325ull;
    for (std::size_t i = 0; i < bytes; ++i) hash = (hash ^ static_cast<unsigned char>(name[i])) * 0x100000001B3ull;
    return hash ^ hash >> 31;
}

// Cut off at the beginning of a character.
std::size_t kept_bytes(const char* name, std::size_t bytes) {
    if (bytes <= sizeof(Row::name)) return bytes;
    std::size_t kept = sizeof(Row::name);
    while (kept > 0 && (static_cast<unsigned char>(name[kept]) & 0xC0) == 0x80) --kept;
    return kept;
}

// The capsule that the program's own copy shows; null when it never asked for works.
Table* found() {
    PyObject* const module = PyDict_GetItemString(PyImport_GetModuleDict(), "leakscan.record.works");  // borrowed
    PyObject* const capsule = module ? PyObject_GetAttrString(module, "_table") : nullptr;
    void* const pointer = capsule ? PyCapsule_GetPointer(capsule, kCapsule) : nullptr;
    Py_XDECREF(capsule);
    PyErr_Clear();
    return static_cast<Table*>(pointer);
}

}  // namespace

Table* table() { return state.own; }

bool open(PyObject* variable) {
    // The hook cannot tell of an error: what it asks for is checked here.
    if (static_cast<void*>(Py_TYPE(variable)) != dlsym(RTLD_DEFAULT, "PyContextVar_Type"))
        return PyErr_SetString(PyExc_TypeError, "works: not a ContextVar"), false;
    if (state.own != nullptr) {
        if (state.own->variable == variable) return true;
        return PyErr_SetString(PyExc_RuntimeError, "works: there is a table for another variable"), false;
    }
    void* const memory =
        mmap(nullptr, sizeof(Table), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return PyErr_NoMemory(), false;
    state.own = static_cast<Table*>(memory);
    Py_INCREF(variable);  // for ever: the hook may read it at any time
    state.own->variable = variable;
    state.own->rows = 1;
    return true;
}

std::uint16_t number_of(Table& table, const char* name, std::size_t bytes) {
    bytes = kept_bytes(name, bytes);
    for (std::size_t at = hash_of(name, bytes) % kSlots;; at = (at + 1) % kSlots) {
        std::uint32_t& slot = table.slots[at];
        if (slot != 0) {
            const Row& row = table.row[slot - 1];
            if (row.bytes == bytes && std::memcmp(row.name, name, bytes) == 0)
                return static_cast<std::uint16_t>(slot - 1);
            continue;
        }
        if (table.rows > kLast) return kFolded;
        Row& row = table.row[table.rows];
        row.bytes = static_cast<std::uint16_t>(bytes);
        std::memcpy(row.name, name, bytes);
        slot = ++table.rows;
        return static_cast<std::uint16_t>(slot - 1);
    }
}

bool start() {
    stop();
    Table* const shown = found();
    if (shown == nullptr || record::layout_select() != nullptr || L->ts_context_version < 0) return false;
    void* thread_state = dlsym(RTLD_DEFAULT, "PyThreadState_GetUnchecked");
    if (thread_state == nullptr) thread_state = dlsym(RTLD_DEFAULT, "_PyThreadState_UncheckedGet");
    void* const get_variable = dlsym(RTLD_DEFAULT, "PyContextVar_Get");
    if (thread_state == nullptr || get_variable == nullptr) return false;
    state.thread_state = reinterpret_cast<void* (*)()>(thread_state);
    state.get_variable = reinterpret_cast<int (*)(PyObject*, PyObject*, PyObject**)>(get_variable);
    state.interpreter = load<const void*>(state.thread_state(), L->ts_interp);
    state.of_interpreter = L->ts_interp;
    state.of_id = L->ts_id;
    state.of_version = L->ts_context_version;
    std::memset(state.known, 0, sizeof state.known);
    state.last = {};
    for (std::uint32_t i = 0; i < shown->rows; ++i) shown->row[i].begun = 0;
    shown->row[kFolded].begun = 0;
    shown->is_recorded = 1;
    state.table = shown;
    state.is_on = true;
    return true;
}

void stop() {
    if (state.is_on) state.table->is_recorded = 0;
    state.is_on = false;
}

const Table* recorded() { return state.is_on ? state.table : nullptr; }

}  // namespace works
