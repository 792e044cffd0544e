// A string table without the secrets in it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace heap {

enum class Masked { NOTHING, DONE, NO_MEMORY };

struct MaskedTable {
    MaskedTable() = default;
    MaskedTable(const MaskedTable&) = delete;
    MaskedTable& operator=(const MaskedTable&) = delete;
    ~MaskedTable() {
        std::free(bytes);
        std::free(ends);
    }
    char* bytes = nullptr;
    std::uint64_t* ends = nullptr;
    std::size_t size = 0;
};

// `ends` are monotone; with `used`, only strings marked there are looked at. Linear in what is looked at.
Masked mask_table(const char* bytes, const std::uint64_t* ends, const std::uint8_t* used, std::size_t count,
                  MaskedTable* out);

}  // namespace heap
