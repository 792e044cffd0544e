// What the C library's allocator and the kernel say of this process's memory, where they say anything.
#include "memory/maps.h"
#include "memory/pools.h"
#include "walk/snapshot.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace record {
namespace {

// glibc's `struct mallinfo2` (2.33): `mallinfo` counts in int, which wraps at 2 GB.
struct Mallinfo2 {
    std::size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
using Mallinfo2Function = Mallinfo2 (*)();
using MallocInfoFunction = int (*)(int, std::FILE*);
using MallocTrimFunction = int (*)(std::size_t);

template <class F>
F symbol(const char* name) {
    return reinterpret_cast<F>(dlsym(RTLD_DEFAULT, name));
}

// Whether the `malloc` that programs here call is the one that mallinfo2 counts: with jemalloc or
// mimalloc in front of it glibc's function is still there, and tells of an allocator nobody uses.
// Asked with a block of its own, above every threshold of glibc's, so that none is moved.
bool is_counted(Mallinfo2Function mallinfo2) {
    static int answer = -1;
    if (answer >= 0) return answer;
    constexpr std::size_t kProbe = std::size_t{64} << 20;
    const Mallinfo2 before = mallinfo2();
    void* volatile block = std::malloc(kProbe);
    if (!block) return true;
    const Mallinfo2 after = mallinfo2();
    std::free(block);
    const std::size_t grown = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
    answer = grown >= kProbe && grown < kProbe << 1;
    return answer;
}

// The number in `name="123"` or `size="123"` of one XML element.
unsigned long long number(const char* element, const char* name) {
    const char* at = std::strstr(element, name);
    return at ? std::strtoull(at + std::strlen(name), nullptr, 10) : 0;
}

// Bytes in use in the main arena, from malloc_info, which writes XML: its first <heap> is that arena.
unsigned long long main_arena_used(unsigned long long all) {
    const auto malloc_info = symbol<MallocInfoFunction>("malloc_info");
    if (!malloc_info) return all;
    char* text = nullptr;
    std::size_t size = 0;
    std::FILE* file = open_memstream(&text, &size);
    if (!file) return all;
    malloc_info(0, file);
    std::fclose(file);
    unsigned long long used = all;
    if (char* end = text ? std::strstr(text, "</heap>") : nullptr) {
        *end = 0;
        // Totals of the arena come after its lists of sizes, which have other names.
        const char* fast = std::strstr(text, "<total type=\"fast\"");
        const char* rest = std::strstr(text, "<total type=\"rest\"");
        const char* system = std::strstr(text, "<system type=\"current\"");
        if (rest && system) {
            const unsigned long long all_here = number(system, "size=\"");
            // Newer versions have no fast lists.
            const unsigned long long in_fast = fast ? number(fast, "size=\"") : 0;
            const unsigned long long free_here = in_fast + number(rest, "size=\"");
            used = all_here > free_here ? all_here - free_here : 0;
        }
    }
    std::free(text);
    return used;
}

}  // namespace

bool malloc_totals(MallocTotals* totals) {
    // Looked up at run time: the module must load where the C library has no such function.
    const auto mallinfo2 = symbol<Mallinfo2Function>("mallinfo2");
    if (mallinfo2 == nullptr || !is_counted(mallinfo2)) return false;
    const Mallinfo2 all = mallinfo2();
    const auto used = static_cast<unsigned long long>(all.uordblks);
    const unsigned long long main_used = main_arena_used(used);
    *totals = {used, all.fordblks, all.hblkhd, main_used < used ? main_used : used};
    return true;
}

PyObject* malloc_figures(PyObject*, PyObject*) {
    MallocTotals all;
    if (!malloc_totals(&all)) Py_RETURN_NONE;
    return Py_BuildValue("(KKKK)", all.used, all.free, all.mapped, all.main_used);
}

PyObject* malloc_owner(PyObject*, PyObject*) {
    Dl_info found{};
    void* const address = dlsym(RTLD_DEFAULT, "malloc");
    if (!address || !dladdr(address, &found) || !found.dli_fname) Py_RETURN_NONE;
    const char* slash = std::strrchr(found.dli_fname, '/');
    return PyUnicode_DecodeFSDefault(slash ? slash + 1 : found.dli_fname);
}

PyObject* malloc_trim(PyObject*, PyObject*) {
    const auto mallinfo2 = symbol<Mallinfo2Function>("mallinfo2");
    const auto trim = symbol<MallocTrimFunction>("malloc_trim");
    if (!trim || !mallinfo2 || !is_counted(mallinfo2)) Py_RETURN_NONE;
    PyThreadState* const saved = PyEval_SaveThread();
    const int gave_back = trim(0);
    PyEval_RestoreThread(saved);
    return PyBool_FromLong(gave_back);
}

PyObject* map_figures(PyObject*, PyObject* args) {
    int pid;
    if (!PyArg_ParseTuple(args, "i", &pid)) return nullptr;
    char file[32];
    std::snprintf(file, sizeof(file), pid > 0 ? "/proc/%d/smaps" : "/proc/self/smaps", pid);
    MapTotals totals;
    PyThreadState* const saved = PyEval_SaveThread();
    const int result = map_totals(file, &totals);
    const int error = errno;
    PyEval_RestoreThread(saved);
    if (result < 0) {
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    const auto bytes = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
    return Py_BuildValue(
        "{s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K}", "rss_bytes", bytes(totals.resident), "swap_bytes",
        bytes(totals.swapped), "uss_bytes", bytes(totals.owned), "main_heap_bytes", bytes(totals.heap),
        "arena_heap_bytes", bytes(totals.arenas), "stack_bytes", bytes(totals.stacks), "file_bytes",
        bytes(totals.files), "file_size", bytes(totals.file_size), "shared_bytes", bytes(totals.shared), "other_anonymous_bytes", bytes(totals.anonymous),
        "other_anonymous_size", bytes(totals.anonymous_size), "regions", bytes(totals.regions), "arena_regions",
        bytes(totals.arena_regions));
}

PyObject* pool_figures(PyObject*, PyObject* args) {
    int pid;
    if (!PyArg_ParseTuple(args, "i", &pid)) return nullptr;
    PoolTotals totals;
    PyThreadState* const saved = PyEval_SaveThread();
    const int result = find_pools_of(pid > 0 ? pid : getpid(), &totals);
    const int error = errno;
    PyEval_RestoreThread(saved);
    if (result < 0) {
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return Py_BuildValue("(KKK)", static_cast<unsigned long long>(totals.pools),
                         static_cast<unsigned long long>(totals.used),
                         static_cast<unsigned long long>(totals.resident));
}

}  // namespace record
