#include "walk/walk.h"

#include "births/births.h"
#include "walk/roots.h"
#include "walk/sizes.h"
#include "walk/snapshot.h"

#include <poll.h>

#include <algorithm>

namespace record {

sigjmp_buf fault_return;
volatile int fault_armed = 0;
volatile int is_hurried = 0;
const Input* leaving_input = nullptr;
volatile int leaving_with = -1;
TraverseProc subtype_traverse = nullptr;

namespace {
constexpr std::size_t kPlanSlots = 1 << 12;
// About a tenth of a second. Most programs have fewer objects before they begin to work: what holds the rest is
// met by then.
constexpr std::uint32_t kLeastRows = 100'000;
}  // namespace

void Walk::root(format::RootKind kind, std::uint32_t label, const void* target, std::uint8_t flags) {
    if (!is_plausible(target)) return;
    const std::uint32_t id = nodes.intern(target);
    if (census_) return;
    if (!(flags & format::ROOT_BORROWED)) nodes.add_seen(id);
    writer.u8(ROOT_KIND, kind);
    writer.u32(ROOT_LABEL, label);
    writer.u32(ROOT_DST, id);
    writer.u8(ROOT_FLAGS, flags);
}

void Walk::warn(const char* sentence) {
    const std::size_t count = std::strlen(sentence);
    if (warnings_used_ + count + 5 > sizeof(warnings_)) return;
    if (warnings_used_) {
        std::memcpy(warnings_ + warnings_used_, ", ", 2);
        warnings_used_ += 2;
    }
    warnings_[warnings_used_++] = '"';
    std::memcpy(warnings_ + warnings_used_, sentence, count);
    warnings_used_ += count;
    warnings_[warnings_used_++] = '"';
    warnings_[warnings_used_] = 0;
}

void Walk::static_type_state(const TypeObject* type, const Object** dict, const Object** subclasses) const {
    *dict = *subclasses = nullptr;
    auto index = reinterpret_cast<std::intptr_t>(type->subclasses) - 1;
    const char* table = static_cast<const char*>(input->interpreter) + L->is_static_types;
    if (index >= L->is_static_types_count && L->is_static_ext_types >= 0) {
        index -= L->is_static_types_count;
        table = static_cast<const char*>(input->interpreter) + L->is_static_ext_types;
        if (index >= L->is_static_ext_types_count) return;
    }
    if (index < 0 || index >= L->is_static_types_count) return;
    const char* entry = table + index * L->static_type_bytes;
    if (load<const TypeObject*>(entry, L->static_type_type) != type) return;
    *dict = object_at(entry, L->static_type_dict);
    *subclasses = object_at(entry, L->static_type_subclasses);
}

void Walk::sort_running_frames() { std::sort(running_.begin(), running_.end()); }

bool Walk::is_running(const void* frame) const { return std::binary_search(running_.begin(), running_.end(), frame); }

bool Walk::is_own_code(const Object* code) const {
    return input->own_prefix_bytes &&
           text_starts_with(object_at(code, L->code_filename), input->own_prefix, input->own_prefix_bytes);
}

void Walk::process_all() {
    for (; !may_hurry_ || !is_hurried || next_ < kLeastRows; next_++) {
        if (next_ == nodes.count()) {
            drain();
            if (next_ == nodes.count()) return;
        }
        if (next_ + 4 < nodes.count()) __builtin_prefetch(nodes.address(next_ + 4));
        process_row(next_, nodes.address(next_), nodes.is_frame(next_));
    }
}

// The other phases find what a walk from the roots did not: after half of one nobody could say what that is.
void Walk::hurry() {
    is_shallow_ = true;
    warn(
        "there was no time for all of the heap: the references of its deeper objects, and what only they hold, are "
        "missing");
    guarded("the threads' frames could not all be read", [&] { walk_threads(*this); });
    process_all();
    drain();
    write_tables();
    writer.close(warnings_, true);
    leave(0);
}

void Walk::walk_collector_lists() {
    for (std::size_t i = 0; i < input->gc_head_count; i++) {
        const void* head = input->gc_heads[i];
        const void* at = reinterpret_cast<const void*>(load<std::uintptr_t>(head, 0) & ~std::uintptr_t{3});
        while (at && at != head) {
            const void* next = reinterpret_cast<const void*>(load<std::uintptr_t>(at, 0) & ~std::uintptr_t{3});
            __builtin_prefetch(next);
            nodes.intern(static_cast<const char*>(at) + kGcHead);
            at = next;
        }
    }
}

namespace {
// 3.12 never lets go of a string that it has interned, though nothing but its own table leads to it any more.
bool is_interned_for_ever(const Object* object) {
    if (L->minor != 12 || !(object->type->flags & tpflag::STR)) return false;
    return load<std::uint32_t>(object, L->str_state) & static_cast<std::uint32_t>(L->str_interned_mask);
}
}  // namespace

// Blocks born since the baseline that no reference led to: an object when the word where its type
// would be is a type already met.
void Walk::add_unreached_blocks() {
    if (!births::armed()) return;
    births::for_each_live_block([&](const void* block, std::uint16_t run) {
        if (run == format::kBirthOwn) return;
        static constexpr std::ptrdiff_t kHeaders[] = {0, 16, 32};
        for (const std::ptrdiff_t before : kHeaders)
            if (nodes.find(static_cast<const char*>(block) + before) != Nodes::kNone) return;
        for (const std::ptrdiff_t before : kHeaders) {
            const auto object = reinterpret_cast<const Object*>(static_cast<const char*>(block) + before);
            if (!is_known_type(reinterpret_cast<const TypeObject*>(word_at(object, 8)))) continue;
            const std::uint64_t count = refcount(object);
            const bool is_kept_name = count == kImmortalCount && is_interned_for_ever(object);
            // What else lives for ever is reached by name; here such a count is a pointer misread.
            if (!is_kept_name && (!count || count >= (1u << 30))) continue;
            if (static_cast<std::ptrdiff_t>(header_bytes(object->type, has_gc_head(object))) != before) continue;
            nodes.intern(object);
            if (is_kept_name) root(format::INTERPRETER, strings.of("interned strings"), object, format::ROOT_BORROWED);
            return;
        }
    });
}

// Both walks see the same frozen memory, so they meet the same objects.
void Walk::begin(const Input& given) {
    input = &given;
    plan_mask_ = kPlanSlots - 1;
    plan_slots_ = static_cast<TypePlan**>(map_bytes(kPlanSlots * sizeof(TypePlan*)));
    frame_row_ = synthetic_type("<frame>");
    unreadable_row_ = synthetic_type("<unreadable>");
    guarded("the running frames could not be read", [&] { collect_running_frames(*this); });
    sort_running_frames();
}

// Whoever reads has gone: while nothing is written no write fails.
void Walk::leave_if_unread() const {
    pollfd heap{input->fd, 0, 0};
    if (!(input->flags & kFlagFiltered) && poll(&heap, 1, 0) == 1 && heap.revents & POLLERR) leave(EPIPE);
}

void Walk::mark_all(Marks* marks) {
    for (std::uint32_t marked = 0;; marked++) {
        if (marked % 1024 == 0) leave_if_unread();
        const void* address = marks->next();
        if (!address) {
            drain();
            address = marks->next();
        }
        if (!address) return;
        process_row(0, address, is_running(address));
    }
}

// Writes nothing. What cannot be read here is said by the walk that writes.
void Walk::mark(const Input& given, Marks* marks) {
    census_ = is_tight_ = true;
    writer.open_nowhere();
    strings.open(&writer);
    strings.mute(true);
    nodes.use(marks);
    begin(given);
    guarded("", [&] { walk_roots(*this); });
    mark_all(marks);
    guarded("", [&] { walk_collector_lists(); });
    mark_all(marks);
    guarded("", [&] { walk_threads(*this); });
    mark_all(marks);
}

void Walk::run_tight() {
    auto* const marks = new (map_bytes(sizeof(Marks))) Marks();
    marks->open();
    auto* const marker = new (map_bytes(sizeof(Walk))) Walk();
    marker->mark(*input, marks);
    marks->rank();
    nodes.use(marks);
    begin(*input);
    warn("memory was short: what only C code holds, and equal texts, were not looked for");
    guarded("the roots could not all be read", [&] { walk_roots(*this); });
    guarded("the collector's lists could not all be read", [&] { walk_collector_lists(); });
    guarded("the threads' frames could not all be read", [&] { walk_threads(*this); });
    marks->for_each([&](std::uint32_t id, const void* address) { process_row(id, address, is_running(address)); });
    drain();
    write_tables();
    if (nodes.has_strays()) write_stray();
}

void Walk::run(const Input& given) {
    input = leaving_input = &given;
    census_ = given.flags & kFlagCensus;
    redact_ = given.flags & kFlagRedactKeys;
    is_tight_ = given.flags & kFlagTight;
    hashes_texts_ = given.has_text_key && !redact_ && !census_ && !(given.flags & (kFlagTight | kFlagNoTexts));
    // Before anything is mapped here: what is found is the program's.
    guarded("the object allocator's pools could not all be read", [&] { find_pools(&pools_); });
    pools_in_use = pools_.pools != 0;
    writer.open(given.fd, given.flags & kFlagSmallCache, is_tight_);
    writer.bytes(META, given.meta, given.meta_bytes);
    writer.flush_meta();
    strings.open(&writer);
    strings.mute(census_);
    for (std::size_t i = 0; i < given.warning_count; i++) warn(given.warnings[i]);
    if (is_tight_ && !census_) {
        run_tight();
        writer.close(warnings_);
        leave(0);
    }
    nodes.open();
    begin(given);
    guarded("the roots could not all be read", [&] { walk_roots(*this); });
    may_hurry_ = !census_;
    process_all();
    drain();
    may_hurry_ = false;
    if (next_ != nodes.count()) hurry();
    guarded("the collector's lists could not all be read", [&] { walk_collector_lists(); });
    process_all();
    guarded("the threads' frames could not all be read", [&] { walk_threads(*this); });
    process_all();
    guarded("the allocator's blocks could not all be read", [&] { add_unreached_blocks(); });
    extra_flags_ = format::UNREACHED_BLOCK;
    process_all();
    drain();
    // What only explains counts finds no object: a census does without.
    if (!census_) guarded("the interpreter's memory could not all be read", [&] { walk_interpreter_words(*this); });
    write_tables();
    writer.close(warnings_);
    leave(0);
}

}  // namespace record
