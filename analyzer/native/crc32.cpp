// Two implementations of one function: tables (slicing by 8), and carry-less multiplication where the
// processor has it. The second follows Gopal et al., "Fast CRC Computation for Generic Polynomials Using
// PCLMULQDQ" (Intel, 2009): fold 64 bytes a step, then 128 -> 64 -> 32 bits by Barrett reduction.
#include "crc32.h"

#include <array>
#include <bit>
#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#define LEAKSCAN_CLMUL 1
#include <immintrin.h>
#endif

namespace {

constexpr std::uint32_t kPolynomial = 0xEDB88320;  // reflected

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Tables make_tables() {
    Tables tables{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? kPolynomial : 0);
        tables[0][i] = value;
    }
    for (std::size_t table = 1; table < 8; ++table)
        for (std::size_t i = 0; i < 256; ++i) {
            const std::uint32_t previous = tables[table - 1][i];
            tables[table][i] = (previous >> 8) ^ tables[0][previous & 0xFF];
        }
    return tables;
}

constexpr Tables kTables = make_tables();

// `state` is the complemented CRC, here and below.
std::uint32_t by_tables(std::uint32_t state, const unsigned char* bytes, std::size_t size) {
    static_assert(std::endian::native == std::endian::little);
    while (size >= 8) {
        std::uint64_t word;
        std::memcpy(&word, bytes, 8);
        word ^= state;
        state = 0;
        for (std::size_t i = 0; i < 8; ++i) state ^= kTables[7 - i][(word >> (8 * i)) & 0xFF];
        bytes += 8;
        size -= 8;
    }
    while (size--) state = (state >> 8) ^ kTables[0][(state ^ *bytes++) & 0xFF];
    return state;
}

#ifdef LEAKSCAN_CLMUL
#define LEAKSCAN_TARGET __attribute__((target("pclmul,sse4.1")))

LEAKSCAN_TARGET inline __m128i load(const unsigned char* bytes) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}

// `value` moved forward by the distance that `constants` encode, plus `next`.
LEAKSCAN_TARGET inline __m128i fold(__m128i value, __m128i constants, __m128i next) {
    const __m128i low = _mm_clmulepi64_si128(value, constants, 0x00);
    const __m128i high = _mm_clmulepi64_si128(value, constants, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

// `size` is a multiple of 16 and at least 64.
LEAKSCAN_TARGET std::uint32_t by_multiplication(std::uint32_t state, const unsigned char* bytes, std::size_t size) {
    const __m128i by_64 = _mm_set_epi64x(0x01C6E41596, 0x0154442BD4);
    const __m128i by_16 = _mm_set_epi64x(0x00CCAA009E, 0x01751997D0);
    const __m128i by_8 = _mm_set_epi64x(0, 0x0163CD6124);
    const __m128i barrett = _mm_set_epi64x(0x01F7011641, 0x01DB710641);
    const __m128i low_words = _mm_setr_epi32(-1, 0, -1, 0);

    __m128i a = _mm_xor_si128(load(bytes), _mm_cvtsi32_si128(static_cast<int>(state)));
    __m128i b = load(bytes + 16), c = load(bytes + 32), d = load(bytes + 48);
    for (bytes += 64, size -= 64; size >= 64; bytes += 64, size -= 64) {
        a = fold(a, by_64, load(bytes));
        b = fold(b, by_64, load(bytes + 16));
        c = fold(c, by_64, load(bytes + 32));
        d = fold(d, by_64, load(bytes + 48));
    }
    a = fold(fold(fold(a, by_16, b), by_16, c), by_16, d);
    for (; size >= 16; bytes += 16, size -= 16) a = fold(a, by_16, load(bytes));

    a = _mm_xor_si128(_mm_srli_si128(a, 8), _mm_clmulepi64_si128(a, by_16, 0x10));
    a = _mm_xor_si128(_mm_srli_si128(a, 4), _mm_clmulepi64_si128(_mm_and_si128(a, low_words), by_8, 0x00));
    __m128i quotient = _mm_clmulepi64_si128(_mm_and_si128(a, low_words), barrett, 0x10);
    quotient = _mm_clmulepi64_si128(_mm_and_si128(quotient, low_words), barrett, 0x00);
    return static_cast<std::uint32_t>(_mm_extract_epi32(_mm_xor_si128(a, quotient), 1));
}

bool has_multiplication() {
    __builtin_cpu_init();
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
}
#endif

}  // namespace

std::uint32_t crc32_update(std::uint32_t crc, const void* bytes, std::size_t size) {
    const auto* at = static_cast<const unsigned char*>(bytes);
    std::uint32_t state = ~crc;
#ifdef LEAKSCAN_CLMUL
    if (size >= 64 && has_multiplication()) {
        const std::size_t whole = size & ~static_cast<std::size_t>(15);
        state = by_multiplication(state, at, whole);
        at += whole;
        size -= whole;
    }
#endif
    return ~by_tables(state, at, size);
}
