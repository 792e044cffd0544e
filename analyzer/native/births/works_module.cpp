// Doors of the works: what `leakscan.record.works` calls in the program that is observed.
#include "births/births.h"
#include "births/works.h"

namespace works {
namespace {

Table* opened() {
    if (table() == nullptr) PyErr_SetString(PyExc_RuntimeError, "works: works_open was not called");
    return table();
}

// works_open(variable): the table of names for this ContextVar, as the capsule by which other copies find it.
// Once in a process; maps memory that is never unmapped.
PyObject* works_open(PyObject*, PyObject* variable) {
    if (!open(variable)) return nullptr;
    return PyCapsule_New(table(), kCapsule, nullptr);
}

// works_number(name): the number of a name, new or known.
PyObject* works_number(PyObject*, PyObject* name) {
    Table* const all = opened();
    Py_ssize_t bytes = 0;
    // Copied, since a str that has once shown its UTF-8 keeps it.
    PyObject* const utf8 = all ? PyUnicode_AsEncodedString(name, "utf-8", "replace") : nullptr;
    char* text = nullptr;
    if (utf8 == nullptr || PyBytes_AsStringAndSize(utf8, &text, &bytes) < 0) return Py_XDECREF(utf8), nullptr;
    const std::uint16_t number = number_of(*all, text, static_cast<std::size_t>(bytes));
    Py_DECREF(utf8);
    return PyLong_FromLong(number);
}

// works_begin(number): counts one more; the variable was set, or is about to be, in the running context.
PyObject* works_begin(PyObject*, PyObject* arg) {
    Table* const all = opened();
    const long number = all ? PyLong_AsLong(arg) : -1;
    if (number == -1 && PyErr_Occurred()) return nullptr;
    if (number <= 0 || number >= static_cast<long>(kRows)) {
        PyErr_Format(PyExc_ValueError, "works: there is no work %ld", number);
        return nullptr;
    }
    ++all->row[number].begun;
    ++all->changes;
    Py_RETURN_NONE;
}

// works_changed(): the variable was set in the running context.
PyObject* works_changed(PyObject*, PyObject*) {
    if (Table* const all = table()) ++all->changes;
    Py_RETURN_NONE;
}

// works_recorded(): whether births are armed that record works.
PyObject* works_recorded(PyObject*, PyObject*) { return PyBool_FromLong(table() != nullptr && table()->is_recorded); }

// works_of(object): the number of the work that its block was allocated in.
PyObject* works_of(PyObject*, PyObject* object) { return PyLong_FromLong(births::work_of(births::block_of(object))); }

}  // namespace
}  // namespace works

PyMethodDef work_methods[] = {{"works_open", works::works_open, METH_O, nullptr},
                              {"works_number", works::works_number, METH_O, nullptr},
                              {"works_begin", works::works_begin, METH_O, nullptr},
                              {"works_changed", works::works_changed, METH_NOARGS, nullptr},
                              {"works_recorded", works::works_recorded, METH_NOARGS, nullptr},
                              {"works_of", works::works_of, METH_O, nullptr},
                              {nullptr, nullptr, 0, nullptr}};
