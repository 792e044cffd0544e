// Doors of the heap part: each entry parses its arguments and calls one function.
#include "module.h"

PyMethodDef heap_methods[] = {{nullptr, nullptr, 0, nullptr}};
