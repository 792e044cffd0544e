#include "guard/forecast.h"

namespace guard {
namespace {

constexpr double kFirstTick = 0.1, kLaterTick = 1.0 / 16;
constexpr double kMoment = 0.4, kWhile = 3.0;
constexpr Bytes kBytesABlock = 16, kBeside = 12 << 20;
// Of the old pages, that the program writes while the child lives: each of them exists twice then.
constexpr Bytes kWrittenShare = 32;
constexpr double kLeastSeen = 0.05;  // seconds after which a pace can be told
constexpr double kFixed = 0.1, kABlock = 1e-6;  // of a snapshot that is written to a disk, measured

}  // namespace

void Slope::add(double at, Bytes used) {
    looks_[count_ % kKept] = {at, used};
    count_++;
}

double Slope::over(double seconds) const {
    const Look& last = looks_[(count_ - 1) % kKept];
    const std::size_t held = count_ < kKept ? count_ : kKept;
    for (std::size_t back = 2; back <= held; back++) {
        const Look& look = looks_[(count_ - back) % kKept];
        if (last.at - look.at < seconds && back < held) continue;
        const double passed = last.at - look.at;
        return passed > 0.01 ? static_cast<double>(last.used - look.used) / passed : 0;
    }
    return 0;
}

double Slope::bytes_a_second() const {
    if (count_ < 2) return 0;
    const double soon = over(kMoment), slow = over(kWhile);
    const double most = soon > slow ? soon : slow;
    return most > 0 ? most : 0;
}

double Slope::bytes_a_second_now() const {
    if (count_ < 2) return 0;
    const Look &last = looks_[(count_ - 1) % kKept], &before = looks_[(count_ - 2) % kKept];
    const double passed = last.at - before.at;
    // Two looks right after one another differ by what nobody can tell from a pace.
    return last.used > before.used ? static_cast<double>(last.used - before.used) / (passed > 0.002 ? passed : 0.002) : 0;
}

double Cost::usual_seconds(Bytes blocks) { return kFixed + static_cast<double>(blocks) * kABlock; }

double Cost::seconds() const { return 1.2 * slowness * usual_seconds(blocks); }

Bytes Cost::bytes() const {
    const Bytes grows = static_cast<Bytes>(bytes_a_second * seconds());
    return bytes_of_child() + kBeside / 2 + resident / kWrittenShare + grows;
}

Bytes Cost::bytes_of_tight_child() const { return resident / 16 + blocks * file_pages + kBeside / 2; }

// A row without references takes a third of one with them; the rest is for the share of a core that it gets.
double Cost::seconds_to_end(double seconds) const {
    const double all = slowness * usual_seconds(blocks);
    return 0.6 * (all > seconds ? all : seconds);
}

Bytes Cost::bytes_to_end(double seconds, Bytes taken) const {
    const double seen = seconds > kLeastSeen ? static_cast<double>(taken) / seconds : 0;
    const double pace = seen < bytes_a_second ? seen : bytes_a_second;
    const Bytes grows = pace > 0 ? static_cast<Bytes>(pace * seconds_to_end(seconds)) : 0;
    return kBeside / 4 + resident / kWrittenShare / 4 + grows;
}

Bytes Cost::bytes_of_child() const { return blocks * (kBytesABlock + file_pages) + kBeside / 2; }

void Ticks::start(double at, Bytes resident) {
    started_[0] = started_[1] = at;
    resident_[0] = resident_[1] = resident;
    count_ = 1;
}

bool Ticks::advance(double at, Bytes resident) {
    const double age = at - started_[1];
    const double step = age * kLaterTick > kFirstTick ? age * kLaterTick : kFirstTick;
    if (!count_ || count_ >= kMost || at - started_[count_] < step) return false;
    count_++;
    started_[count_] = at;
    resident_[count_] = resident;
    return true;
}

int Ticks::divide(double at, Bytes resident) {
    const int intervals = count_ < kIntervals ? count_ : kIntervals;
    for (int i = 0; i < 256; i++) interval_of_[i] = static_cast<std::uint8_t>(i);
    resident_at_[0] = resident_[0];
    const double all = at - started_[1];
    for (int tick = 1; tick <= count_; tick++) {
        const double end = tick < count_ ? started_[tick + 1] : at;
        const double middle = (started_[tick] + end) / 2 - started_[1];
        int interval = all > 0 ? 1 + static_cast<int>(middle / all * intervals) : 1;
        // Early ones may be shorter than a tick: none is left out.
        const int before = tick > 1 ? interval_of_[tick - 1] : 0;
        if (interval > before + 1) interval = before + 1;
        const int left = intervals - (count_ - tick);
        if (interval < left) interval = left;
        if (interval > intervals) interval = intervals;
        interval_of_[tick] = static_cast<std::uint8_t>(interval);
        resident_at_[interval] = tick < count_ ? resident_[tick + 1] : resident;
    }
    return intervals;
}

}  // namespace guard
