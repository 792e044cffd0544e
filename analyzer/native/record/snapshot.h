// The fork: what the parent gathers before it, and waiting for the child after it.
#pragma once
#include "module.h"

namespace record {

// kFlagInProcess walks without forking and then ends the process: for debuggers and sanitizers.
inline constexpr int kFlagCensus = 1, kFlagRedactKeys = 2, kFlagInProcess = 4;

PyObject* snapshot_start(PyObject* self, PyObject* args);
PyObject* snapshot_wait(PyObject* self, PyObject* args);
PyObject* malloc_figures(PyObject* self, PyObject* args);
PyObject* malloc_owner(PyObject* self, PyObject* args);
PyObject* malloc_trim(PyObject* self, PyObject* args);
PyObject* map_figures(PyObject* self, PyObject* args);
PyObject* support(PyObject* self, PyObject* args);

}  // namespace record
