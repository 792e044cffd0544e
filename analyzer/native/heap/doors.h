// What the doors of this part have in common: its readers keep what they find in the containers of the C++ library,
// which throw where there is no memory, and a thrown exception must not pass through Python.
#pragma once
#include "../module.h"

#include <new>

namespace heap {

// The GIL is released while it lives, and taken back whatever happens.
class Unlocked {
  public:
    Unlocked() : state_(PyEval_SaveThread()) {}
    ~Unlocked() { PyEval_RestoreThread(state_); }
    Unlocked(const Unlocked&) = delete;
    Unlocked& operator=(const Unlocked&) = delete;

  private:
    PyThreadState* state_;
};

template <PyCFunction Door>
PyObject* or_no_memory(PyObject* self, PyObject* args) {
    try {
        return Door(self, args);
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
}

}  // namespace heap
