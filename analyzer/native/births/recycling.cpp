// Two ways, both by the destructor slot of the type, which every last reference goes through (but
// for floats and, since 3.14, ints that the interpreter's specialised arithmetic drops itself).
//
// Mark: the dying object's block is written with the current run. A full collection at each boundary
// empties the free lists, so whoever reuses the block is born in that same run; if the block is
// really freed, the allocator hook clears it. The line of the rebirth is not known.
//
// Bypass, with sites (list, tuple, dict, float): their destructors keep a block for reuse only if the
// object's type is exactly theirs. The dying object is given a twin of its type, equal in every field
// but at another address, so the block goes back to the allocator and the next object, with its line,
// comes from there. It costs x1.1 more on code that only makes and drops containers. A probe proves
// the effect for each type when it is armed.
#include "births/recycling.h"

#include "births/births.h"
#include "cpython/layout.h"

#include <dlfcn.h>
#include <cstring>
#include <utility>

namespace recycling {
namespace {

constexpr unsigned kPy311 = 0x030B0000;
constexpr unsigned kPy314 = 0x030E0000;

struct Watched {
    const char* symbol;
    unsigned since;       // the first version with a free list for it
    PyObject* (*make)();  // for the probe; null: only ever marked
    PyTypeObject* type;
    destructor original;
    std::size_t before;  // bytes from the start of the block to the object
    bool is_watched;
    bool is_bypassed;
    alignas(16) unsigned char twin[sizeof(record::TypeObject)];
};

Watched table[] = {
    {"PyList_Type", kPy311, [] { return PyList_New(0); }},
    {"PyTuple_Type", kPy311, [] { return PyTuple_New(1); }},
    {"PyDict_Type", kPy311, [] { return PyDict_New(); }},
    {"PyFloat_Type", kPy311, [] { return PyFloat_FromDouble(0.5); }},
    {"PySlice_Type", kPy311},
    {"PyContext_Type", kPy311},
    {"_PyAsyncGenASend_Type", kPy311},
    {"PyLong_Type", kPy314},
    {"PyMethod_Type", kPy314},
    {"PyCFunction_Type", kPy314},
    {"PyListIter_Type", kPy314},
    {"PyTupleIter_Type", kPy314},
    {"PyRange_Type", kPy314},
    {"PyRangeIter_Type", kPy314},
};
constexpr std::size_t kTypes = sizeof table / sizeof table[0];
constexpr std::size_t kNesting = 3;  // the first ones contain objects of their own type

destructor& slot_of(void* type) {
    return *reinterpret_cast<destructor*>(static_cast<char*>(type) + offsetof(record::TypeObject, dealloc));
}

inline void mark(const Watched& watched, PyObject* object) {
    // A subclass ends in its base's destructor too; its blocks are never recycled.
    if (Py_TYPE(object) == watched.type) births::mark_dead(reinterpret_cast<char*>(object) - watched.before);
}

template <std::size_t I>
void die_marked(PyObject* object) {
    mark(table[I], object);
    table[I].original(object);
}

// Until 3.13 the destructors limit their own recursion, but only while the slot of the type is
// theirs: the wrapper has to do it in their place. Deposited objects are chained through the
// collector's header, as CPython does it: they are untracked, and nothing else reads it.
struct Trash {
    int depth;
    PyObject* later;
};
thread_local Trash trash;
constexpr int kDeepest = 50;

inline std::uintptr_t& link_of(PyObject* object) {
    return *reinterpret_cast<std::uintptr_t*>(reinterpret_cast<char*>(object) + record::kGcPrevious);
}

template <std::size_t I>
void die_nested(PyObject* object) {
    constexpr std::uintptr_t kFlags = 3;  // finalized, collecting
    Watched& watched = table[I];
    Trash& mine = trash;
    if (mine.depth >= kDeepest && slot_of(Py_TYPE(object)) == die_nested<I>) {
        PyObject_GC_UnTrack(object);
        link_of(object) = (link_of(object) & kFlags) | reinterpret_cast<std::uintptr_t>(mine.later);
        mine.later = object;
        return;
    }
    mark(watched, object);
    ++mine.depth;
    watched.original(object);
    if (mine.depth == 1) {
        while (PyObject* const next = mine.later) {
            mine.later = reinterpret_cast<PyObject*>(link_of(next) & ~kFlags);
            link_of(next) &= kFlags;
            slot_of(Py_TYPE(next))(next);
        }
    }
    --mine.depth;
}

template <std::size_t I>
void die_bypassed(PyObject* object) {
    // The twin's destructor is the original one: the recursion limit of 3.13 and before compares them.
    if (Py_TYPE(object) == table[I].type) Py_SET_TYPE(object, reinterpret_cast<PyTypeObject*>(table[I].twin));
    table[I].original(object);
}

struct Wrappers {
    destructor marked[kTypes];
    destructor bypassed[kTypes];
};

template <std::size_t... I, std::size_t... Nested>
constexpr Wrappers make_wrappers(std::index_sequence<I...>) {
    return {{die_marked<I>...}, {die_bypassed<I>...}};
}
constexpr Wrappers wrappers = make_wrappers(std::make_index_sequence<kTypes>());
constexpr destructor nested[kNesting] = {die_nested<0>, die_nested<1>, die_nested<2>};

destructor wrapper_of(std::size_t i) {
    if (table[i].is_bypassed) return wrappers.bypassed[i];
    if (i < kNesting && Py_Version < kPy314) return nested[i];
    return wrappers.marked[i];
}

// Drops one object; if its block was kept, takes it off the free list again and gives it back its
// type, so that nobody meets the twin.
bool probe(const Watched& watched) {
    PyObject* const object = watched.make();
    if (object == nullptr) return PyErr_Clear(), false;
    const void* const block = births::block_of(object);
    Py_DECREF(object);
    if (births::run_of(block) == 0) return true;
    PyObject* const again = watched.make();
    if (again == nullptr) return PyErr_Clear(), false;
    slot_of(watched.type) = watched.original;
    Py_SET_TYPE(again, watched.type);
    Py_DECREF(again);
    return false;
}

void watch_type(std::size_t i, bool with_sites) {
    Watched& watched = table[i];
    watched.type = static_cast<PyTypeObject*>(dlsym(RTLD_DEFAULT, watched.symbol));
    if (watched.type == nullptr) return;
    const auto known = reinterpret_cast<destructor>(PyType_GetSlot(watched.type, Py_tp_dealloc));
    if (known == nullptr || slot_of(watched.type) != known) return;
    watched.original = known;
    watched.before = PyType_GetFlags(watched.type) & Py_TPFLAGS_HAVE_GC ? record::kGcHead : 0;
    std::memcpy(watched.twin, watched.type, sizeof watched.twin);
    watched.is_bypassed = with_sites && watched.make != nullptr;
    slot_of(watched.type) = wrapper_of(i);
    if (watched.is_bypassed && !probe(watched)) {
        watched.is_bypassed = false;
        slot_of(watched.type) = wrapper_of(i);
    }
    watched.is_watched = true;
}

}  // namespace

void watch(bool with_sites) {
    for (std::size_t i = 0; i < kTypes; ++i)
        if (!table[i].is_watched && Py_Version >= table[i].since) watch_type(i, with_sites);
}

void unwatch() {
    for (std::size_t i = 0; i < kTypes; ++i) {
        if (!table[i].is_watched) continue;
        if (slot_of(table[i].type) == wrapper_of(i)) slot_of(table[i].type) = table[i].original;
        table[i].is_watched = false;
    }
}

void renew() {
    // Up to 3.13 one dead slice is kept that no collection frees. Taken and dropped, it is of the run that
    // begins; else the program would be given leakscan's own, at most one in each run.
    Py_XDECREF(PySlice_New(nullptr, nullptr, nullptr));
    PyErr_Clear();
}

int unseen_types() {
    int unseen = 0;
    for (const Watched& watched : table)
        if (!watched.is_watched && Py_Version >= watched.since) ++unseen;
    return unseen;
}

}  // namespace recycling
