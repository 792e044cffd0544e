// The allocator hook and its doors. The object domain is only used under an interpreter's lock, but
// interpreters with a lock of their own share the hook: nothing here assumes one thread at a time,
// except arming itself.
#include "births/births.h"

#include "buffer.h"

#include "births/recycling.h"

#include <dlfcn.h>
#include <pthread.h>

#include <cstring>

namespace births {

namespace detail {
bool is_armed = false;
bool has_sites = false;
volatile std::uint32_t quick = kThink;
}  // namespace detail

namespace {

// cpython/pymem.h: not in the stable ABI, the same in every version since 3.5.
struct Allocator {
    void* ctx;
    void* (*malloc)(void*, std::size_t);
    void* (*calloc)(void*, std::size_t, std::size_t);
    void* (*realloc)(void*, void*, std::size_t);
    void (*free)(void*, void*);
};
constexpr int kObjectDomain = 2;
using GetAllocator = void (*)(int, Allocator*);
using SetAllocator = void (*)(int, Allocator*);

struct State {
    Allocator next;
    bool is_installed;  // our functions may still be called; `next` must stay valid
    bool is_lost;
    bool was_ever_armed;
    bool is_wide;
    std::uint16_t run;
    // An own-marking belongs to one thread: what the program's other threads allocate meanwhile is
    // the run's.
    bool is_own;
    pthread_t owner;
    volatile bool was_called;
    char identity;  // its address is our ctx
};
State state;

void settle() {
    const bool is_quick = detail::is_armed && !detail::has_sites && !state.is_wide && !state.is_own;
    detail::quick = is_quick ? detail::narrowed(state.run) : detail::kThink;
}

void disable() {
    detail::is_armed = false;
    settle();
}

inline std::uint16_t value_now() {
    if (state.is_own && pthread_equal(pthread_self(), state.owner)) return format::kBirthOwn;
    return state.run;
}

inline void write(shadow::Region* region, std::size_t granule, std::uint16_t value, std::uint32_t site) {
    if (region->is_wide)
        region->wide()[granule] = value;
    else
        region->narrow()[granule] = detail::narrowed(value);
    if (region->sites != nullptr) region->sites[granule] = site;
}

__attribute__((noinline)) void note(void* block, std::uint16_t value, std::uint32_t site) {
    shadow::Region* region = shadow::region_of(block);
    if (!shadow::is_mapped(region)) {
        if (region == nullptr) region = shadow::map_region(block, state.is_wide, detail::has_sites);
        if (!shadow::is_mapped(region)) return;
    }
    write(region, shadow::granule_index(block), value, site);
}

__attribute__((noinline)) void note_thoughtfully(void* block) {
    if (!detail::is_armed || block == nullptr) return;
    note(block, value_now(), detail::has_sites ? sites::now() : 0);
}

inline void* note_new(void* block) {
    if (__builtin_expect(!detail::note_quickly(block), 0)) note_thoughtfully(block);
    return block;
}

struct Note {
    std::uint16_t value;
    std::uint32_t site;
};

// Clears before the block is released: afterwards another interpreter may already own it.
Note take(void* block) {
    shadow::Region* const region = shadow::region_of(block);
    if (!shadow::is_mapped(region)) return {0, 0};
    const std::size_t granule = shadow::granule_index(block);
    const Note old{detail::read(region, granule), region->sites ? region->sites[granule] : 0};
    if (old.value != 0 || old.site != 0) write(region, granule, 0, 0);
    if (old.site & sites::kCodeBlock) sites::forget(block);
    return {old.value, old.site & ~sites::kCodeBlock};
}

void* hook_malloc(void*, std::size_t size) {
    return note_new(state.next.malloc(state.next.ctx, size));
}

void* hook_calloc(void*, std::size_t count, std::size_t size) {
    state.was_called = true;
    return note_new(state.next.calloc(state.next.ctx, count, size));
}

void* hook_realloc(void*, void* block, std::size_t size) {
    if (block == nullptr) return note_new(state.next.realloc(state.next.ctx, block, size));
    if (!detail::is_armed) return state.next.realloc(state.next.ctx, block, size);
    const Note old = take(block);
    void* const moved = state.next.realloc(state.next.ctx, block, size);
    if (old.value != 0 || old.site != 0) note(moved != nullptr ? moved : block, old.value, old.site);
    return moved;
}

void hook_free(void*, void* block) {
    const std::size_t index = shadow::region_index(block);
    if (__builtin_expect(detail::quick < detail::kThink && index < shadow::kRegions, 1)) {
        std::uint8_t* const bytes = shadow::narrow[index].load(std::memory_order_acquire);
        // Blocks of the baseline are left alone: writing would only make their pages resident.
        if (bytes != nullptr && bytes[shadow::granule_index(block)] != 0)
            bytes[shadow::granule_index(block)] = 0;
    } else if (detail::is_armed && block != nullptr) {
        take(block);
    }
    state.next.free(state.next.ctx, block);
}

GetAllocator get_allocator() {
    return reinterpret_cast<GetAllocator>(dlsym(RTLD_DEFAULT, "PyMem_GetAllocator"));
}
SetAllocator set_allocator() {
    return reinterpret_cast<SetAllocator>(dlsym(RTLD_DEFAULT, "PyMem_SetAllocator"));
}

bool is_outermost() {
    Allocator current;
    get_allocator()(kObjectDomain, &current);
    return current.ctx == &state.identity;
}

bool is_called() {
    state.was_called = false;
    PyObject_Free(PyObject_Calloc(1, 1));
    return state.was_called;
}

void install() {
    if (state.is_installed && is_called()) return;
    get_allocator()(kObjectDomain, &state.next);
    Allocator ours{&state.identity, hook_malloc, hook_calloc, hook_realloc, hook_free};
    set_allocator()(kObjectDomain, &ours);
    state.is_installed = true;
}

void uninstall() {
    recycling::unwatch();
    disable();
    if (state.is_installed && is_outermost()) {
        set_allocator()(kObjectDomain, &state.next);
        state.is_installed = false;
    }
}

const char* state_name() {
    if (detail::is_armed) return "armed";
    if (state.is_lost) return "lost";
    return state.is_installed ? "passing" : "off";
}

bool set_run(long value) {
    const long last = state.is_wide ? kWideLast : kNarrowLast;
    if (!detail::is_armed) {
        PyErr_SetString(PyExc_RuntimeError, state.is_lost
                                                ? "births: another tool took the allocator hook away"
                                                : "births are not armed");
        return false;
    }
    const bool is_marker = value == format::kBirthOwn || value == format::kBirthWaiting;
    if (!is_marker && (value < 0 || value > last)) {
        PyErr_Format(PyExc_ValueError, "births: run %ld does not fit: 0..%ld", value, last);
        return false;
    }
    if (value == format::kBirthOwn) {
        state.owner = pthread_self();
        state.is_own = true;
    } else {
        state.is_own = false;
        state.run = static_cast<std::uint16_t>(value);
    }
    settle();
    recycling::renew();
    return true;
}

}  // namespace

const char* arm(bool is_wide, bool with_sites, const char* own_folder) {
    if (get_allocator() == nullptr || set_allocator() == nullptr)
        return "this interpreter does not let its allocator be wrapped";
    disable();
    if (const char* const reason = with_sites ? sites::start(own_folder) : nullptr) return reason;
    state.was_ever_armed = true;
    state.is_wide = is_wide;
    state.run = 0;
    state.is_own = false;
    state.is_lost = false;
    detail::has_sites = with_sites;
    shadow::clear(state.is_wide, detail::has_sites);
    install();
    state.run = 1;  // a probe's block must be seen to come and go
    detail::is_armed = true;
    settle();
    recycling::unwatch();
    recycling::watch(detail::has_sites);
    state.run = 0;
    shadow::clear(state.is_wide, detail::has_sites);
    settle();
    return nullptr;
}

bool begin_run(std::uint16_t run) {
    if (!verify() || run > (state.is_wide ? kWideLast : kNarrowLast)) return false;
    state.is_own = false;
    state.run = run;
    settle();
    return true;
}

void disarm() {
    uninstall();
    shadow::clear(state.is_wide, detail::has_sites);
}

bool was_ever_armed() { return state.was_ever_armed; }

namespace {

// births_arm(width, sites[, own_folder]): starts the shadow afresh, with every living block in the baseline.
// Holds the GIL; maps memory; writes the allocator table of the process.
PyObject* births_arm(PyObject*, PyObject* args) {
    int width = 0;
    int with_sites = 0;
    const char* own_folder = "";
    if (!PyArg_ParseTuple(args, "ip|s", &width, &with_sites, &own_folder)) return nullptr;
    if (width != 8 && width != 16) {
        PyErr_Format(PyExc_ValueError, "births: width is 8 or 16, not %d", width);
        return nullptr;
    }
    if (const char* const reason = arm(width == 16, with_sites != 0, own_folder)) {
        PyErr_SetString(PyExc_RuntimeError, reason);
        return nullptr;
    }
    Py_RETURN_NONE;
}

// births_set(value): the run that new blocks get from now on. Holds the GIL; allocates one block.
PyObject* births_set(PyObject*, PyObject* arg) {
    const long value = PyLong_AsLong(arg);
    if (value == -1 && PyErr_Occurred()) return nullptr;
    verify();
    if (!set_run(value)) return nullptr;
    Py_RETURN_NONE;
}

// The attribute of a module. Interned: 3.11's type cache would keep the fresh string of
// PyObject_GetAttrString of every run.
PyObject* attribute(PyObject* const module, const char* const name) {
    PyObject* const key = PyUnicode_InternFromString(name);
    PyObject* const found = key ? PyObject_GetAttr(module, key) : nullptr;
    Py_XDECREF(key);
    return found;
}

// A second collection that gc.callbacks do not hear of: what they drop after the first one lies on the free
// lists, and would be recycled in the new run as if it were of the old one. The callbacks that were set
// aside, to be put back and let go once the new run has begun; nullptr when there are none, or with an
// exception set.
PyObject* collect_unheard(PyObject* const collect, PyObject* const callbacks) {
    const Py_ssize_t count = PyList_Check(callbacks) ? PyList_Size(callbacks) : 0;
    if (count == 0) return nullptr;
    PyObject* const aside = PyList_GetSlice(callbacks, 0, count);
    if (aside == nullptr || PyList_SetSlice(callbacks, 0, count, nullptr) < 0) {
        Py_XDECREF(aside);
        return nullptr;
    }
    PyObject* const found = PyObject_CallNoArgs(collect);
    Py_XDECREF(found);
    return aside;
}

// births_boundary(value): a full collection, which empties the interpreter's free lists, an empty
// type attribute cache, and the new run before any Python code can fill them again; returns what gc.collect() returned.
PyObject* births_boundary(PyObject*, PyObject* arg) {
    const long value = PyLong_AsLong(arg);
    if (value == -1 && PyErr_Occurred()) return nullptr;
    verify();
    PyObject* const gc = PyImport_ImportModule("gc");
    if (gc == nullptr) return nullptr;
    PyObject* const collect = attribute(gc, "collect");
    PyObject* const callbacks = collect ? attribute(gc, "callbacks") : nullptr;
    Py_DECREF(gc);
    PyObject* const found = callbacks ? PyObject_CallNoArgs(collect) : nullptr;
    PyObject* const aside = found ? collect_unheard(collect, callbacks) : nullptr;
    // Up to 3.12 it keeps the fresh string of each look-up by a C function (PyObject_GetAttrString):
    // in up to 4096 slots, which would read as a leak of a few strings a run.
    PyType_ClearCache();
    bool done = found != nullptr && !PyErr_Occurred() && set_run(value);
    if (aside != nullptr) {
        // With what others may have registered meanwhile behind it.
        PyObject *type, *error, *trace;
        PyErr_Fetch(&type, &error, &trace);
        if (PyList_SetSlice(callbacks, 0, 0, aside) < 0) {
            PyErr_Clear();
            done = false;
        }
        PyErr_Restore(type, error, trace);
        Py_DECREF(aside);
    }
    Py_XDECREF(callbacks);
    Py_XDECREF(collect);
    if (done) return found;
    Py_XDECREF(found);
    if (!PyErr_Occurred()) PyErr_NoMemory();
    return nullptr;
}

// births_disarm(): takes the hook out when it is still the outermost one, else lets it pass calls on.
PyObject* births_disarm(PyObject*, PyObject*) {
    disarm();
    Py_RETURN_NONE;
}

// births_of(object): (run, site row + 1) of the block that holds it.
PyObject* births_of(PyObject*, PyObject* object) {
    const void* const block = block_of(object);
    return Py_BuildValue("(Hk)", run_of(block), static_cast<unsigned long>(site_of(block)));
}

// births_at(addresses): for each u64 the run of the block that starts there, as u16; 0 where none of the runs'
// blocks does. Follows no address.
PyObject* births_at(PyObject*, PyObject* source) {
    Buffer<std::uint64_t> addresses;
    if (!addresses.take(source, false, "births_at")) return nullptr;
    PyObject* const runs = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(addresses.size() * 2));
    if (runs == nullptr) return nullptr;
    char* const out = PyBytes_AsString(runs);
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        const std::uint16_t run = run_of(reinterpret_cast<const void*>(addresses[i]));
        std::memcpy(out + 2 * i, &run, 2);
    }
    return runs;
}

// births_site(row): (file, line, function) of a row of the site table.
PyObject* births_site(PyObject*, PyObject* arg) {
    const unsigned long index = PyLong_AsUnsignedLong(arg);
    if (index == static_cast<unsigned long>(-1) && PyErr_Occurred()) return nullptr;
    if (!detail::has_sites || index >= sites::rows()) {
        PyErr_Format(PyExc_IndexError, "births: there is no site %lu", index);
        return nullptr;
    }
    const sites::Row row = sites::row(static_cast<std::uint32_t>(index));
    const sites::Text file = sites::text(row.file);
    const sites::Text function = sites::text(row.function);
    return Py_BuildValue("(s#Is#)", file.utf8, static_cast<Py_ssize_t>(file.bytes), row.line,
                         function.utf8, static_cast<Py_ssize_t>(function.bytes));
}

// births_stats(): what is being recorded. Cheap.
PyObject* births_stats(PyObject*, PyObject*) {
    const bool with_sites = detail::has_sites;
    return Py_BuildValue("{s:N,s:s,s:i,s:N,s:I,s:K,s:i}", "armed", PyBool_FromLong(detail::is_armed), "state",
                         state_name(), "width", state.is_wide ? 16 : 8, "with_sites",
                         PyBool_FromLong(with_sites), "sites", static_cast<unsigned>(with_sites ? sites::rows() : 0),
                         "lost_sites", static_cast<unsigned long long>(with_sites ? sites::lost() : 0),
                         "unseen_types", detail::is_armed ? recycling::unseen_types() : 0);
}

// births_usage(): (living blocks born since the baseline, resident bytes of the shadow). Reads all of it.
PyObject* births_usage(PyObject*, PyObject*) {
    unsigned long long live_blocks = 0;
    for_each_live_block([&](const void*, std::uint16_t) { ++live_blocks; });
    return Py_BuildValue("(KK)", live_blocks, static_cast<unsigned long long>(shadow::resident_bytes()));
}

}  // namespace

namespace detail {
void note_dead_thoughtfully(const void* block) {
    if (is_armed) note(const_cast<void*>(block), value_now(), 0);
}
}  // namespace detail

bool add_to_site(const void* block, std::uint32_t bits) {
    shadow::Region* region = shadow::region_of(block);
    if (region == nullptr) region = shadow::map_region(block, state.is_wide, detail::has_sites);
    if (!shadow::is_mapped(region) || region->sites == nullptr) return false;
    region->sites[shadow::granule_index(block)] |= bits;
    return true;
}

bool verify() {
    if (detail::is_armed && !is_called()) {
        disable();
        state.is_lost = true;
    }
    return detail::is_armed;
}

}  // namespace births

PyMethodDef birth_methods[] = {
    {"births_arm", births::births_arm, METH_VARARGS, nullptr},
    {"births_set", births::births_set, METH_O, nullptr},
    {"births_boundary", births::births_boundary, METH_O, nullptr},
    {"births_disarm", births::births_disarm, METH_NOARGS, nullptr},
    {"births_of", births::births_of, METH_O, nullptr},
    {"births_at", births::births_at, METH_O, nullptr},
    {"births_site", births::births_site, METH_O, nullptr},
    {"births_stats", births::births_stats, METH_NOARGS, nullptr},
    {"births_usage", births::births_usage, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};
