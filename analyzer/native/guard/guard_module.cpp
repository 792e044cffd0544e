// Doors of the guard: for Python, and for whoever loads this library into a process before it is Python.
#include "guard/guard.h"
#include "module.h"

#include <cstring>

namespace guard {
namespace {

// guard_start(folder, limit_bytes, percent, baseline_seconds, counts_births, redacts_keys, term_seconds) -> False when
// one runs already. Starts a thread; holds the GIL, allocates its stack. RuntimeError: `no-thread`, `name-too-long`,
// `unsupported`.
PyObject* guard_start(PyObject*, PyObject* args) {
    Settings settings{};
    int counts_births, redacts_keys;
    Py_ssize_t parent_bytes;
    if (!PyArg_ParseTuple(args, "s#Lidppd", &settings.parent, &parent_bytes, &settings.limit, &settings.percent,
                          &settings.baseline_seconds, &counts_births, &redacts_keys, &settings.term_seconds))
        return nullptr;
    if (settings.limit < 0 || settings.percent < 1 || settings.percent > 99 || !(settings.baseline_seconds >= 0) ||
        !(settings.term_seconds >= 0)) {
        PyErr_SetString(PyExc_ValueError,
                        "guard_start: a limit below 0, a percentage out of 1 to 99, or a time below 0");
        return nullptr;
    }
    settings.counts_births = counts_births;
    settings.redacts_keys = redacts_keys;
#if defined(__linux__)
    const char* const reason = start(settings);
#else
    const char* const reason = "unsupported";
#endif
    if (reason && !std::strcmp(reason, "running")) Py_RETURN_FALSE;
    if (reason) {
        PyErr_SetString(PyExc_RuntimeError, reason);
        return nullptr;
    }
    Py_RETURN_TRUE;
}

// guard_stop() -> whether one ran. It ends at its next look.
PyObject* guard_stop(PyObject*, PyObject*) {
#if defined(__linux__)
    const bool was_running = is_running();
    stop();
    return PyBool_FromLong(was_running);
#else
    Py_RETURN_FALSE;
#endif
}

// guard_box() -> the folder that is filled, "" before the baseline, None where no guard runs.
PyObject* guard_box(PyObject*, PyObject*) {
#if defined(__linux__)
    if (is_running()) return PyUnicode_DecodeFSDefault(folder());
#endif
    Py_RETURN_NONE;
}

// guard_room(proc) -> (name, limit_bytes, room_bytes, kills_group) of the narrowest limit on this process, as the /proc at
// that path tells; None where it tells none. Reads files.
PyObject* guard_room(PyObject*, PyObject* args) {
    const char* proc;
    if (!PyArg_ParseTuple(args, "s", &proc)) return nullptr;
#if defined(__linux__)
    Limits limits;
    Reading now{};
    limits.find(0, proc);
    if (limits.narrowest(&now))
        return Py_BuildValue("sLLN", now.name(), now.limit, now.room, PyBool_FromLong(now.kills_group));
#endif
    Py_RETURN_NONE;
}

}  // namespace
}  // namespace guard

PyMethodDef guard_methods[] = {{"guard_start", guard::guard_start, METH_VARARGS, nullptr},
                               {"guard_stop", guard::guard_stop, METH_NOARGS, nullptr},
                               {"guard_box", guard::guard_box, METH_NOARGS, nullptr},
                               {"guard_room", guard::guard_room, METH_VARARGS, nullptr},
                               {nullptr, nullptr, 0, nullptr}};

#if defined(__linux__)
// See start_with(). Needs no lock, nor Python to be initialized.
extern "C" __attribute__((visibility("default"))) const char* leakscan_guard(const char* folder, const char* options) {
    return guard::start_with(folder, options);
}
#endif
