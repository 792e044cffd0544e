// References by target: counting sort, O(n + m), stable, no memory besides the result.
#include "kernels.h"

#include <cstring>

namespace kernels {

void reverse(const Csr& csr, u64* out_first, u32* out_sources, u32* out_refs) {
    std::memset(out_first, 0, (static_cast<std::size_t>(csr.objects) + 1) * sizeof(u64));
    for (u32 r = 0; r < csr.references; ++r) ++out_first[csr.targets[r]];

    u64 start = 0;
    for (u32 i = 0; i < csr.objects; ++i) {
        const u64 count = out_first[i];
        out_first[i] = start;
        start += count;
    }

    for (u32 i = 0; i < csr.objects; ++i)
        for (u32 r = csr.begin(i), end = csr.end(i); r < end; ++r) {
            const u64 place = out_first[csr.targets[r]]++;
            out_sources[place] = i;
            out_refs[place] = r;
        }

    // Each start has moved on to its end, which is the next object's start.
    std::memmove(out_first + 1, out_first, static_cast<std::size_t>(csr.objects) * sizeof(u64));
    out_first[0] = 0;
}

}  // namespace kernels
