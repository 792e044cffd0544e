// Doors of the record part: each entry parses its arguments and calls one function.
#include "snapshot.h"

// support() -> (supported, reason). Allocates only the tuple.
// snapshot_start(fd, meta, own_prefix, flags) -> pid. Holds the GIL; forks a child that walks the
// frozen heap and writes it to `fd`. RuntimeError: unsupported interpreter; OSError: no fork.
// snapshot_wait(pid, timeout_seconds) -> (status, errno). Releases the GIL; kills a late child.
// malloc_figures() -> (used, free, mapped) bytes of the C library's allocator, or None where it does not
// tell. Holds the GIL; allocates only the tuple; takes the allocator's own locks for a moment.
PyMethodDef record_methods[] = {
    {"support", record::support, METH_NOARGS, nullptr},
    {"snapshot_start", record::snapshot_start, METH_VARARGS, nullptr},
    {"snapshot_wait", record::snapshot_wait, METH_VARARGS, nullptr},
    {"malloc_figures", record::malloc_figures, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

int add_record_constants(PyObject* module) {
    if (PyModule_AddIntConstant(module, "SNAPSHOT_CENSUS", record::kFlagCensus) < 0) return -1;
    return PyModule_AddIntConstant(module, "SNAPSHOT_REDACT_KEYS", record::kFlagRedactKeys);
}
