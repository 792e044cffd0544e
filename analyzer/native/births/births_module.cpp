// Doors of the births: each entry parses its arguments and calls one function.
#include "births/births.h"
#include "buffer.h"
#include "guard/guard.h"

#include <cstring>

namespace births {

namespace {

// Of a guard they are its ticks: nobody else may move them, or take them for runs.
bool are_guards() {
#if defined(__linux__)
    return guard::counts_births();
#else
    return false;
#endif
}
constexpr char kGuarded[] = "a guard counts births in this process";

bool set_run_or_raise(long value) {
    const char* const reason = are_guards() ? kGuarded : set_run(value);
    if (reason == nullptr) return true;
    if (reason == kDoesNotFit)
        PyErr_Format(PyExc_ValueError, "births: run %ld does not fit: 0..%ld", value, long{recorded().last_run});
    else
        PyErr_SetString(PyExc_RuntimeError, reason);
    return false;
}

// births_arm(width, sites[, own_folder]): starts the shadow afresh, with every living block in the baseline.
// Holds the GIL; maps memory; writes the allocator table of the process.
PyObject* births_arm(PyObject*, PyObject* args) {
    int width = 0;
    int with_sites = 0;
    const char* own_folder = "";
    Py_ssize_t own_folder_bytes = 0;
    if (!PyArg_ParseTuple(args, "ip|s#", &width, &with_sites, &own_folder, &own_folder_bytes)) return nullptr;
    if (width != 8 && width != 16) {
        PyErr_Format(PyExc_ValueError, "births: width is 8 or 16, not %d", width);
        return nullptr;
    }
    const char* const reason = are_guards() ? kGuarded : arm(width == 16, with_sites != 0, own_folder);
    if (reason) {
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
    if (!set_run_or_raise(value)) return nullptr;
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
    bool done = found != nullptr && !PyErr_Occurred() && set_run_or_raise(value);
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
    if (!are_guards()) disarm();
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
    return Py_BuildValue("(s#Is#)", file.utf8, static_cast<Py_ssize_t>(file.bytes), row.line, function.utf8,
                         static_cast<Py_ssize_t>(function.bytes));
}

// births_stats(): what is being recorded. Cheap.
PyObject* births_stats(PyObject*, PyObject*) {
    Recorded now = recorded();
    if (are_guards()) now.is_armed = false, now.state = "passing";
    return Py_BuildValue("{s:N,s:s,s:i,s:N,s:I,s:K,s:i}", "armed", PyBool_FromLong(now.is_armed), "state", now.state,
                         "width", now.width, "with_sites", PyBool_FromLong(now.has_sites), "sites", now.site_rows,
                         "lost_sites", static_cast<unsigned long long>(now.lost_sites), "unseen_types",
                         now.unseen_types);
}

// births_living(run): (living blocks born in that run, in any run), None when nobody watches any more. Holds the
// GIL; reads the written pages of the shadow.
PyObject* births_living(PyObject*, PyObject* arg) {
    const long run = PyLong_AsLong(arg);
    if (run == -1 && PyErr_Occurred()) return nullptr;
    if (are_guards() || !verify()) Py_RETURN_NONE;
    const Living found = living(static_cast<std::uint16_t>(run));
    return Py_BuildValue("(KK)", static_cast<unsigned long long>(found.born),
                         static_cast<unsigned long long>(found.all));
}

// births_usage(): (living blocks born since the baseline, resident bytes of the shadow). Reads all of it.
PyObject* births_usage(PyObject*, PyObject*) {
    unsigned long long live_blocks = 0;
    for_each_live_block([&](const void*, std::uint16_t) { ++live_blocks; });
    return Py_BuildValue("(KK)", live_blocks, static_cast<unsigned long long>(shadow::resident_bytes()));
}

}  // namespace

}  // namespace births

PyMethodDef birth_methods[] = {{"births_arm", births::births_arm, METH_VARARGS, nullptr},
                               {"births_set", births::births_set, METH_O, nullptr},
                               {"births_boundary", births::births_boundary, METH_O, nullptr},
                               {"births_disarm", births::births_disarm, METH_NOARGS, nullptr},
                               {"births_of", births::births_of, METH_O, nullptr},
                               {"births_at", births::births_at, METH_O, nullptr},
                               {"births_site", births::births_site, METH_O, nullptr},
                               {"births_stats", births::births_stats, METH_NOARGS, nullptr},
                               {"births_living", births::births_living, METH_O, nullptr},
                               {"births_usage", births::births_usage, METH_NOARGS, nullptr},
                               {nullptr, nullptr, 0, nullptr}};
