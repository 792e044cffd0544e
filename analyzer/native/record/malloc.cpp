// What the C library's allocator says of itself, where it says anything.
#include "snapshot.h"

#include <dlfcn.h>

namespace record {
namespace {

// glibc's `struct mallinfo2` (2.33): `mallinfo` counts in int, which wraps at 2 GB.
struct Mallinfo2 {
    std::size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};

}  // namespace

PyObject* malloc_figures(PyObject*, PyObject*) {
    // Looked up at run time: the module must load where the C library has no such function.
    const auto mallinfo2 = reinterpret_cast<Mallinfo2 (*)()>(dlsym(RTLD_DEFAULT, "mallinfo2"));
    if (mallinfo2 == nullptr) Py_RETURN_NONE;
    const Mallinfo2 all = mallinfo2();
    return Py_BuildValue("(KKK)", static_cast<unsigned long long>(all.uordblks),
                         static_cast<unsigned long long>(all.fordblks),
                         static_cast<unsigned long long>(all.hblkhd));
}

}  // namespace record
