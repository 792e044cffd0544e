// What looks like a secret in a name or key: found by its form, replaced by `***`.
#pragma once
#include <cstddef>

namespace secrets {

inline constexpr std::size_t kShortest = 6;

// Bytes written to `out` (at most `capacity`, whole UTF-8 characters), 0 when there is nothing to mask. `text` is
// UTF-8. Allocates nothing, takes no lock; linear in `count`. Masking what is masked changes nothing.
std::size_t masked(const char* text, std::size_t count, char* out, std::size_t capacity);

}  // namespace secrets
