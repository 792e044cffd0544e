// What every kernel works on: references in CSR order, how it ended, and how it is interrupted.
// Nothing here or in the kernels knows Python; indices were checked by the doors.
#pragma once
#include <cstddef>
#include <cstdint>

namespace kernels {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

inline constexpr u32 kNo = 0xFFFFFFFF;
// Largest number of objects, references or slots: sums of two still fit and kNo stays free.
inline constexpr u64 kMost = 0xFFFFFFF0;

enum class Status { OK, NO_MEMORY, INTERRUPTED };

struct Csr {
    const u64* first;  // [objects + 1], non-decreasing, first[objects] == references
    const u32* targets;
    u32 objects;
    u32 references;

    u32 begin(u32 object) const { return static_cast<u32>(first[object]); }
    u32 end(u32 object) const { return static_cast<u32>(first[object + 1]); }
};

// Asks `poll` once in a while; `poll` may take the GIL, so it must not be asked for every object.
class Interrupt {
  public:
    explicit Interrupt(bool (*poll)(void*) = nullptr, void* state = nullptr) : poll_(poll), state_(state) {}

    bool requested() {
        if (--left_ != 0) return false;
        left_ = kSteps;
        return poll_ != nullptr && poll_(state_);
    }

  private:
    static constexpr u32 kSteps = 1u << 18;
    bool (*poll_)(void*);
    void* state_;
    u32 left_ = kSteps;
};

// A hint that `place` is needed soon: on a big heap nearly every step is a cache miss.
inline void prefetch([[maybe_unused]] const void* place) {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch(place);
#endif
}

inline bool is_set(const u8* mask, u32 index) { return mask != nullptr && mask[index] != 0; }

}  // namespace kernels
