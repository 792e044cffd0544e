#include "masking.h"

#include "secrets.h"

#include <cstring>

namespace heap {
namespace {

// `***` for what is shorter makes a string longer, by two bytes for each mark that begins a value.
std::size_t longest(std::size_t count) { return 3 * count + 16; }

}  // namespace

Masked mask_table(const char* bytes, const std::uint64_t* ends, const std::uint8_t* used, std::size_t count,
                  MaskedTable* out) {
    char* piece = nullptr;
    std::size_t piece_room = 0;
    std::size_t room = 0;
    const std::size_t all = count ? ends[count - 1] : 0;
    std::size_t copied = 0;  // of the old bytes
    const auto fail = [&] {
        std::free(piece);
        return Masked::NO_MEMORY;
    };
    const auto append = [&](const char* from, std::size_t more) {
        if (out->size + more > room) {
            room = out->size + more + room / 2;
            char* const grown = static_cast<char*>(std::realloc(out->bytes, room + 1));
            if (!grown) return false;
            out->bytes = grown;
        }
        if (more) std::memcpy(out->bytes + out->size, from, more);
        out->size += more;
        return true;
    };
    for (std::size_t i = 0; i < count; i++) {
        const std::size_t start = i ? ends[i - 1] : 0, length = ends[i] - start;
        std::size_t masked = 0;
        if (length >= secrets::kShortest && (!used || used[i])) {
            if (longest(length) > piece_room) {
                piece_room = longest(length) * 2;
                char* const grown = static_cast<char*>(std::realloc(piece, piece_room));
                if (!grown) return fail();
                piece = grown;
            }
            masked = secrets::masked(bytes + start, length, piece, piece_room);
        }
        if (masked) {
            if (!out->ends) {
                room = all + 64;
                out->bytes = static_cast<char*>(std::malloc(room + 1));
                out->ends = static_cast<std::uint64_t*>(std::malloc(count * sizeof(std::uint64_t) + 1));
                if (!out->bytes || !out->ends) return fail();
                std::memcpy(out->ends, ends, i * sizeof(std::uint64_t));
            }
            if (!append(bytes + copied, start - copied) || !append(piece, masked)) return fail();
            copied = ends[i];
        }
        if (out->ends) out->ends[i] = out->size + (ends[i] - copied);
    }
    std::free(piece);
    if (!out->ends) return Masked::NOTHING;
    return append(bytes + copied, all - copied) ? Masked::DONE : Masked::NO_MEMORY;
}

}  // namespace heap
