// Doors of the kernels part: each entry parses its arguments and calls one function.
#include "module.h"

PyMethodDef kernel_methods[] = {{nullptr, nullptr, 0, nullptr}};
