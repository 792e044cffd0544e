// The allocator hook. The object domain is only used under an interpreter's lock, but
// interpreters with a lock of their own share the hook: nothing here assumes one thread at a time,
// except arming itself.
#include "births/births.h"

#include "births/recycling.h"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cstring>
#include <utility>

namespace births {

namespace detail {
bool is_armed = false;
bool has_sites = false;
bool has_works = false;
volatile std::uint32_t quick = kThink;
}  // namespace detail

namespace {

// cpython/pymem.h: not in the stable ABI, the same in every version since 3.5.
struct Allocator {
    void* ctx;
    void* (*malloc)(void*, std::size_t);
    void* (*calloc)(void*, std::size_t, std::size_t);
    void* (*realloc)(void*, void*, std::size_t);
    void (*free)(void*, void*);
};
constexpr int kObjectDomain = 2;
using GetAllocator = void (*)(int, Allocator*);
using SetAllocator = void (*)(int, Allocator*);

struct State {
    Allocator next;
    bool is_installed;  // our functions may still be called; `next` must stay valid
    bool is_lost;
    bool was_ever_armed;
    bool is_wide;
    std::uint16_t run;
    // An own-marking belongs to one thread: what the program's other threads allocate meanwhile is
    // the run's.
    bool is_own;
    pthread_t owner;
    volatile bool was_called;
    char identity;  // its address is our ctx
};
State state;
bool failed = false;

// Smaller ones come no faster than whoever waits looks by himself.
constexpr std::size_t kBigBlock = 64 * 1024;
std::atomic<long long> big_left{0};
std::atomic<void (*)()> wake_at{nullptr};

__attribute__((noinline)) void count_big(std::size_t size) {
    const auto bytes = static_cast<long long>(size);
    if (!wake_at.load(std::memory_order_relaxed) || big_left.fetch_sub(bytes, std::memory_order_relaxed) > bytes)
        return;
    if (void (*const wake)() = wake_at.exchange(nullptr, std::memory_order_acq_rel)) wake();
}

void settle() {
    const bool is_quick = detail::is_armed && !detail::has_sites && !state.is_wide && !state.is_own;
    detail::quick = is_quick ? detail::narrowed(state.run) : detail::kThink;
}

void disable() {
    detail::is_armed = false;
    settle();
}

inline std::uint16_t value_now() {
    if (state.is_own && pthread_equal(pthread_self(), state.owner)) return format::kBirthOwn;
    return state.run;
}

shadow::Form form_now() { return {state.is_wide, detail::has_sites, detail::has_works}; }

struct Note {
    std::uint16_t value;
    std::uint32_t site;
    std::uint16_t work;
};

inline void write(shadow::Region* region, std::size_t granule, Note note) {
    if (region->is_wide)
        region->wide()[granule] = note.value;
    else
        region->narrow()[granule] = detail::narrowed(note.value);
    if (region->sites != nullptr) region->sites[granule] = note.site;
    if (region->works != nullptr) region->works[granule] = note.work;
}

__attribute__((noinline)) void note(void* block, Note note) {
    shadow::Region* region = shadow::region_of(block);
    if (!shadow::is_mapped(region)) {
        if (region == nullptr) region = shadow::map_region(block, form_now());
        if (!shadow::is_mapped(region)) return;
    }
    write(region, shadow::granule_index(block), note);
}

__attribute__((noinline)) void note_thoughtfully(void* block) {
    if (block == nullptr) failed = true;
    if (!detail::is_armed || block == nullptr) return;
    note(block,
         {value_now(), detail::has_sites ? sites::now() : 0, detail::has_works ? works::now() : std::uint16_t{0}});
}

inline void* note_new(void* block) {
    if (__builtin_expect(!detail::note_quickly(block), 0)) note_thoughtfully(block);
    return block;
}

// Clears before the block is released: afterwards another interpreter may already own it.
Note take(void* block) {
    shadow::Region* const region = shadow::region_of(block);
    if (!shadow::is_mapped(region)) return {0, 0, 0};
    const std::size_t granule = shadow::granule_index(block);
    const Note old{detail::read(region, granule), region->sites ? region->sites[granule] : 0,
                   region->works ? region->works[granule] : std::uint16_t{0}};
    if (old.value != 0 || old.site != 0) write(region, granule, {0, 0, 0});
    if (old.site & sites::kCodeBlock) sites::forget(block);
    return {old.value, old.site & ~sites::kCodeBlock, old.work};
}

void* hook_malloc(void*, std::size_t size) {
    if (__builtin_expect(size >= kBigBlock, 0)) count_big(size);
    return note_new(state.next.malloc(state.next.ctx, size));
}

void* hook_calloc(void*, std::size_t count, std::size_t size) {
    state.was_called = true;
    return note_new(state.next.calloc(state.next.ctx, count, size));
}

void* hook_realloc(void*, void* block, std::size_t size) {
    if (__builtin_expect(size >= kBigBlock, 0)) count_big(size);
    if (block == nullptr) return note_new(state.next.realloc(state.next.ctx, block, size));
    if (!detail::is_armed) return state.next.realloc(state.next.ctx, block, size);
    const Note old = take(block);
    void* const moved = state.next.realloc(state.next.ctx, block, size);
    if (moved == nullptr) failed = true;
    if (old.value != 0 || old.site != 0) note(moved != nullptr ? moved : block, old);
    return moved;
}

void hook_free(void*, void* block) {
    const std::size_t index = shadow::region_index(block);
    if (__builtin_expect(detail::quick < detail::kThink && index < shadow::kRegions, 1)) {
        std::uint8_t* const bytes = shadow::narrow[index].load(std::memory_order_acquire);
        // Blocks of the baseline are left alone: writing would only make their pages resident.
        if (bytes != nullptr && bytes[shadow::granule_index(block)] != 0) bytes[shadow::granule_index(block)] = 0;
    } else if (detail::is_armed && block != nullptr) {
        take(block);
    }
    state.next.free(state.next.ctx, block);
}

GetAllocator get_allocator() { return reinterpret_cast<GetAllocator>(dlsym(RTLD_DEFAULT, "PyMem_GetAllocator")); }
SetAllocator set_allocator() { return reinterpret_cast<SetAllocator>(dlsym(RTLD_DEFAULT, "PyMem_SetAllocator")); }

bool is_outermost() {
    Allocator current;
    get_allocator()(kObjectDomain, &current);
    return current.ctx == &state.identity;
}

bool is_called() {
    state.was_called = false;
    PyObject_Free(PyObject_Calloc(1, 1));
    return state.was_called;
}

void install() {
    if (state.is_installed && is_called()) return;
    get_allocator()(kObjectDomain, &state.next);
    Allocator ours{&state.identity, hook_malloc, hook_calloc, hook_realloc, hook_free};
    set_allocator()(kObjectDomain, &ours);
    state.is_installed = true;
}

void uninstall() {
    recycling::unwatch();
    disable();
    if (state.is_installed && is_outermost()) {
        set_allocator()(kObjectDomain, &state.next);
        state.is_installed = false;
    }
}

}  // namespace

const char* arm(bool is_wide, bool with_sites, const char* own_folder) {
    if (get_allocator() == nullptr || set_allocator() == nullptr)
        return "this interpreter does not let its allocator be wrapped";
    disable();
    if (const char* const reason = with_sites ? sites::start(own_folder) : nullptr) return reason;
    state.was_ever_armed = true;
    state.is_wide = is_wide;
    state.run = 0;
    state.is_own = false;
    state.is_lost = false;
    detail::has_sites = with_sites;
    detail::has_works = works::start();
    shadow::clear(form_now());
    install();
    state.run = 1;  // a probe's block must be seen to come and go
    detail::is_armed = true;
    settle();
    recycling::unwatch();
    recycling::watch(detail::has_sites || detail::has_works);
    state.run = 0;
    shadow::clear(form_now());
    settle();
    return nullptr;
}

bool begin_run(std::uint16_t run) {
    if (!verify() || run > (state.is_wide ? kWideLast : kNarrowLast)) return false;
    state.is_own = false;
    state.run = run;
    settle();
    return true;
}

void next_tick(std::uint16_t run) {
    if (!detail::is_armed || state.is_wide || state.is_own || run > kNarrowLast) return;
    state.run = run;
    settle();
}

void wake_after(std::size_t bytes, void (*wake)()) {
    big_left.store(static_cast<long long>(bytes), std::memory_order_relaxed);
    wake_at.store(wake, std::memory_order_release);
}

bool take_failure() { return std::exchange(failed, false); }

void forget() {
    disable();
    works::stop();
    shadow::clear(form_now());
}

const char* set_run(long value) {
    const long last = state.is_wide ? kWideLast : kNarrowLast;
    if (!detail::is_armed)
        return state.is_lost ? "births: another tool took the allocator hook away" : "births are not armed";
    const bool is_marker = value == format::kBirthOwn || value == format::kBirthWaiting;
    if (!is_marker && (value < 0 || value > last)) return kDoesNotFit;
    if (value == format::kBirthOwn) {
        state.owner = pthread_self();
        state.is_own = true;
    } else {
        state.is_own = false;
        state.run = static_cast<std::uint16_t>(value);
    }
    settle();
    recycling::renew();
    return nullptr;
}

Recorded recorded() {
    const char* const passing = state.is_installed ? "passing" : "off";
    const char* const unarmed = state.is_lost ? "lost" : passing;
    const bool with_sites = detail::has_sites;
    return {detail::is_armed,
            with_sites,
            detail::is_armed ? "armed" : unarmed,
            state.is_wide ? 16 : 8,
            state.is_wide ? kWideLast : kNarrowLast,
            with_sites ? sites::rows() : 0,
            with_sites ? sites::lost() : 0,
            detail::is_armed ? recycling::unseen_types() : 0};
}

void disarm() {
    uninstall();
    works::stop();
    shadow::clear(form_now());
}

bool was_ever_armed() { return state.was_ever_armed; }

namespace detail {
void note_dead_thoughtfully(const void* block) {
    if (is_armed) note(const_cast<void*>(block), {value_now(), 0, 0});
}
}  // namespace detail

bool add_to_site(const void* block, std::uint32_t bits) {
    shadow::Region* region = shadow::region_of(block);
    if (region == nullptr) region = shadow::map_region(block, form_now());
    if (!shadow::is_mapped(region) || region->sites == nullptr) return false;
    region->sites[shadow::granule_index(block)] |= bits;
    return true;
}

Living living(std::uint16_t run) {
    Living found{0, 0};
    for_each_live_block([&](const void*, std::uint16_t birth) {
        if (birth == format::kBirthOwn || birth == format::kBirthWaiting) return;
        ++found.all;
        found.born += birth == run;
    });
    return found;
}

bool verify() {
    if (detail::is_armed && !is_called()) {
        disable();
        works::stop();
        state.is_lost = true;
    }
    return detail::is_armed;
}

}  // namespace births
