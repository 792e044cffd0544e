// The walk in the child: object by object, every reference with its kind and name.
#pragma once
#include "cpython/layout.h"
#include "walk/nodes.h"
#include "memory/pools.h"
#include "walk/strings.h"
#include "walk/writer.h"

#include <csetjmp>

namespace record {

// What is known beforehand about the memory behind a type's instances.
enum class Shape : std::uint8_t {
    PLAIN,
    DICT,
    ORDERED_DICT,
    LIST,
    TUPLE,
    SET,
    DEQUE,
    TYPE,
    MODULE,
    FUNCTION,
    CODE,
    FRAME,
    GENERATOR,
    WEAKREF,
    HAMT_BITMAP,
    HAMT_ARRAY,
    HAMT_COLLISION,
    LRU_CACHE,
    EXCEPTION,
    OBJECT_ARRAY,  // numpy arrays of objects
    BUILTIN,       // a function or bound method written in C
    METHOD_WRAPPER,
    DESCRIPTOR,
};

struct Field {
    std::int32_t offset;
    std::uint32_t label;
    std::uint8_t kind;
    bool sure;  // kept although tp_traverse does not report it
};

struct TypePlan {
    const TypeObject* type;
    std::uint32_t row, name, module, bracketed;  // strings: name, module, `<name>`
    Shape shape;
    std::uint8_t sizer;
    bool python_class;  // instances are traversed by subtype_traverse
    bool checked;       // run tp_traverse and compare
    bool managed_dict, inline_values, own;
    bool opaque;  // C memory that no tp_traverse tells of: its words are looked at after the walk
    const char* await_label;
    Field* fields;
    std::uint32_t field_count;
    std::int32_t bound_offset;              // a slot called maxsize or the like, 0 = none
    std::int64_t bound_keys, bound_entry;  // the same among the shared keys, and how many were looked at
    std::uint64_t count, bytes;
};

struct ThreadInput {
    void* state;
    void* frame;  // the running frame, null when unknown
};

// A writable data segment of a loaded library: C variables live there.
struct Segment {
    std::uintptr_t start, end;
    char library[64];
};

struct Input {
    int fd;
    int flags;
    const char *meta, *own_prefix;
    std::size_t meta_bytes, own_prefix_bytes;
    void* interpreter;
    void* runtime;
    Object *modules, *current_frame;
    const void* subject;
    ThreadInput* threads;
    std::size_t thread_count;
    void** gc_heads;
    std::size_t gc_head_count;
    Segment* segments;
    std::size_t segment_count;
    const char* warnings[8];
    std::size_t warning_count;
    void warn(const char* sentence) {
        if (warning_count < 8) warnings[warning_count++] = sentence;
    }
};

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

    Strings strings;
    Writer writer;
    Nodes nodes;
    Arena arena;
    const Input* input = nullptr;
    std::int8_t generator_state = 0;       // of the generator whose frame is being named
    const Object* interned = nullptr;      // its entries own no counts

    TypePlan* plan_of(const TypeObject* type);
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
    void process_all();
    void process(std::uint32_t id);
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
    void write_memory();
    void write_tables();
    void insert_plan(TypePlan* plan);
    std::uint32_t synthetic_type(const char* name);

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
    bool staging_ = false, bare_ = false, redact_ = false, census_ = false;
    Array<Staged> staged_;
    Array<const Object*> visited_;
    Array<const void*> running_;

    std::uint32_t next_ = 0, current_ = 0, current_refs_ = 0;
    std::uint32_t row_type_ = 0, row_refcount_ = 0;
    std::uint64_t row_size_ = 0, row_blocks_ = 0, block_bytes_ = 0;
    PoolTotals pools_{};
    std::uint8_t current_flags_ = 0, extra_flags_ = 0;
    TypePlan* row_plan_ = nullptr;
    char warnings_[4096];
    std::size_t warnings_used_ = 0;
    std::uint64_t unreadable_ = 0;
    Array<std::uint32_t> order_, opaque_;
};

extern sigjmp_buf fault_return;
extern volatile int fault_armed;

extern const TypeObject* frozen_dict_type;  // 3.15+, else null
bool is_dict(const Object* object);

// The entries of a dict, whichever layout its key table has. `count` is 0 for what is no dict.
struct DictItems {
    explicit DictItems(const Object* dict);
    DictItems(const void* keys, const char* values);
    const Object* key(std::int64_t i) const { return object_at(entries + i * stride, key_at); }
    const Object* value(std::int64_t i) const {
        return values ? object_at(values, L->values_first + i * 8) : object_at(entries + i * stride, key_at + 8);
    }
    const char *entries = nullptr, *values = nullptr;
    std::int64_t count = 0, stride = 0;
    std::ptrdiff_t key_at = 0;

  private:
    void read(const void* keys);
};

// names_*.cpp
void name_dict(Walk& walk, const Object* dict);
void name_ordered_dict(Walk& walk, const Object* dict);
void name_items(Walk& walk, const Object* sequence, const Object* const* items, std::int64_t count);
void name_set(Walk& walk, const Object* set);
void name_deque(Walk& walk, const Object* deque);
void name_instance(Walk& walk, const Object* object, TypePlan* plan);
bool is_bound_text(const char* name);
void name_type(Walk& walk, const Object* type);
void name_module(Walk& walk, const Object* module);
void name_function(Walk& walk, const Object* function);
void name_builtin(Walk& walk, const Object* function);
void name_method_wrapper(Walk& walk, const Object* wrapper);
void name_descriptor(Walk& walk, const Object* descriptor);
void name_code(Walk& walk, const Object* code);
void name_frame_object(Walk& walk, const Object* frame);
void name_generator(Walk& walk, const Object* generator, const TypePlan* plan);
// The contents of an interpreter frame. `running`: on a thread's stack, where the depth of the value
// stack is not stored before 3.14.
void name_frame(Walk& walk, const char* frame, bool running, const char* await_label);
void name_weakref(Walk& walk, const Object* weakref);
void name_hamt(Walk& walk, const Object* node, Shape shape);
void name_object_array(Walk& walk, const Object* array);
void name_lru_cache(Walk& walk, const Object* cache);

// A value in a dict by an ASCII key, without hashing: for the few lookups the recorder needs.
Object* dict_value(const Object* dict, const char* key);
// An instance attribute in inline values or `__dict__`.
Object* attribute(const Object* object, const char* name);
Object* dict_of(const Object* object);
std::int64_t frame_line(const char* frame, const Object* code);
Object* frame_code(const char* frame);

// f(key, value) for each entry of a dict, in insertion order.
template <class F>
void for_each_item(const Object* dict, F&& f) {
    const DictItems items(dict);
    for (std::int64_t i = 0; i < items.count; i++)
        if (const Object* value = items.value(i)) f(items.key(i), value);
}

std::uint64_t shallow_size(const Object* object, const TypePlan* plan);
// What the allocators spend on an object of that shallow size: its blocks, rounded as they round.
std::uint64_t block_bytes(const Object* object, const TypePlan* plan, std::uint64_t shallow);
std::uint8_t sizer_of(const TypeObject* type, const TypePlan* plan);
void fill_plan(Walk& walk, TypePlan* plan);  // shape and fields
void collect_running_frames(Walk& walk);
void walk_roots(Walk& walk);  // everything but the frames of threads
void walk_threads(Walk& walk);
void walk_interpreter_words(Walk& walk);
extern TraverseProc subtype_traverse;
void resolve_types();  // in the parent: the addresses of CPython's own types

}  // namespace record
