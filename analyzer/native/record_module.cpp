// Doors of the record part: each entry parses its arguments and calls one function.
#include "walk/snapshot.h"

// support() -> (supported, reason). Allocates only the tuple.
// snapshot_start(fd, meta, own_prefix, flags[, subject]) -> pid. Holds the GIL; forks a child that walks the
// frozen heap and writes it to `fd`. RuntimeError: unsupported interpreter; OSError: no fork.
// snapshot_wait(pid, timeout_seconds) -> (status, errno). Releases the GIL; kills a late child.
// malloc_figures() -> (used, free, mapped, used in the main arena) bytes of glibc's allocator, or None where
// another one serves malloc. Holds the GIL; takes the allocator's own locks for a moment; its text of some
// kilobytes is freed again.
// malloc_owner() -> name of the library whose `malloc` this process calls, None when unknown.
// malloc_trim() -> whether glibc gave memory back to the system, None where it does not serve malloc.
// Releases the GIL; takes each arena's lock in turn.
// map_figures(pid) -> dict of bytes by what they are, from smaps; 0 is this process. Releases the GIL, allocates
// only the dict. OSError: no such process, not permitted, or no /proc.
// pool_figures(pid) -> (pools, used, resident) of the object allocator of a process, read from outside it.
// Releases the GIL; touches no page that is not there. OSError as above.
PyMethodDef record_methods[] = {
    {"support", record::support, METH_NOARGS, nullptr},
    {"snapshot_start", record::snapshot_start, METH_VARARGS, nullptr},
    {"snapshot_wait", record::snapshot_wait, METH_VARARGS, nullptr},
    {"malloc_figures", record::malloc_figures, METH_NOARGS, nullptr},
    {"malloc_owner", record::malloc_owner, METH_NOARGS, nullptr},
    {"malloc_trim", record::malloc_trim, METH_NOARGS, nullptr},
    {"map_figures", record::map_figures, METH_VARARGS, nullptr},
    {"pool_figures", record::pool_figures, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

int add_record_constants(PyObject* module) {
    if (PyModule_AddIntConstant(module, "SNAPSHOT_CENSUS", record::kFlagCensus) < 0) return -1;
    return PyModule_AddIntConstant(module, "SNAPSHOT_REDACT_KEYS", record::kFlagRedactKeys);
}
