// Doors of the record part: each entry parses its arguments and calls one function.
#include "module.h"

PyMethodDef record_methods[] = {{nullptr, nullptr, 0, nullptr}};
