// The walk in the child: object by object, every reference with its kind and name.
#pragma once
#include "format.h"
#include "memory/pools.h"
#include "walk/input.h"
#include "walk/nodes.h"
#include "walk/plan.h"
#include "walk/strings.h"
#include "walk/texts.h"
#include "walk/writer.h"

#include <csetjmp>

namespace record {

class Walk {
  public:
    [[noreturn]] void run(const Input& input);

    // Called by the namers. A null target is ignored.
    void emit(const void* target, std::uint8_t kind, std::uint32_t label, bool sure = false) {
        if (!target) return;
        if (staging_)
            staged_.push({static_cast<const Object*>(target), label, kind, sure, false});
        else
            send(target, kind, label);
    }
    void name(std::uint32_t string);
    void name_cell(const Object* cell, const Object* variable);
    // `list.append`: what an object of type `owner` gives under this name.
    void name_bound(const TypeObject* owner, const void* name, const char* text, std::size_t count);
    // Emits only when the object is known and has counts that nothing seen so far explains.
    void emit_if_unexplained(const Object* target, std::uint8_t kind, std::uint32_t label);
    bool is_unexplained(const void* target, std::uint32_t* id);
    void locate(std::uint32_t file, std::int64_t line);
    void bound(std::uint64_t size);
    // A reference whose source was written without it; both are numbers of nodes.
    void late_reference(std::uint32_t source, std::uint32_t target);
    void own() { current_flags_ |= format::OWN; }
    // The same where this code is leakscan's. A census does not ask whose its objects are.
    void own_if_of(const Object* code) {
        if (!census_ && is_own_code(code)) own();
    }

    Strings strings;
    Writer writer;
    Nodes nodes;
    Arena arena;
    const Input* input = nullptr;
    std::int8_t generator_state = 0;   // of the generator whose frame is being named
    const Object* interned = nullptr;  // its entries own no counts

    TypePlan* plan_of(const TypeObject* type) {
        if (last_plan_ && last_plan_->type == type) return last_plan_;
        std::size_t at = plan_slot(type);
        while (plan_slots_[at] && plan_slots_[at]->type != type) at = (at + 1) & plan_mask_;
        return last_plan_ = plan_slots_[at] ? plan_slots_[at] : build_plan(type);
    }
    bool is_running(const void* frame) const;
    void add_running(const void* frame) { running_.push(frame); }
    void drain();
    // 3.12+ keep these two fields of a static builtin type in the interpreter state.
    void static_type_state(const TypeObject* type, const Object** dict, const Object** subclasses) const;
    const Array<std::uint32_t>& opaque() const { return opaque_; }
    bool is_census() const { return census_; }
    bool redacts_keys() const { return redact_; }
    bool is_own_code(const Object* code) const;
    void root(format::RootKind kind, std::uint32_t label, const void* target, std::uint8_t flags);
    void warn(const char* sentence);

  private:
    struct Staged {
        const Object* target;
        std::uint32_t label;
        std::uint8_t kind;
        bool sure, matched;
    };
    struct Pending {
        const void* target;
        std::uint32_t label;
        std::uint8_t kind;
    };
    // References wait here for two steps while their table slot and entry are fetched.
    static constexpr std::uint32_t kRing = 32, kHalf = 16;

    static bool is_plausible(const void* target) {
        const auto word = reinterpret_cast<std::uintptr_t>(target);
        return word >= 4096 && !(word & 7) && !(word >> 48);
    }
    void send(const void* target, std::uint8_t kind, std::uint32_t label) {
        if (!is_plausible(target)) return;
        nodes.prefetch(target);
        if (sent_ - resolved_ == kRing) resolve_one();
        ring_[sent_ % kRing] = {target, label, kind};
        sent_++;
        if (sent_ - resolved_ >= kHalf) nodes.prefetch_entry(ring_[(sent_ - kHalf) % kRing].target);
        current_refs_++;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);  // a fault may end this object at any read
    }
    void resolve_one();
    void begin(const Input& given);
    void process_all();
    // Ends the walk where it is: what was met and not yet looked into is written without its references.
    void hurry();
    void process_row(std::uint32_t id, const void* address, bool is_frame);
    void process(const Object* object);
    // The two walks where memory is too short for a table of the objects (marks.h).
    void run_tight();
    void mark(const Input& given, Marks* marks);
    void mark_all(Marks* marks);
    void write_stray();
    void leave_if_unread() const;
    void process_frame(const void* frame);
    void name_references(const Object* object, TypePlan* plan);
    void check(const Object* object, TypePlan* plan);
    static int visit(Object* target, void* self);
    void finish_row();
    void walk_collector_lists();
    void sort_running_frames();
    bool is_known_type(const TypeObject* type) const;
    template <class F>
    void guarded(const char* warning, F&& phase);
    void add_unreached_blocks();
    void write_sites();
    void write_works();
    void write_memory();
    void write_texts();
    void write_tables();
    void insert_plan(TypePlan* plan);
    std::uint32_t synthetic_type(const char* name);

    std::size_t plan_slot(const TypeObject* type) const {
        return ((reinterpret_cast<std::uintptr_t>(type) >> 4) * 0x9E3779B97F4A7C15ull >> 40) & plan_mask_;
    }
    TypePlan* build_plan(const TypeObject* type);
    TypePlan** plan_slots_ = nullptr;
    std::size_t plan_mask_ = 0;
    Array<TypePlan*> plans_;
    TypePlan* last_plan_ = nullptr;
    struct BuiltinName {
        const void* name;
        const TypeObject* owner;
        std::uint32_t string;
    };
    BuiltinName builtin_names_[256] = {};
    std::uint32_t frame_row_ = 0, unreadable_row_ = 0;

    Pending ring_[kRing];
    std::uint64_t sent_ = 0, resolved_ = 0;
    bool staging_ = false, bare_ = false, redact_ = false, census_ = false, is_tight_ = false,
         may_hurry_ = false, is_shallow_ = false;
    Array<Staged> staged_;
    Array<const Object*> visited_;
    Array<const void*> running_;

    std::uint32_t next_ = 0, current_ = 0, current_refs_ = 0;
    const void* current_address_ = nullptr;
    std::uint32_t row_type_ = 0, row_refcount_ = 0;
    std::uint64_t row_size_ = 0, row_blocks_ = 0, block_bytes_ = 0;
    PoolTotals pools_{};
    std::uint8_t current_flags_ = 0, extra_flags_ = 0;
    bool hashes_texts_ = false;
    Texts texts_;
    TypePlan* row_plan_ = nullptr;
    char warnings_[4096];
    std::size_t warnings_used_ = 0;
    std::uint64_t unreadable_ = 0;
    Array<std::uint32_t> order_, opaque_;
};

// Set by a signal: there is little time left. A walk from the roots takes what is near them first, so that
// what holds a leak has been looked into long before all that it holds.
extern volatile int is_hurried;
extern sigjmp_buf fault_return;
extern volatile int fault_armed;
extern const Input* leaving_input;  // null before the walk begins
extern volatile int leaving_with;   // the exit code once all is written, before that -1

// Runs one phase; a fault in it ends that phase only and is said in the snapshot.
template <class F>
void Walk::guarded(const char* warning, F&& phase) {
    if (sigsetjmp(fault_return, 0)) {
        fault_armed = 0;
        strings.recover();
        warn(warning);
        return;
    }
    fault_armed = 1;
    phase();
    fault_armed = 0;
}

}  // namespace record
