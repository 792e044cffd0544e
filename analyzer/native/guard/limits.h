// How near this process is to a limit on its memory: cgroups of both versions up to their root, address space, the
// machine, or a size that was given. Read from files, nothing allocated: the twin of capture/process/headroom.py.
#pragma once
#include <cstddef>

namespace guard {

using Bytes = long long;
inline constexpr Bytes kNoLimit = Bytes{1} << 60;

enum class Kind : unsigned char { CGROUP_1, CGROUP_2, ADDRESS_SPACE, MACHINE, GIVEN };

// One limit as it is now. `room`: what may still be taken below it; file pages that nobody needs count as free.
struct Reading {
    Bytes limit, room;
    Kind kind;
    bool kills_group;  // the kernel kills all of the cgroup together (memory.oom.group)

    Bytes used() const { return limit - room; }
    // The machine is others' too: its last twentieth, not its last part of seven.
    Bytes threshold(int percent) const { return limit / 100 * (kind == Kind::MACHINE ? 95 : percent); }
    const char* name() const;
};

class Limits {
  public:
    // Finds the cgroups of this process. `given`: a limit on its resident memory, or 0. `proc`: where /proc is mounted.
    void find(Bytes given, const char* proc = "/proc");

    // The limit that has the least room; false when none could be read.
    bool narrowest(Reading* into) const;

  private:
    static constexpr std::size_t kMost = 32, kPathBytes = 256;
    struct Cgroup {
        char folder[kPathBytes];
        Kind kind;
    };
    void add_cgroups(Kind kind, const char* path);
    bool read_machine(Reading* into) const;
    bool read_cgroup(const Cgroup& group, Reading* into) const;
    Cgroup groups_[kMost];
    std::size_t count_ = 0;
    Bytes given_ = 0;
    const char* proc_ = "/proc";
};

// Bytes of this process that are in memory; 0 when that cannot be read.
Bytes resident_bytes();

// The whole number that the file begins with; `missing` when it cannot be read, or is no number (`max`).
Bytes number_in(const char* path, Bytes missing);

// The number behind `name` at the beginning of a line of `text`, `missing` when there is no such line.
Bytes figure_in(const char* text, const char* name, Bytes missing);

// The beginning of a file as text that ends in 0; how much it is.
std::size_t text_of(const char* path, char* into, std::size_t capacity);

}  // namespace guard
