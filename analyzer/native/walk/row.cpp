// One object becomes one row: its type, size and counts, and its references with their names.
#include "births/births.h"
#include "walk/code.h"
#include "walk/containers.h"
#include "walk/sizes.h"
#include "walk/snapshot.h"
#include "walk/walk.h"

#include <algorithm>

namespace record {

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

}  // namespace record
