// The extension module leakscan._native: it only gathers the functions of its parts.
#include "module.h"

namespace {

int module_exec(PyObject* module) {
    PyMethodDef* const tables[] = {record_methods, guard_methods, birth_methods, work_methods,
                                   heap_methods,   v8_methods,    kernel_methods};
    for (PyMethodDef* table : tables)
        if (PyModule_AddFunctions(module, table) < 0) return -1;
    return add_record_constants(module);
}

PyModuleDef_Slot slots[] = {{Py_mod_exec, reinterpret_cast<void*>(module_exec)}, {0, nullptr}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                          "leakscan._native",
                          "Recorder, snapshot scanner and graph kernels.",
                          0,
                          nullptr,
                          slots,
                          nullptr,
                          nullptr,
                          nullptr};

}  // namespace

extern "C" __attribute__((visibility("default"))) PyObject* PyInit__native() { return PyModuleDef_Init(&definition); }
