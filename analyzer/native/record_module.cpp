// Doors of the walk and of the memory figures: each entry parses its arguments and calls one function.
#include "module.h"

#include "cpython/layout.h"
#include "guard/guard.h"
#include "memory/malloc.h"
#include "memory/maps.h"
#include "memory/pools.h"
#include "walk/snapshot.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace record {
namespace {

// support() -> (supported, reason). Allocates only the tuple.
PyObject* support(PyObject*, PyObject*) {
    const char* reason = layout_select();
    return Py_BuildValue("(Os)", reason ? Py_False : Py_True, reason ? reason : "");
}

// snapshot_start(fd, meta, own_prefix, flags[, subject]) -> pid. Holds the GIL; forks a child that walks the
// frozen heap and writes it to `fd`. RuntimeError: unsupported interpreter; OSError: no fork.
PyObject* snapshot_start(PyObject*, PyObject* args) {
    Request request{};
    Py_ssize_t meta_bytes, prefix_bytes;
    PyObject* subject = Py_None;
    if (!PyArg_ParseTuple(args, "iy#s#i|O", &request.fd, &request.meta, &meta_bytes, &request.own_prefix, &prefix_bytes,
                          &request.flags, &subject))
        return nullptr;
    request.subject = subject == Py_None ? nullptr : subject;
    request.meta_bytes = static_cast<std::size_t>(meta_bytes);
    request.own_prefix_bytes = static_cast<std::size_t>(prefix_bytes);
#if defined(__linux__)
    if (guard::counts_births()) request.flags |= kFlagUndated;  // they are not the caller's runs
#endif
    const Started started = start(request);
    if (started.reason) {
        PyErr_SetString(PyExc_RuntimeError, started.reason);
        return nullptr;
    }
    if (started.pid < 0) {
        errno = started.error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return PyLong_FromLong(started.pid);
}

// snapshot_wait(pid, timeout_seconds) -> (status, errno). Releases the GIL; kills a late child.
PyObject* snapshot_wait(PyObject*, PyObject* args) {
    int pid;
    double timeout_seconds;
    if (!PyArg_ParseTuple(args, "id", &pid, &timeout_seconds)) return nullptr;
    // To kill() such numbers mean a process group, or every process of the user.
    if (pid <= 0) {
        PyErr_Format(PyExc_ValueError, "snapshot_wait: %d is not the number of a process", pid);
        return nullptr;
    }
    PyThreadState* const saved = PyEval_SaveThread();
    const Ended ended = wait_for(pid, timeout_seconds);
    PyEval_RestoreThread(saved);
    return Py_BuildValue("(si)", ended.status, ended.code);
}

// malloc_figures() -> (used, free, mapped, used in the main arena) bytes of glibc's allocator, or None where
// another one serves malloc. Holds the GIL; takes the allocator's own locks for a moment; its text of some
// kilobytes is freed again.
PyObject* malloc_figures(PyObject*, PyObject*) {
    MallocTotals all;
    if (!malloc_totals(&all)) Py_RETURN_NONE;
    return Py_BuildValue("(KKKK)", all.used, all.free, all.mapped, all.main_used);
}

// malloc_in_use() -> bytes of glibc's allocator handed out, its cache for this thread filled first so that figures can be
// compared; None where another one serves malloc. Holds the GIL; takes the allocator's own locks for a moment.
PyObject* in_use(PyObject*, PyObject*) {
    unsigned long long bytes = 0;
    if (!malloc_in_use(&bytes)) Py_RETURN_NONE;
    return PyLong_FromUnsignedLongLong(bytes);
}

// malloc_owner() -> name of the library whose `malloc` this process calls, None when unknown.
PyObject* malloc_owner(PyObject*, PyObject*) {
    const char* const library = malloc_library();
    if (!library) Py_RETURN_NONE;
    return PyUnicode_DecodeFSDefault(library);
}

// malloc_trim() -> whether glibc gave memory back to the system, None where it does not serve malloc.
// Releases the GIL; takes each arena's lock in turn.
PyObject* malloc_trim(PyObject*, PyObject*) {
    PyThreadState* const saved = PyEval_SaveThread();
    const Trimmed trimmed = trim_malloc();
    PyEval_RestoreThread(saved);
    if (trimmed == Trimmed::NOT_SERVED) Py_RETURN_NONE;
    return PyBool_FromLong(trimmed == Trimmed::SOMETHING);
}

// map_figures(pid) -> dict of bytes by what they are, from smaps; 0 is this process. Releases the GIL, allocates
// only the dict. OSError: no such process, not permitted, or no /proc.
PyObject* map_figures(PyObject*, PyObject* args) {
    int pid;
    if (!PyArg_ParseTuple(args, "i", &pid)) return nullptr;
    char file[32];
    std::snprintf(file, sizeof(file), pid > 0 ? "/proc/%d/smaps" : "/proc/self/smaps", pid);
    MapTotals totals;
    PyThreadState* const saved = PyEval_SaveThread();
    const int result = map_totals(file, &totals);
    const int error = errno;
    PyEval_RestoreThread(saved);
    if (result < 0) {
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    const auto bytes = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
    return Py_BuildValue("{s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K}", "rss_bytes",
                         bytes(totals.resident), "swap_bytes", bytes(totals.swapped), "uss_bytes", bytes(totals.owned),
                         "main_heap_bytes", bytes(totals.heap), "arena_heap_bytes", bytes(totals.arenas), "stack_bytes",
                         bytes(totals.stacks), "file_bytes", bytes(totals.files), "file_size", bytes(totals.file_size),
                         "shared_bytes", bytes(totals.shared), "other_anonymous_bytes", bytes(totals.anonymous),
                         "other_anonymous_size", bytes(totals.anonymous_size), "regions", bytes(totals.regions),
                         "arena_regions", bytes(totals.arena_regions), "copy_on_write_bytes", bytes(totals.copied));
}

// pool_figures(pid) -> (pools, used, resident) of the object allocator of a process, read from outside it.
// Releases the GIL; touches no page that is not there. OSError as above.
PyObject* pool_figures(PyObject*, PyObject* args) {
    int pid;
    if (!PyArg_ParseTuple(args, "i", &pid)) return nullptr;
    PoolTotals totals;
    PyThreadState* const saved = PyEval_SaveThread();
    const int result = find_pools_of(pid > 0 ? pid : getpid(), &totals);
    const int error = errno;
    PyEval_RestoreThread(saved);
    if (result < 0) {
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return Py_BuildValue("(KKK)", static_cast<unsigned long long>(totals.pools),
                         static_cast<unsigned long long>(totals.used),
                         static_cast<unsigned long long>(totals.resident));
}

}  // namespace
}  // namespace record

PyMethodDef record_methods[] = {{"support", record::support, METH_NOARGS, nullptr},
                                {"snapshot_start", record::snapshot_start, METH_VARARGS, nullptr},
                                {"snapshot_wait", record::snapshot_wait, METH_VARARGS, nullptr},
                                {"malloc_figures", record::malloc_figures, METH_NOARGS, nullptr},
                                {"malloc_in_use", record::in_use, METH_NOARGS, nullptr},
                                {"malloc_owner", record::malloc_owner, METH_NOARGS, nullptr},
                                {"malloc_trim", record::malloc_trim, METH_NOARGS, nullptr},
                                {"map_figures", record::map_figures, METH_VARARGS, nullptr},
                                {"pool_figures", record::pool_figures, METH_VARARGS, nullptr},
                                {nullptr, nullptr, 0, nullptr}};

int add_record_constants(PyObject* module) {
    if (PyModule_AddIntConstant(module, "SNAPSHOT_CENSUS", record::kFlagCensus) < 0) return -1;
    if (PyModule_AddIntConstant(module, "SNAPSHOT_TIGHT", record::kFlagTight) < 0) return -1;
    if (PyModule_AddIntConstant(module, "SNAPSHOT_VALUES", record::kFlagValues) < 0) return -1;
    return PyModule_AddIntConstant(module, "SNAPSHOT_REDACT_KEYS", record::kFlagRedactKeys);
}
