// What `leakscan guard -- COMMAND` has the loader put into each program that COMMAND runs (LD_PRELOAD). It knows
// nothing of Python, so that it may be loaded into any program; in one that is Python it loads the recorder, which
// starts the guard's thread. The thread waits until Python is initialized.
#include <dlfcn.h>

#include <cstdlib>

namespace {

using Guard = const char* (*)(const char* folder, const char* options);

__attribute__((constructor)) void begin() {
    const char* const library = getenv("_LEAKSCAN_GUARD_LIBRARY");
    const char* const folder = getenv("_LEAKSCAN_GUARD_FOLDER");
    const char* const options = getenv("_LEAKSCAN_GUARD_OPTIONS");
    if (!library || !folder || !dlsym(RTLD_DEFAULT, "Py_IsInitialized")) return;
    void* const loaded = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    const auto guard = loaded ? reinterpret_cast<Guard>(dlsym(loaded, "leakscan_guard")) : nullptr;
    if (guard) guard(folder, options ? options : "");
}

}  // namespace
