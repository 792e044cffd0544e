// When to take the snapshot: pure arithmetic on what was seen, no files and no clock.
#pragma once
#include "guard/limits.h"

#include <cstdint>

namespace guard {

// How memory grew over the last looks.
class Slope {
  public:
    void add(double at, Bytes used);
    void clear() { count_ = 0; }
    // Bytes a second: the steeper one of the last moment and of the last seconds, never below 0.
    double bytes_a_second() const;
    // Of the time between the last two looks alone: what comes in one stroke.
    double bytes_a_second_now() const;

  private:
    static constexpr std::size_t kKept = 64;
    struct Look {
        double at;
        Bytes used;
    };
    double over(double seconds) const;
    Look looks_[kKept];
    std::size_t count_ = 0;
};

// What a snapshot takes before it is done.
struct Cost {
    Bytes blocks, resident, file_pages;  // `file_pages`: an object, where the file lies in memory
    double slowness, bytes_a_second;     // `slowness`: 1 where nothing else runs

    static double usual_seconds(Bytes blocks);

    double seconds() const;
    Bytes bytes() const;
    Bytes bytes_of_child() const;        // of them: what does not depend on what the program does
    Bytes bytes_of_tight_child() const;  // that keeps no table of the objects (walk/marks.h)
    // What must be left when the child is told to end its walk where it is, for that to be written.
    // `seconds` it has taken so far: more than was expected is slower than was known. `taken`: of the room, meanwhile, by
    // the program and by the child. What grew in a burst before it may have stopped growing.
    Bytes bytes_to_end(double seconds, Bytes taken) const;
    double seconds_to_end(double seconds) const;
};

// Time in 252 steps, however long it lasts: at first a tenth of a second, later a sixteenth of all time so far.
// A snapshot tells them as equal intervals.
class Ticks {
  public:
    static constexpr int kMost = 252, kIntervals = 6;
    void start(double at, Bytes resident);
    // Whether another tick has begun.
    bool advance(double at, Bytes resident);
    int count() const { return count_; }
    // Intervals up to `at`; fills `interval_of()` and `resident_at()`.
    int divide(double at, Bytes resident);
    const std::uint8_t* interval_of() const { return interval_of_; }
    const Bytes* resident_at() const { return resident_at_; }  // the end of each interval, from 0: the start

  private:
    double started_[kMost + 1] = {};
    Bytes resident_[kMost + 1] = {};
    Bytes resident_at_[kIntervals + 1] = {};
    std::uint8_t interval_of_[256] = {};
    int count_ = 0;
};

}  // namespace guard
