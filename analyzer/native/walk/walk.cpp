#include "walk/walk.h"

#include "births/births.h"
#include "walk/code.h"
#include "walk/containers.h"
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

void Walk::resolve_one() {
    const Pending& pending = ring_[resolved_++ % kRing];
    const bool frame = (pending.kind & ~format::kBorrowed) == format::FRAME && is_running(pending.target);
    const std::uint32_t id = nodes.intern(pending.target, frame);
    if (census_) return;
    if (!(pending.kind & format::kBorrowed)) nodes.add_seen(id);
    writer.u32(REF_DST, id);
    writer.u8(REF_KIND, pending.kind);
    writer.u32(REF_LABEL, pending.label);
}

void Walk::drain() {
    while (resolved_ != sent_) resolve_one();
}

void Walk::name(std::uint32_t string) {
    if (!string || census_) return;
    writer.u32(NAME_OBJ, current_);
    writer.u32(NAME_STR, string);
}

void Walk::locate(std::uint32_t file, std::int64_t line) {
    if (!file || census_) return;
    writer.u32(LOC_OBJ, current_);
    writer.u32(LOC_FILE, file);
    writer.u32(LOC_LINE, line > 0 ? static_cast<std::uint32_t>(line) : 0);
}

void Walk::bound(std::uint64_t size) {
    if (census_) return;
    writer.u32(BOUND_OBJ, current_);
    writer.u64(BOUND_SIZE, size);
}

void Walk::late_reference(std::uint32_t source, std::uint32_t target) {
    nodes.add_seen(target);
    writer.u32(LATE_SRC, source);
    writer.u32(LATE_DST, target);
}

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

void Walk::name_cell(const Object* cell, const Object* variable) {
    const std::uint32_t string = strings.label(variable);
    if (!cell || !string || census_) return;
    writer.u32(NAME_OBJ, nodes.intern(cell));
    writer.u32(NAME_STR, string);
}

void Walk::name_bound(const TypeObject* owner, const void* name, const char* text, std::size_t count) {
    if (census_ || !text || !count || count > kLabelLimit) return;
    const auto key = reinterpret_cast<std::uintptr_t>(name) ^ reinterpret_cast<std::uintptr_t>(owner);
    BuiltinName& known = builtin_names_[(key * 0x9E3779B97F4A7C15ull) >> 56];
    if (known.name != name || known.owner != owner || !known.string) {
        char joined[2 * kLabelLimit + 2];
        std::size_t length = 0;
        if (owner) {
            const char* dot = std::strrchr(owner->name, '.');
            const char* type = dot ? dot + 1 : owner->name;
            while (length < kLabelLimit && type[length]) joined[length] = type[length], length++;
            joined[length++] = '.';
        }
        std::memcpy(joined + length, text, count);
        known = {name, owner, strings.fresh(joined, length + count)};
    }
    this->name(known.string);
}

bool Walk::is_unexplained(const void* target, std::uint32_t* id) {
    if (is_tight_ || !target || reinterpret_cast<std::uintptr_t>(target) % 8) return false;
    *id = nodes.find(target);
    if (*id == Nodes::kNone || nodes.is_frame(*id) || nodes.seen(*id) >= Nodes::kSeenLimit) return false;
    const std::uint64_t count = refcount(static_cast<const Object*>(target));
    return count != kImmortalCount && count > nodes.seen(*id);
}

void Walk::emit_if_unexplained(const Object* target, std::uint8_t kind, std::uint32_t label) {
    if (census_) return;
    drain();
    std::uint32_t id;
    if (is_unexplained(target, &id)) send(target, kind, label);
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

int Walk::visit(Object* target, void* self) {
    static_cast<Walk*>(self)->visited_.push(target);
    return 0;
}

// What tp_traverse reports and the namer did not is emitted unnamed; what the namer found and
// tp_traverse denies is dropped, unless it is known to be real or is of a kind the collector ignores.
void Walk::check(const Object* object, TypePlan* plan) {
    visited_.clear();
    object->type->traverse(const_cast<Object*>(object), visit, this);
    bool type_seen = false;
    std::size_t unnamed = 0;
    const auto unmatched = [&](const Object* target) {
        if (!type_seen && target == object->type) {
            type_seen = true;
            return false;
        }
        return true;
    };
    if (visited_.size() * staged_.size() <= 4096) {
        for (const Object* target : visited_) {
            bool found = false;
            for (Staged& staged : staged_)
                if (!staged.matched && staged.target == target) {
                    staged.matched = found = true;
                    break;
                }
            if (!found && unmatched(target)) visited_[unnamed++] = target;
        }
    } else {
        std::sort(visited_.begin(), visited_.end());
        Array<std::uint32_t>& order = order_;
        order.clear();
        for (std::uint32_t i = 0; i < staged_.size(); i++) order.push(i);
        std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
            return staged_[a].target != staged_[b].target ? staged_[a].target < staged_[b].target : a < b;
        });
        std::size_t at = 0;
        for (const Object* target : visited_) {
            while (at < order.size() && staged_[order[at]].target < target) at++;
            if (at < order.size() && staged_[order[at]].target == target)
                staged_[order[at++]].matched = true;
            else if (unmatched(target))
                visited_[unnamed++] = target;
        }
    }
    staging_ = false;
    for (Staged& staged : staged_)
        if (!staged.matched && !staged.sure) staged.sure = !(staged.target->type->flags & tpflag::HAVE_GC);
    // Nothing was sent before this line: a fault above can be tried again without names.
    for (const Staged& staged : staged_)
        if (staged.matched || staged.sure) send(staged.target, staged.kind, staged.label);
    if (plan->shape == Shape::LRU_CACHE) return;  // the rest belongs to its links
    if (plan->shape == Shape::GENERATOR && is_running(reinterpret_cast<const char*>(object) + L->gen_frame))
        return;  // the rest belongs to the frame on its thread's stack
    for (std::size_t i = 0; i < unnamed; i++) send(visited_[i], format::UNNAMED, 0);
}

void Walk::name_references(const Object* object, TypePlan* plan) {
    staging_ = plan->checked && has_gc_head(object);
    staged_.clear();
    if (bare_ && staging_) return check(object, plan);
    for (std::uint32_t i = 0; i < plan->field_count; i++) {
        const Field& field = plan->fields[i];
        // A named tuple of C has a member for each of its items too: those come by index below.
        if (plan->shape == Shape::TUPLE && field.offset >= L->tuple_items &&
            field.offset < L->tuple_items + 8 * static_cast<const VarObject*>(object)->size)
            continue;
        emit(object_at(object, field.offset), field.kind, field.label, field.sure);
    }
    switch (plan->shape) {
        case Shape::PLAIN: break;
        case Shape::DICT: name_dict(*this, object); break;
        case Shape::ORDERED_DICT: name_ordered_dict(*this, object); break;
        case Shape::LIST:
            name_items(*this, load<const Object* const*>(object, L->list_items),
                       static_cast<const VarObject*>(object)->size);
            break;
        case Shape::TUPLE:
            name_items(*this,
                       reinterpret_cast<const Object* const*>(reinterpret_cast<const char*>(object) + L->tuple_items),
                       static_cast<const VarObject*>(object)->size);
            break;
        case Shape::SET: name_set(*this, object); break;
        case Shape::DEQUE: name_deque(*this, object); break;
        case Shape::TYPE: name_type(*this, object); break;
        case Shape::MODULE: name_module(*this, object); break;
        case Shape::FUNCTION: name_function(*this, object); break;
        case Shape::CODE: name_code(*this, object); break;
        case Shape::FRAME: name_frame_object(*this, object); break;
        case Shape::GENERATOR: name_generator(*this, object, plan); break;
        case Shape::WEAKREF: name_weakref(*this, object); break;
        case Shape::HAMT_BITMAP:
        case Shape::HAMT_ARRAY:
        case Shape::HAMT_COLLISION: name_hamt(*this, object, plan->shape); break;
        case Shape::LRU_CACHE: name_lru_cache(*this, object); break;
        case Shape::EXCEPTION: break;
        case Shape::STRING_IO: name_string_io(*this, object); break;
        case Shape::OBJECT_ARRAY: name_object_array(*this, object); break;
        case Shape::BUILTIN: name_builtin(*this, object); break;
        case Shape::METHOD_WRAPPER: name_method_wrapper(*this, object); break;
        case Shape::DESCRIPTOR: name_descriptor(*this, object); break;
    }
    name_instance(*this, object, plan);
    if (staging_) check(object, plan);
}

void Walk::process(const Object* object) {
    TypePlan* plan = plan_of(object->type);
    row_plan_ = plan;
    row_type_ = plan->row;
    const std::uint64_t count = refcount(object);
    row_refcount_ = count < format::kImmortal ? static_cast<std::uint32_t>(count) : format::kImmortal;
    if ((object->type->flags & tpflag::HAVE_GC) && has_gc_head(object) && is_tracked(object))
        current_flags_ |= format::TRACKED;
    if (object->type->finalize || object->type->del) current_flags_ |= format::FINALIZER;
    if (object->type->flags & tpflag::TYPE) {
        current_flags_ |= format::IS_TYPE;
        // Static types live as long as their library, whatever their count says.
        if (!(reinterpret_cast<const TypeObject*>(object)->flags & tpflag::HEAP)) row_refcount_ = format::kImmortal;
    }
    if (plan->own) current_flags_ |= format::OWN;
    if (plan->waited_bits && (load<std::uint8_t>(object, L->lock_state) & plan->waited_bits) == plan->waited_bits)
        current_flags_ |= format::WAITED_FOR;
    if (plan->opaque && !is_tight_) opaque_.push(current_);
    row_size_ = shallow_size(object, plan);
    row_blocks_ = block_bytes(object, plan, row_size_);
    if (object == interned) return;
    if (is_shallow_) current_flags_ |= format::UNREADABLE;
    send(object->type, format::TYPE | (object->type->flags & tpflag::HEAP ? 0 : format::kBorrowed), 0);
    if (is_shallow_) return;
    name_references(object, plan);
    if (hashes_texts_ && object->type->flags & (tpflag::STR | tpflag::BYTES))
        texts_.add(current_, object, input->text_key);
}

void Walk::process_frame(const void* frame) {
    row_type_ = frame_row_;
    current_flags_ |= format::SYNTHETIC;
    name_frame(*this, static_cast<const char*>(frame), true, nullptr);
}

void Walk::finish_row() {
    if (row_plan_) {
        row_plan_->count++;
        row_plan_->bytes += row_size_;
        block_bytes_ += row_blocks_;
    }
    if (census_) return;
    const void* address = current_address_;
    std::uint16_t birth = format::kBirthUnknown;
    const void* block = address;
    if (row_plan_) {
        const auto object = static_cast<const Object*>(address);
        const bool gc = has_gc_head(object);
        block = static_cast<const char*>(address) - header_bytes(object->type, gc);
    }
    if (births::armed() && row_plan_ && !(input->flags & kFlagUndated)) birth = births::run_of(block);
    if (input->interval_of && birth < 256) birth = input->interval_of[birth];
    if (birth == format::kBirthOwn) current_flags_ |= format::OWN;
    writer.u64(OBJ_ADDR, reinterpret_cast<std::uintptr_t>(address));
    writer.u32(OBJ_TYPE, row_type_);
    const bool big = row_size_ >= format::kBigSize;
    writer.u32(OBJ_SIZE, big ? format::kBigSize : static_cast<std::uint32_t>(row_size_));
    if (big) {
        writer.u32(BIG_OBJ, current_);
        writer.u64(BIG_SIZE, row_size_);
    }
    writer.u32(OBJ_REFCOUNT, row_refcount_);
    writer.u16(OBJ_BIRTH, birth);
    writer.u8(OBJ_FLAGS, current_flags_);
    writer.u32(OBJ_REFS, current_refs_);
    if (births::sites_armed()) writer.u32(OBJ_SITE, row_plan_ ? births::site_of(block) : 0);
    if (births::works_armed()) writer.u16(OBJ_WORK, row_plan_ ? births::work_of(block) : 0);
}

void Walk::process_row(std::uint32_t id, const void* address, bool is_frame) {
    current_ = id;
    current_address_ = address;
    for (;;) {
        if (bare_) sent_ -= current_refs_;  // the type, still in the ring
        current_refs_ = 0;
        current_flags_ = extra_flags_;
        row_plan_ = nullptr;
        row_type_ = unreadable_row_;
        row_size_ = row_blocks_ = 0;
        row_refcount_ = format::kImmortal;
        // An unreadable object must not end the snapshot: the handler of SIGSEGV comes back here.
        if (sigsetjmp(fault_return, 0) == 0) {
            fault_armed = 1;
            if (is_frame)
                process_frame(address);
            else
                process(static_cast<const Object*>(address));
            fault_armed = 0;
        } else {
            fault_armed = 0;
            strings.recover();
            if (!bare_ && row_plan_ && row_plan_->checked && current_refs_ <= 1) {
                bare_ = true;
                continue;
            }
            current_flags_ |= format::UNREADABLE;
            row_plan_ = nullptr;
            if (!unreadable_++) warn("some objects could not be read: their references are missing");
        }
        break;
    }
    bare_ = false;
    finish_row();
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

bool Walk::is_known_type(const TypeObject* type) const {
    std::size_t at = ((reinterpret_cast<std::uintptr_t>(type) >> 4) * 0x9E3779B97F4A7C15ull >> 40) & plan_mask_;
    for (; plan_slots_[at]; at = (at + 1) & plan_mask_)
        if (plan_slots_[at]->type == type) return true;
    return false;
}

TypePlan* Walk::plan_of(const TypeObject* type) {
    if (last_plan_ && last_plan_->type == type) return last_plan_;
    std::size_t at = (reinterpret_cast<std::uintptr_t>(type) >> 4) * 0x9E3779B97F4A7C15ull >> 40;
    for (at &= plan_mask_; plan_slots_[at]; at = (at + 1) & plan_mask_)
        if (plan_slots_[at]->type == type) return last_plan_ = plan_slots_[at];
    TypePlan* plan = build_plan(type);
    return last_plan_ = plan;
}

TypePlan* Walk::build_plan(const TypeObject* type) {
    TypePlan* plan = arena.make<TypePlan>();
    *plan = TypePlan{};
    plan->type = type;
    fill_plan(*this, plan);
    plan->row = static_cast<std::uint32_t>(plans_.size());
    plans_.push(plan);
    if (plans_.size() * 2 > plan_mask_) {
        plan_mask_ = plan_mask_ * 2 + 1;
        plan_slots_ = static_cast<TypePlan**>(map_bytes((plan_mask_ + 1) * sizeof(TypePlan*)));
        for (TypePlan* old : plans_)
            if (old != plan) insert_plan(old);
    }
    insert_plan(plan);
    return plan;
}

void Walk::insert_plan(TypePlan* plan) {
    if (!plan->type) return;
    std::size_t at = ((reinterpret_cast<std::uintptr_t>(plan->type) >> 4) * 0x9E3779B97F4A7C15ull >> 40) & plan_mask_;
    while (plan_slots_[at]) at = (at + 1) & plan_mask_;
    plan_slots_[at] = plan;
}

std::uint32_t Walk::synthetic_type(const char* name) {
    TypePlan* plan = arena.make<TypePlan>();
    *plan = TypePlan{};
    plan->name = strings.of(name);
    plan->row = static_cast<std::uint32_t>(plans_.size());
    plans_.push(plan);
    return plan->row;
}

void Walk::write_sites() {
    if (!births::sites_armed()) return;
    for (std::uint32_t i = 0; i < sites::rows(); i++) {
        const sites::Row row = sites::row(i);
        const sites::Text file = sites::text(row.file), function = sites::text(row.function);
        writer.u32(SITE_FILE, strings.of(file.utf8, file.bytes));
        writer.u32(SITE_LINE, row.line);
        writer.u32(SITE_FUNC, strings.of(function.utf8, function.bytes));
    }
    if (sites::lost()) warn("the table of allocation sites was full: some sites are unknown");
}

void Walk::write_works() {
    const works::Table* const table = works::recorded();
    if (!births::works_armed() || !table) return;
    const bool is_folded = table->row[works::kFolded].begun != 0;
    // Rows are numbered as they are written, also those between the last and the one for all others.
    const std::size_t rows = is_folded ? works::kRows : table->rows;
    for (std::size_t i = 0; i < rows; i++) {
        const works::Row& row = table->row[i];
        writer.u32(WORK_NAME, strings.of(row.name, row.bytes));
        writer.u64(WORK_BEGUN, row.begun);
    }
    if (is_folded) warn("more than 65 000 works were named: all others are counted as one");
}

// The order is that of docs/format.md.
void Walk::write_memory() {
    for (const std::uint64_t figure :
         {block_bytes_, pools_.used, pools_.resident, pools_.pools, shadow::resident_bytes()})
        writer.u64(MEMORY, figure);
}

void Walk::write_texts() {
    Array<std::uint32_t> often;
    texts_.write(writer, input->flags & kFlagValues ? &often : nullptr);
    guarded("the values of texts could not all be read", [&] {
        for (const std::uint32_t id : often) {
            const auto object = static_cast<const Object*>(nodes.address(id));
            const std::uint32_t said = strings.value(object);
            if (!said) continue;
            writer.u32(VALUE_OBJ, id);
            writer.u32(VALUE_STR, said);
        }
    });
}

void Walk::write_tables() {
    write_sites();
    write_works();
    write_memory();
    write_texts();
    for (TypePlan* plan : plans_) {
        std::uint8_t flags = 0;
        if (!plan->type) {
            flags = format::TYPE_SYNTHETIC;
        } else {
            if (plan->type->flags & tpflag::HEAP) flags |= format::TYPE_HEAP;
            if (plan->type->flags & tpflag::HAVE_GC) flags |= format::TYPE_COLLECTED;
            if (plan->type->finalize || plan->type->del) flags |= format::TYPE_FINALIZER;
        }
        std::uint32_t object = plan->type ? nodes.find(plan->type) : format::kNoObject;
        if (census_) object = format::kNoObject;
        writer.u32(TYPE_OBJ, object);
        writer.u32(TYPE_MODULE, plan->module);
        writer.u32(TYPE_NAME, plan->name);
        writer.u8(TYPE_FLAGS, flags);
        if (census_) {
            writer.u64(CENSUS_COUNT, plan->count);
            writer.u64(CENSUS_BYTES, plan->bytes);
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

void Walk::write_stray() {
    current_refs_ = 0;
    current_flags_ = format::UNREADABLE;
    row_plan_ = nullptr;
    row_type_ = unreadable_row_;
    row_size_ = row_blocks_ = 0;
    row_refcount_ = format::kImmortal;
    current_address_ = this;
    finish_row();
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
