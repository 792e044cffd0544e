// What module.cpp needs from each part of the extension.
#pragma once
#ifndef PY_SSIZE_T_CLEAN
#define PY_SSIZE_T_CLEAN
#endif
#include <Python.h>

extern PyMethodDef record_methods[];  // record_module.cpp: walk/, memory/ (runs in the observed process)
extern PyMethodDef guard_methods[];   // guard/: the thread that takes a snapshot before a limit
extern PyMethodDef birth_methods[];   // births/: the run and the line of each allocation
extern PyMethodDef work_methods[];    // births/: whose request each allocation is
extern PyMethodDef heap_methods[];    // heap/: scan snapshot files
extern PyMethodDef v8_methods[];      // heap/: read V8 snapshots
extern PyMethodDef kernel_methods[];  // kernels/: graph algorithms on flat arrays
int add_record_constants(PyObject* module);
