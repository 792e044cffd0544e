#include "memory/malloc.h"

#include <dlfcn.h>

#include <cstddef>
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

// glibc's tcache as it comes: blocks of 24 to 1032 bytes, seven of each size, sixteen from 2.42 on. With larger ones, by
// GLIBC_TUNABLES, the figures are as uneven as without.
constexpr std::size_t kCachedFirst = 24, kCachedLast = 1032, kCachedStep = 16, kCachedMost = 16;

void fill_cache() {
    void* blocks[kCachedMost];
    for (std::size_t size = kCachedFirst; size <= kCachedLast; size += kCachedStep) {
        for (void*& block : blocks) block = std::malloc(size);
        for (void* const block : blocks) std::free(block);
    }
}

}  // namespace

bool malloc_in_use(unsigned long long* bytes) {
    const auto mallinfo2 = symbol<Mallinfo2Function>("mallinfo2");
    if (mallinfo2 == nullptr || !is_counted(mallinfo2)) return false;
    fill_cache();
    const Mallinfo2 all = mallinfo2();
    *bytes = static_cast<unsigned long long>(all.uordblks) + all.hblkhd;
    return true;
}

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

const char* malloc_library() {
    Dl_info found{};
    void* const address = dlsym(RTLD_DEFAULT, "malloc");
    if (!address || !dladdr(address, &found) || !found.dli_fname) return nullptr;
    const char* slash = std::strrchr(found.dli_fname, '/');
    return slash ? slash + 1 : found.dli_fname;
}

Trimmed trim_malloc() {
    const auto mallinfo2 = symbol<Mallinfo2Function>("mallinfo2");
    const auto trim = symbol<MallocTrimFunction>("malloc_trim");
    if (!trim || !mallinfo2 || !is_counted(mallinfo2)) return Trimmed::NOT_SERVED;
    return trim(0) ? Trimmed::SOMETHING : Trimmed::NOTHING;
}

}  // namespace record
