#include "guard/guard.h"

#if defined(__linux__)

#include "agent/agent_meta.h"
#include "agent/interpreter.h"
#include "births/births.h"
#include "guard/forecast.h"
#include "guard/journal.h"
#include "memory/pools.h"
#include "walk/snapshot.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace guard {
namespace {

using agent::monotonic_seconds;

// A rest where the fastest growth of small objects takes longer than that; big blocks wake it (listen_for_strokes).
constexpr double kRestPause = 0.5;
constexpr Bytes kRestRoom = 512 << 20;
constexpr double kLongPause = 0.2, kYoungPause = 0.05, kShortPause = 0.02, kYoungSeconds = 5;
constexpr double kChildSeconds = 600, kRetrySeconds = 1, kChildDelay = 1, kFindSeconds = 3;
constexpr double kLeastSlowness = 1.2,
                 kUsualSlowness = 1.5;  // until the baseline has shown how long a snapshot takes here
constexpr Bytes kRoomKept = 2 << 20, kLastRoomKept = 512 << 10, kDiskKept = 50'000'000;
// How long the program must be able to grow on while a further snapshot is written, and before the marks are given back.
constexpr double kBreakSeconds = 0.25, kForgetSeconds = 1;
// What a child without a table takes of its own for a small heap: 2.7 MB measured.
constexpr Bytes kLeastChild = 5 << 19;
constexpr Bytes kFileBytesABlock = 64;
constexpr Bytes kBesidePools = 1024;  // of what lies beside the pools of small objects, a block
constexpr Bytes kUnseenBlock = 48;  // what grew since blocks were counted is taken to be of small ones
constexpr Bytes kImports = 24 << 20;
constexpr long kTmpfs = 0x01021994, kRamfs = static_cast<long>(0x858458f6);
constexpr int kMostTries = 5, kMostLast = 4, kMostHolds = 3;
// How long the program may be kept from running where all that is left would be gone sooner; and when the child is told.
constexpr Bytes kStrokePart = 4, kLeastStroke = 1 << 20;
constexpr int kMostStrokeFactor = 64;
constexpr double kHeldSeconds = 0.25, kHurriedSeconds = 0.12;

enum class Stage { WAITS, WATCHES, IS_SPENT };
enum class Taken { DONE, NO_ROOM, FAILED, ENDING };

class Guard {
  public:
    const char* start(const Settings& settings);
    void stop();
    void in_child();
    bool is_running() const { return is_running_; }
    void wake();
    bool counts_births() const { return owns_births_; }
    const char* folder() const { return has_box_ ? journal_.folder() : ""; }

  private:
    const char* start_thread();
    static void* main(void* self);
    void run();
    bool wait_for_python();
    void begin();
    bool open_box();
    void look();
    void wait_for_baseline(const Reading& now, double at);
    void watch(const Reading& now, double at);
    void take_last(const Reading& now, double at, const char* reason);
    void end_by_term(const Reading& now, double at);
    bool is_worth_another(const Reading& now, const Cost& next) const;
    bool is_ending(const Reading& now) const;
    Taken take(const char* file, const char* reason, const Reading& now);
    bool has_room_on_disk(Bytes blocks);
    Cost cost(Bytes resident);
    void count_blocks(Bytes resident);
    void forget_births();
    void listen_for_strokes(const Reading& now);
    void nap(double seconds);
    void say_started();
    static bool may_go_on(void* self);
    static bool must_hurry(void* self, double seconds);
    static void let_go(void* self);
    bool is_gone_before(const Cost& next, Bytes room) const;

    Limits limits_;
    Journal journal_;
    Slope slope_;
    Ticks ticks_;
    agent::OwnState lock_;
    char parent_[kPathBytes] = {};
    Bytes limit_ = 0;
    int percent_ = 85;
    double baseline_seconds_ = 0, term_seconds_ = 0, child_seconds_ = kChildSeconds;
    bool counts_births_ = true, redacts_keys_ = false;

    volatile bool is_running_ = false, must_stop_ = false, has_box_ = false;
    int is_awake_ = 0;  // what a nap waits for
    Stage stage_ = Stage::WAITS;
    double delay_seconds_ = 0, found_ = 0, baseline_at_ = 0, started_ = 0, tried_ = -1e9, pause_ = kLongPause,
           slowness_ = kUsualSlowness;
    Bytes last_room_ = 0, first_room_ = 0, first_resident_ = 0, baseline_used_ = 0;
    Bytes counted_blocks_ = 0, counted_at_ = 0;
    bool owns_births_ = false, inherits_births_ = false, has_half_ = false, lies_in_memory_ = false;
    bool has_after_ = false, hurries_ = false, is_shallow_ = false, is_desperate_ = false, has_forgotten_ = false;
    Cost writing_{};  // the snapshot that is written
    bool keeps_after_ = false;  // and the one there is is worth more than one that was hurried
    bool holds_ = false;        // the program stands still for it
    Bytes room_before_ = 0, room_at_after_ = 0;
    int tries_ = 0, last_ones_ = 0, holds_done_ = 0;
    Bytes stroke_ = 0, stroke_room_ = 0;  // big blocks that it is woken after, and what was left when that was said
    int stroke_factor_ = 1;
    bool is_stroke_ = false;  // this look is because of them
    Kind kind_ = Kind::GIVEN;
};

void guard_child();
void on_stroke();
void catch_term();
void end_if_default();

// A SIGTERM that came, and the process that may act on it: a child that was forked only inherits the handler.
volatile std::sig_atomic_t term_came = 0;
int was_stroke = 0;

const char* Guard::start(const Settings& settings) {
    if (is_running_) return "running";
    if (std::strlen(settings.parent) >= sizeof parent_ - 64) return "name-too-long";
    std::strcpy(parent_, settings.parent);
    mkdir(parent_, 0777);  // its own parents are the user's business
    if (access(parent_, W_OK | X_OK)) return "not-writable";
    limit_ = settings.limit;
    percent_ = settings.percent;
    baseline_seconds_ = settings.baseline_seconds;
    counts_births_ = settings.counts_births;
    redacts_keys_ = settings.redacts_keys;
    term_seconds_ = settings.term_seconds;
    inherits_births_ = false;
    delay_seconds_ = 0;
    return start_thread();
}

const char* Guard::start_thread() {
    static bool is_registered = false;
    if (!is_registered) is_registered = pthread_atfork(nullptr, nullptr, guard_child) == 0;
    must_stop_ = false;
    has_box_ = false;
    has_half_ = owns_births_ = has_after_ = is_shallow_ = has_forgotten_ = false;
    stage_ = Stage::WAITS;
    tries_ = last_ones_ = holds_done_ = 0;
    tried_ = -1e9;
    first_room_ = 0;
    pause_ = kLongPause;
    counted_blocks_ = counted_at_ = 0;
    slope_.clear();
    is_awake_ = 0;
    is_running_ = true;
    if (!agent::start_thread(main, this)) is_running_ = false;
    return is_running_ ? nullptr : "no-thread";
}

// A worker that was forked, and has none of the parent's threads, gets a guard and a box of its own. One that runs
// another program at once is gone before the thread looks.
void Guard::in_child() {
    if (!is_running_) return;
    lock_.forget();
    inherits_births_ |= owns_births_;
    term_came = 0;
    delay_seconds_ = kChildDelay;
    start_thread();
}

void Guard::stop() {
    must_stop_ = true;
    births::wake_after(0, nullptr);
    wake();
}

void* Guard::main(void* self) {
    pthread_setname_np(pthread_self(), "leakscan-guard");
    auto& guard = *static_cast<Guard*>(self);
    guard.run();
    guard.is_running_ = false;
    return nullptr;
}

void Guard::run() {
    if (delay_seconds_ > 0) nap(delay_seconds_);
    if (!wait_for_python()) return;
    begin();
    while (!must_stop_ && !agent::why_not()) {
        look();
        nap(pause_);
    }
    if (agent::why_not()) return;
    forget_births();
    lock_.give_up();
}

bool Guard::wait_for_python() {
    while (const char* const reason = agent::why_not()) {
        if (std::strcmp(reason, "not-initialized") || must_stop_) return false;
        nap(0.005);
    }
    return true;
}

void Guard::begin() {
    limits_.find(limit_);
    found_ = monotonic_seconds();
    lock_.make();
    started_ = monotonic_seconds();
}

// Not before there is something to put in: a child that lives for a moment leaves none.
bool Guard::open_box() {
    if (has_box_) return true;
    if (!journal_.open(parent_)) return false;
    has_box_ = true;
    say_started();
    struct statfs disk{};
    lies_in_memory_ = statfs(journal_.folder(), &disk) == 0 && (disk.f_type == kTmpfs || disk.f_type == kRamfs);
    return true;
}

void Guard::say_started() {
    char text[4096];
    journal_.begin("started");
    journal_.number("pid", getpid());
    // The 22nd field, behind a name that may hold anything.
    text_of("/proc/self/stat", text, sizeof text);
    const char* at = std::strrchr(text, ')');
    for (int field = 2; at && field < 22; field++)
        if ((at = std::strchr(at, ' '))) at++;
    journal_.number("process_started", at ? std::atoll(at) : 0);
    std::snprintf(text, sizeof text, "%lu.%lu.%lu", Py_Version >> 24 & 255, Py_Version >> 16 & 255,
                  Py_Version >> 8 & 255);
    journal_.text("python", text);
    journal_.text("leakscan", LEAKSCAN_VERSION);
    const std::size_t length = text_of("/proc/self/cmdline", text, sizeof text);
    for (std::size_t i = 0; i < length; i++)
        if (!text[i]) text[i] = ' ';
    journal_.text("command", text, length > 200 ? 200 : length);
    for (const auto& [name, link] :
         {std::pair{"executable", "/proc/self/exe"}, std::pair{"started_in", "/proc/self/cwd"}}) {
        const ssize_t bytes = readlink(link, text, sizeof text);
        journal_.text(name, text, bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
    }
    Reading now{};
    if (limits_.narrowest(&now)) {
        journal_.number("limit_bytes", now.limit);
        journal_.text("limit", now.name());
    }
    journal_.write();
}

void Guard::look() {
    const double at = monotonic_seconds();
    is_stroke_ = __atomic_exchange_n(&was_stroke, 0, __ATOMIC_ACQ_REL);
    // A supervisor may move the process after it was started.
    if (at - found_ > kFindSeconds) {
        found_ = at;
        limits_.find(limit_);
    }
    Reading now;
    if (!limits_.narrowest(&now)) return;
    if (now.kind != kind_) slope_.clear();
    kind_ = now.kind;
    slope_.add(at, now.used());
    if (term_seconds_ > 0) {
        if (term_came) return end_by_term(now, at);
        catch_term();
    }
    if (stage_ == Stage::WAITS) {
        wait_for_baseline(now, at);
        return;
    }
    const Bytes resident = resident_bytes();
    if (owns_births_ && ticks_.advance(at, resident)) births::next_tick(static_cast<std::uint16_t>(ticks_.count()));
    watch(now, at);
    listen_for_strokes(now);
}

// Big blocks may take all that is left between two looks: a quarter of it asked for is worth one. Of a program that
// frees as much as it takes, more must be asked for.
void Guard::listen_for_strokes(const Reading& now) {
    const bool is_churn = is_stroke_ && stroke_room_ - now.room < stroke_ / 4;
    if (is_churn && stroke_factor_ < kMostStrokeFactor)
        stroke_factor_ *= 2;
    else if (!is_churn && stroke_factor_ > 1)
        stroke_factor_ /= 2;
    stroke_room_ = now.room;
    stroke_ = (now.room / kStrokePart > kLeastStroke ? now.room / kStrokePart : kLeastStroke) * stroke_factor_;
    births::wake_after(static_cast<std::size_t>(stroke_), on_stroke);
}

void Guard::wait_for_baseline(const Reading& now, double at) {
    const Bytes resident = resident_bytes();
    if (!first_room_) {
        first_room_ = now.room;
        first_resident_ = resident;
    }
    pause_ = kShortPause;
    // Not before a program has imported what it works with, as far as there is time for that.
    const Bytes imports = first_room_ / 6 < kImports ? first_room_ / 6 : kImports;
    const bool grows_fast = resident - first_resident_ > (first_room_ / 16 > imports ? first_room_ / 16 : imports);
    if (at - started_ < baseline_seconds_ && !grows_fast) return;
    if (at - tried_ < kRetrySeconds) return;
    tried_ = at;
    const Taken taken = take("before.heap", "baseline", now);
    if (taken == Taken::FAILED && ++tries_ >= kMostTries) must_stop_ = true;
    if (taken != Taken::DONE) return;
    baseline_used_ = now.used();
    baseline_at_ = at;
    stage_ = Stage::WATCHES;
    tries_ = 0;
    tried_ = -1e9;
    pause_ = kLongPause;
}

void Guard::watch(const Reading& now, double at) {
    const Bytes resident = resident_bytes();
    if (births::take_failure() && tries_ < kMostTries && last_ones_ < kMostLast)
        return take_last(now, at, "an allocation failed");
    // Others fill the machine, too: only a process that is a good part of it looks at itself for the cause.
    if (now.kind == Kind::MACHINE && resident < now.limit / 20) {
        pause_ = kRestPause;
        return;
    }
    const Cost next = cost(resident);
    const Bytes needed = next.bytes() * (now.kills_group ? 2 : 1), used = now.used();
    const Bytes threshold = now.threshold(percent_);
    if (is_ending(now)) forget_births();
    if (stage_ == Stage::IS_SPENT) {
        pause_ = kYoungPause;
        if (used < threshold / 100 * 80 && now.room > 2 * needed)
            stage_ = Stage::WATCHES;
        else if (is_worth_another(now, next) && at - tried_ >= kRetrySeconds)
            take_last(now, at, "near the limit");
        return;
    }
    // As often as it takes to see the threshold before it is far behind.
    const Bytes left = threshold - used < now.room - needed ? threshold - used : now.room - needed;
    const bool is_soon = static_cast<double>(left) < next.bytes_a_second * 4 * kLongPause;
    pause_ = is_soon ? kShortPause : at - baseline_at_ < kYoungSeconds ? kYoungPause
             : left > kRestRoom                 ? kRestPause
                                                : kLongPause;
    if (at - tried_ < kRetrySeconds) return;
    // Others may have made room when births had been forgotten: what is there tells more than one without.
    if (has_after_ && has_forgotten_) return;
    if (used >= threshold || now.room < needed + needed / 8) {
        take_last(now, at, "near the limit");
    } else if (!has_half_ && used - baseline_used_ >= (now.limit - baseline_used_) / 2) {
        has_half_ = true;
        tried_ = at;
        take("after.heap", "half way to the limit", now);
    }
}

// Where memory grows fast the first one was taken early: a later one tells more, and where it does not get whole the
// early one stays.
bool Guard::is_worth_another(const Reading& now, const Cost& next) const {
    // After one that was hurried, a whole one: what grew so fast may have been a burst.
    const bool has_less_room = now.room < last_room_ / 5 * 3 || is_gone_before(next, now.room);
    return owns_births_ && last_ones_ < kMostLast && tries_ < kMostTries && (has_less_room || is_shallow_) &&
           now.room > next.bytes_of_tight_child();
}

// The rest of the memory is the program's, as if nobody had counted births: what could be taken has been by now.
bool Guard::is_ending(const Reading& now) const {
    if (now.room < now.limit / 100 * (100 - percent_) / 2) return has_after_ || tries_ > 0;
    // Not before: what was loaded in one go at the start has a pace, too, and ends by itself.
    return has_after_ && now.used() >= now.threshold(percent_) &&
           static_cast<double>(now.room) < slope_.bytes_a_second() * kForgetSeconds;
}

void Guard::take_last(const Reading& now, double at, const char* reason) {
    tried_ = at;
    const Taken taken = take("after.heap", reason, now);
    last_room_ = now.room;
    if (taken == Taken::DONE)
        last_ones_++;
    else
        tries_++;
    if (taken == Taken::DONE || tries_ >= kMostTries) stage_ = Stage::IS_SPENT;
    // Not at the next look: memory was taken while the snapshot was written, and a table may double in between.
    Reading left;
    if (limits_.narrowest(&left) && is_ending(left)) forget_births();
}

// The program's own handler runs meanwhile; where it has none, it ends when the snapshot is whole or time is up.
void Guard::end_by_term(const Reading& now, double at) {
    const double limit_seconds = term_seconds_;
    term_seconds_ = 0;
    child_seconds_ = limit_seconds;
    if (stage_ != Stage::WAITS) take_last(now, at, "SIGTERM");
    child_seconds_ = kChildSeconds;
    end_if_default();
}

Cost Guard::cost(Bytes resident) {
    // In a stroke there is no time for it, and what came are big blocks.
    if (resident - counted_at_ > resident / 10 && stage_ != Stage::WAITS && !is_stroke_) count_blocks(resident);
    const Bytes grown = resident > counted_at_ ? resident - counted_at_ : 0;
    return {counted_blocks_ + grown / (is_stroke_ ? kBesidePools : kUnseenBlock), resident, lies_in_memory_ ? kFileBytesABlock : 0, slowness_,
            slope_.bytes_a_second()};
}

void Guard::count_blocks(Bytes resident) {
    record::PoolTotals pools{};
    counted_at_ = resident;
    if (record::find_pools_of(getpid(), &pools) < 0 || !pools.blocks) {
        counted_blocks_ = resident / kUnseenBlock;
        return;
    }
    const Bytes beside = resident - static_cast<Bytes>(pools.resident);
    counted_blocks_ = static_cast<Bytes>(pools.blocks) + (beside > 0 ? beside / kBesidePools : 0);
}

bool Guard::has_room_on_disk(Bytes blocks) {
    struct statfs disk{};
    if (statfs(journal_.folder(), &disk)) return true;
    return static_cast<Bytes>(disk.f_bavail) * disk.f_bsize > blocks * kFileBytesABlock + kDiskKept;
}

bool Guard::may_go_on(void* self) {
    const auto& guard = *static_cast<Guard*>(self);
    Reading now;
    Bytes kept = guard.is_desperate_ ? kLastRoomKept : kRoomKept;
    // One that there is already is not worth the program's memory: its marks must be given back before the end.
    if (guard.keeps_after_) kept += static_cast<Bytes>(guard.writing_.bytes_a_second * kBreakSeconds);
    return !guard.limits_.narrowest(&now) || now.room >= kept * (now.kills_group ? 2 : 1);
}

// An answer with what is missing is better than none; worse than one that there is already.
bool Guard::must_hurry(void* self, double seconds) {
    auto& guard = *static_cast<Guard*>(self);
    if (guard.stage_ == Stage::WAITS || guard.keeps_after_) return false;
    Reading now;
    const double left = guard.child_seconds_ - seconds;
    guard.hurries_ = left < guard.writing_.seconds_to_end(seconds) && left < guard.child_seconds_ / 2;
    guard.hurries_ |= guard.holds_ && seconds > kHurriedSeconds;
    if (guard.limits_.narrowest(&now)) {
        const Bytes needed = guard.writing_.bytes_to_end(seconds, guard.room_before_ - now.room);
        guard.hurries_ |= now.room < needed * (now.kills_group ? 2 : 1);
    }
    return guard.hurries_;
}

// Memory goes in one stroke, faster than a snapshot is written, and what is there tells less than one from now: the
// program is dead in a moment, with no answer, unless it waits for it.
bool Guard::is_gone_before(const Cost& next, Bytes room) const {
    if (stage_ == Stage::WAITS || holds_done_ >= kMostHolds) return false;
    // One from the first half of the way was taken in vain: what is told is what came last.
    const bool is_early = room_at_after_ > first_room_ / 2 && room < room_at_after_ / 10 * 9;
    if (has_after_ && !is_early && room > room_at_after_ / 5 * 3) return false;
    const Bytes left = room - next.bytes_of_tight_child();
    return static_cast<double>(left) < slope_.bytes_a_second_now() * next.seconds();
}

void Guard::let_go(void* self) { static_cast<Guard*>(self)->lock_.release(); }

Taken Guard::take(const char* file, const char* reason, const Reading& seen) {
    if (!open_box()) return Taken::FAILED;
    Bytes resident = resident_bytes();
    if (stage_ == Stage::WAITS) count_blocks(resident);
    Cost next = cost(resident);
    Reading now = seen;
    double asked = 0, got = 0;
    const auto take_lock = [&] {
        asked = monotonic_seconds();
        lock_.take();
        got = monotonic_seconds();
    };
    holds_ = is_gone_before(next, now.kills_group ? now.room / 2 : now.room);
    if (holds_) {
        // Until it stands still it goes on taking what is left.
        take_lock();
        limits_.narrowest(&now);
        resident = resident_bytes();
        next = cost(resident);
    }
    const auto refuse = [&](const char* why, Taken result) {
        if (holds_) lock_.release();
        journal_.begin("refused");
        journal_.text("reason", why);
        journal_.text("file", file);
        journal_.number("needed_bytes", next.bytes());
        journal_.number("room_bytes", now.room);
        journal_.number("limit_bytes", now.limit);
        journal_.write();
        return result;
    };
    // The kernel takes the child first; where it takes all together, there must be room for twice as much.
    const Bytes room = now.kills_group ? now.room / 2 : now.room;
    // While it stands still nothing grows, and only a walk with a table can be told to hurry.
    const Bytes enough = now.kills_group && !holds_ ? next.bytes() : next.bytes_of_child();
    const bool is_tight = room < (holds_ ? enough / 2 * 3 : enough);
    // Memory may be gone in one stroke, and nothing grow for a while: with no answer yet all that is left is tried, for
    // the child is broken off first.
    is_desperate_ = is_tight && room < next.bytes_of_tight_child();
    if (is_desperate_ &&
        ((has_after_ && !holds_) || stage_ == Stage::WAITS || now.kills_group || room < kLastRoomKept + kLeastChild))
        return refuse("too little memory is left", Taken::NO_ROOM);
    if (!has_room_on_disk(next.blocks)) return refuse("too little room is left on the disk", Taken::FAILED);
    char path[kPathBytes + 32], partial[kPathBytes + 40];
    std::snprintf(path, sizeof path, "%s/%s", journal_.folder(), file);
    std::snprintf(partial, sizeof partial, "%s.partial", path);
    const int heap = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (heap < 0) return refuse(std::strerror(errno), Taken::FAILED);

    const bool is_baseline = stage_ == Stage::WAITS;
    const char* unarmed = is_baseline && !counts_births_ ? "it was asked not to" : nullptr;
    keeps_after_ = has_after_ && !holds_;
    if (!holds_) take_lock();
    if (agent::is_finalizing()) {
        lock_.release();
        close(heap);
        unlink(partial);
        return Taken::ENDING;
    }
    if (is_baseline && !unarmed) {
        rlimit address_space;
        // The shadow's address space counts there.
        if (getrlimit(RLIMIT_AS, &address_space) || address_space.rlim_cur != RLIM_INFINITY)
            unarmed = "there is a limit on address space";
        else if (agent::has_other_interpreters())
            unarmed = "the process has sub-interpreters";
        else if (births::armed() && !inherits_births_)
            unarmed = "somebody else counts births in this process";
        else
            unarmed = births::arm(false, false, "");
        owns_births_ = !unarmed;
        has_forgotten_ = false;
        ticks_.start(got, resident);
    }
    const bool is_dated = owns_births_ && births::armed();
    const int intervals = is_baseline ? 0 : is_dated ? ticks_.divide(got, resident) : 1;
    record::Started child{};
    {
        agent::Meta meta(static_cast<unsigned>(intervals), redacts_keys_, is_dated);
        const int flags = record::kFlagAgent | record::kFlagSmallCache | (redacts_keys_ ? record::kFlagRedactKeys : 0) |
                          (is_dated ? 0 : record::kFlagUndated) | (is_tight ? record::kFlagTight : 0) |
                          (room < 2 * next.bytes() ? record::kFlagNoTexts : record::kFlagAmple);
        child = record::start(
            {heap, flags, meta.text(), meta.bytes(), "", 0, is_dated && !is_baseline ? ticks_.interval_of() : nullptr});
    }
    if (is_baseline && is_dated) births::begin_run(1);
    double pause = monotonic_seconds() - got;
    close(heap);

    record::Ended ended{"no-fork", child.error};
    if (child.pid > 0) {
        hurries_ = false;
        writing_ = next;
        room_before_ = now.room;
        const record::Watch watch{may_go_on, must_hurry, this};
        record::Hold hold{holds_ ? kHeldSeconds : 0, let_go, this, 0, false};
        ended = record::wait_for(child.pid, child_seconds_, &watch, &hold);
        pause += hold.held_for;
        holds_done_ += holds_;
    } else {
        lock_.release();
    }
    const double took = monotonic_seconds() - got;
    const bool is_whole = !std::strcmp(ended.status, "ok");
    // They are begun anew with the next one; until then their memory is the program's.
    if (is_baseline && !is_whole) forget_births();
    const double slowness = took / Cost::usual_seconds(next.blocks);
    // A small heap is written faster than its share of a big one.
    if ((is_whole && !hurries_) || slowness > slowness_)
        slowness_ = slowness > kLeastSlowness ? slowness : kLeastSlowness;
    struct stat written{};
    stat(partial, &written);
    // Before the snapshot has its name: the process may end right after it has.
    journal_.begin(is_whole ? "snapshot" : "failed");
    journal_.text("file", file);
    journal_.text("reason", child.reason ? child.reason : reason);
    journal_.text("status", ended.status);
    journal_.number("code", ended.code);
    journal_.number("interval", intervals);
    journal_.number("births", is_dated);
    if (unarmed) journal_.text("without_births", unarmed);
    journal_.seconds("waited_seconds", got - asked);
    journal_.seconds("pause_seconds", pause);
    journal_.seconds("fork_seconds", child.fork_seconds);
    journal_.seconds("ready_seconds", child.ready_seconds);
    journal_.seconds("seconds", took);
    journal_.number("bytes", is_whole ? static_cast<long long>(written.st_size) : 0);
    journal_.number("blocks", next.blocks);
    journal_.number("tight", is_tight);
    journal_.number("hurried", hurries_);
    journal_.number("held", holds_);
    journal_.number("needed_bytes", next.bytes());
    journal_.number("bytes_a_second", static_cast<long long>(next.bytes_a_second));
    journal_.number("room_bytes", now.room);
    journal_.number("limit_bytes", now.limit);
    journal_.text("limit", now.name());
    if (is_dated && !is_baseline)
        journal_.numbers("resident_bytes", ticks_.resident_at(), static_cast<std::size_t>(intervals) + 1);
    else
        journal_.numbers("resident_bytes", &resident, 1);
    journal_.write();
    if (is_whole && rename(partial, path) == 0) {
        has_after_ |= !is_baseline;
        room_at_after_ = now.room;
        is_shallow_ = hurries_;
        return Taken::DONE;
    }
    if (is_whole) {
        journal_.begin("failed");
        journal_.text("file", file);
        journal_.text("status", "write-error");
        journal_.write();
    }
    unlink(partial);
    return Taken::FAILED;
}

void Guard::forget_births() {
    if (!owns_births_ || !births::armed()) return;
    owns_births_ = false;
    has_forgotten_ = true;
    births::forget();
    journal_.begin("births-forgotten");
    journal_.write();
}

// Not a semaphore: up to glibc 2.29 it waits by the clock of the wall, which may be put back by hours.
void Guard::nap(double seconds) {
    timespec left;
    left.tv_sec = static_cast<time_t>(seconds);
    left.tv_nsec = static_cast<long>((seconds - static_cast<double>(left.tv_sec)) * 1e9);
    if (!__atomic_load_n(&is_awake_, __ATOMIC_ACQUIRE))
        syscall(SYS_futex, &is_awake_, FUTEX_WAIT_PRIVATE, 0, &left, nullptr, 0);
    __atomic_store_n(&is_awake_, 0, __ATOMIC_RELEASE);
}

// Also from a handler of signals.
void Guard::wake() {
    __atomic_store_n(&is_awake_, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, &is_awake_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

long long number_after(const char* options, const char* name, long long missing) {
    const char* const at = std::strstr(options, name);
    return at ? std::strtoll(at + std::strlen(name), nullptr, 10) : missing;
}

Guard the_guard;

pid_t term_owner = 0;
struct sigaction term_before;

bool was_default() { return !(term_before.sa_flags & SA_SIGINFO) && term_before.sa_handler == SIG_DFL; }

void on_term(int number, siginfo_t* info, void* context) {
    const int error = errno;
    const bool is_second = term_came || getpid() != term_owner;
    if (!is_second) {
        term_came = 1;
        the_guard.wake();
    }
    if (term_before.sa_flags & SA_SIGINFO) {
        term_before.sa_sigaction(number, info, context);
    } else if (was_default()) {
        // Blocked while this runs: it ends the process when this returns.
        if (is_second) {
            signal(SIGTERM, SIG_DFL);
            raise(SIGTERM);
        }
    } else {
        term_before.sa_handler(number);
    }
    errno = error;
}

// Looked at again and again, for a program may set a handler of its own later: that one is called, too.
void catch_term() {
    struct sigaction now;
    if (sigaction(SIGTERM, nullptr, &now)) return;
    if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_term) {
        term_owner = getpid();  // inherited, in a child
        return;
    }
    if (!(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_IGN) return;
    term_owner = getpid();
    term_before = now;
    now.sa_flags |= SA_SIGINFO;
    now.sa_sigaction = on_term;
    sigaction(SIGTERM, &now, nullptr);
}

void end_if_default() {
    if (!was_default()) return;
    signal(SIGTERM, SIG_DFL);
    kill(getpid(), SIGTERM);
}

void guard_child() { the_guard.in_child(); }

void on_stroke() {
    __atomic_store_n(&was_stroke, 1, __ATOMIC_RELEASE);
    the_guard.wake();
}

}  // namespace

const char* start(const Settings& settings) { return the_guard.start(settings); }
void stop() { the_guard.stop(); }

const char* start_with(const char* folder, const char* options) {
    Settings settings{};
    settings.parent = folder;
    settings.limit = number_after(options, "limit=", 0);
    settings.percent = static_cast<int>(number_after(options, "percent=", 85));
    settings.baseline_seconds = static_cast<double>(number_after(options, "baseline=", 30'000)) / 1000;
    settings.counts_births = number_after(options, "births=", 1);
    settings.redacts_keys = number_after(options, "redact=", 0);
    settings.term_seconds = static_cast<double>(number_after(options, "term=", 0)) / 1000;
    if (settings.percent < 1 || settings.percent > 99) settings.percent = 85;
    const char* const reason = start(settings);
    return reason ? reason : "";
}

bool is_running() { return the_guard.is_running(); }
bool counts_births() { return the_guard.counts_births(); }
const char* folder() { return the_guard.folder(); }

}  // namespace guard

#endif
