// References of what runs: functions, code, frames, generators, modules and types.
#include "cpython/module_types.h"
#include "walk/code.h"
#include "walk/containers.h"

namespace record {
namespace {

struct Slot {
    Walk& walk;
    const void* base;
    void operator()(int offset, const char* label, std::uint8_t kind = format::SLOT, bool sure = true) const {
        if (offset >= 0) walk.emit(object_at(base, offset), kind, walk.strings.of(label), sure);
    }
};

// 3.14+ tags the words of a frame: 1 = does not own a count, 3 = a small int that is no object.
constexpr std::uintptr_t kTagBits = 3, kTagBorrowed = 1;

const char* instructions(const Object* code) { return reinterpret_cast<const char*>(code) + L->code_adaptive; }

bool is_code(const Object* object) { return object && object->type->name && !std::strcmp(object->type->name, "code"); }

Object* untag(Object* word) { return reinterpret_cast<Object*>(reinterpret_cast<std::uintptr_t>(word) & ~kTagBits); }

// A word of a frame: 3.14+ says in its tag whether it owns a count.
void emit_tagged(Walk& walk, const char* frame, int offset, std::uint8_t kind, std::uint32_t label) {
    const auto word = load<std::uintptr_t>(frame, offset);
    const std::uintptr_t tag = L->minor >= 14 ? word & kTagBits : 0;
    if (tag > kTagBorrowed) return;
    walk.emit(reinterpret_cast<const void*>(word & ~kTagBits), kind | (tag ? format::kBorrowed : 0), label, true);
}
void emit_tagged(Walk& walk, const char* frame, int offset, std::uint8_t kind, const char* label) {
    emit_tagged(walk, frame, offset, kind, walk.strings.of(label));
}

bool is_suspended_in_await(const char* frame, std::int8_t state) {
    if (L->minor >= 13) return state == L->state_executing - (L->minor == 15 ? 2 : 1) || (L->minor >= 15 && state == 3);
    // 3.11, 3.12: the next instruction is the RESUME that follows a yield from (2) or an await (3).
    const char* next = load<const char*>(frame, L->frame_instr) + 2;
    return (load<std::uint8_t>(next, 1) & 3) >= 2;
}

}  // namespace

Object* frame_code(const char* frame) {
    // Frames of the C stack only link; in 3.12 they have a code object, and fields that were never set.
    if (load<std::int8_t>(frame, L->frame_owner) > L->owner_frame_object) return nullptr;
    Object* code = untag(object_at(frame, L->frame_code));
    return is_code(code) ? code : nullptr;
}

// PEP 626 line table: one entry for each run of instructions, the high bit marks its first byte.
std::int64_t frame_line(const char* frame, const Object* code) {
    const Object* table = object_at(code, L->code_linetable);
    if (!table || !(table->type->flags & tpflag::BYTES)) return 0;
    const auto* at = reinterpret_cast<const unsigned char*>(table) + kBytesText;
    const auto* end = at + static_cast<const VarObject*>(table)->size;
    std::int64_t line = load<std::int32_t>(code, L->code_firstlineno);
    const std::int64_t wanted = load<const char*>(frame, L->frame_instr) - instructions(code);
    if (wanted < 0) return line;
    for (std::int64_t address = 0; at < end;) {
        const unsigned head = *at++;
        const unsigned kind = (head >> 3) & 15;
        if (kind == 13 || kind == 14) {
            std::uint64_t value = 0;
            for (int shift = 0; at < end; shift += 6) {
                const unsigned part = *at++;
                value |= static_cast<std::uint64_t>(part & 63) << (shift < 60 ? shift : 60);
                if (!(part & 64)) break;
            }
            line += value & 1 ? -static_cast<std::int64_t>(value >> 1) : static_cast<std::int64_t>(value >> 1);
        } else if (kind >= 10 && kind <= 12) {
            line += kind - 10;
        }
        address += ((head & 7) + 1) * 2;
        if (wanted < address) return kind == 15 ? 0 : line;
        while (at < end && !(*at & 0x80)) at++;
    }
    return line;
}

void name_frame(Walk& walk, const char* frame, bool running, const char* await_label) {
    const Object* code = frame_code(frame);
    if (!code) return;
    const Slot slot{walk, frame};
    if (running) {
        walk.name(walk.strings.whole(object_at(code, L->code_qualname)));
        const char* back = load<const char*>(frame, L->frame_previous);
        while (back && !frame_code(back)) back = load<const char*>(back, L->frame_previous);
        if (back && walk.is_running(back)) walk.emit(back, format::FRAME, walk.strings.of("f_back"), true);
    }
    walk.locate(walk.strings.whole(object_at(code, L->code_filename)), frame_line(frame, code));
    walk.own_if_of(code);
    const std::uint8_t part = running ? format::FRAME : format::SLOT;
    emit_tagged(walk, frame, L->frame_code, part, "f_code");
    emit_tagged(walk, frame, L->frame_function, part, "f_func");
    slot(L->frame_locals, "f_locals", part);
    slot(L->frame_object, "frame object", part);
    const auto names = object_at(code, L->code_localsplusnames);
    const std::int64_t locals = load<std::int32_t>(code, L->code_nlocalsplus);
    std::int64_t depth = locals;
    bool exact = true;
    if (L->minor >= 14) {
        const auto top = load<const char*>(frame, L->frame_stackpointer);
        if (top)
            depth = (top - frame - L->frame_localsplus) / 8;
        else
            exact = false;
    } else {
        const auto top = load<std::int32_t>(frame, L->frame_stacktop);
        if (top >= 0)
            depth = top;
        else
            exact = false;
    }
    const std::int64_t limit = locals + load<std::int32_t>(code, L->code_stacksize);
    if (depth > limit) depth = limit;
    const bool waits = await_label && exact && depth > locals && is_suspended_in_await(frame, walk.generator_state);
    // 3.15 keeps an index word above the iterator it waits for.
    const std::int64_t awaited = depth - (L->minor >= 15 ? 2 : 1);
    for (std::int64_t i = 0; i < depth; i++) {
        const int offset = L->frame_localsplus + static_cast<int>(i * 8);
        if (i < locals)
            emit_tagged(walk, frame, offset, format::LOCAL,
                        walk.strings.label(object_at(names, L->tuple_items + i * 8)));
        else if (waits && i == awaited)
            emit_tagged(walk, frame, offset, format::AWAIT, await_label);
        else
            emit_tagged(walk, frame, offset, format::STACK, static_cast<std::uint32_t>(i - locals));
    }
    if (exact || !running) return;
    // The depth lives in a register of the interpreter: a word above the locals is taken for a
    // reference only when it is an object the walk met with a count nothing else explains.
    for (std::int64_t i = locals; i < limit; i++) {
        const int offset = L->frame_localsplus + static_cast<int>(i * 8);
        const auto word = load<std::uintptr_t>(frame, offset);
        if (L->minor >= 14 && (word & kTagBits)) continue;
        walk.emit_if_unexplained(reinterpret_cast<const Object*>(word), format::STACK,
                                 static_cast<std::uint32_t>(i - locals));
    }
}

void name_generator(Walk& walk, const Object* generator, const TypePlan* plan) {
    const auto state = load<std::int8_t>(generator, L->gen_frame_state);
    walk.name(walk.strings.whole(object_at(generator, L->gen_qualname)));
    const char* frame = reinterpret_cast<const char*>(generator) + L->gen_frame;
    if (state >= L->state_cleared) {
        // 3.12+: a finished frame keeps its code alone.
        if (L->gen_code < 0 && frame_code(frame)) emit_tagged(walk, frame, L->frame_code, format::SLOT, "f_code");
        return;
    }
    if (walk.is_running(frame)) return;  // its thread's frame owns what is in it
    walk.generator_state = state;
    name_frame(walk, frame, false, state == L->state_created ? nullptr : plan->await_label);
}

void name_frame_object(Walk& walk, const Object* frame_object) {
    const Slot slot{walk, frame_object};
    slot(L->frameobj_back, "f_back", format::SLOT, false);
    slot(L->frameobj_trace, "f_trace");
    slot(L->frameobj_extra_locals, "f_extra_locals");
    slot(L->frameobj_locals_cache, "f_locals_cache");
    slot(L->frameobj_overwritten, "f_overwritten_fast_locals");
    const char* frame = load<const char*>(frame_object, L->frameobj_frame);
    if (!frame) return;
    const Object* code = frame_code(frame);
    if (code) walk.name(walk.strings.whole(object_at(code, L->code_qualname)));
    if (load<std::int8_t>(frame, L->frame_owner) == L->owner_frame_object) {
        name_frame(walk, frame, false, nullptr);
    } else if (code) {
        walk.locate(walk.strings.whole(object_at(code, L->code_filename)), frame_line(frame, code));
        walk.own_if_of(code);
    }
}

void name_function(Walk& walk, const Object* function) {
    walk.name(walk.strings.whole(object_at(function, L->func_qualname)));
    const Object* code = object_at(function, L->func_code);
    if (code) walk.own_if_of(code);
    // Say which variable a cell is, where a function that closes over it is met first.
    const Object* closure = object_at(function, L->func_closure);
    if (!closure || !code) return;
    const std::int64_t free_count = static_cast<const VarObject*>(closure)->size;
    const Object* names = object_at(code, L->code_localsplusnames);
    const std::int64_t first = load<std::int32_t>(code, L->code_nlocalsplus) - free_count;
    for (std::int64_t i = 0; i < free_count && first >= 0; i++)
        walk.name_cell(object_at(closure, L->tuple_items + i * 8), object_at(names, L->tuple_items + (first + i) * 8));
}

void name_builtin(Walk& walk, const Object* function) {
    // PyMethodDef begins with the name; it belongs to the extension and outlives its functions.
    const char* const* definition = load<const char* const*>(function, c_function::DEFINITION);
    const Object* self = object_at(function, c_function::SELF);
    if (!definition || !*definition) return;
    const TypeObject* owner = nullptr;
    if (self && self->type->flags & tpflag::TYPE)
        owner = reinterpret_cast<const TypeObject*>(self);  // `dict.fromkeys`
    else if (self && std::strcmp(self->type->name, "module"))
        owner = self->type;
    walk.name_bound(owner, *definition, *definition, std::strlen(*definition));
}

void name_method_wrapper(Walk& walk, const Object* wrapper) {
    const Object *descriptor = object_at(wrapper, method_wrapper::DESCRIPTOR),
                 *self = object_at(wrapper, method_wrapper::SELF);
    if (!descriptor || !self) return;
    const Object* name = object_at(descriptor, descriptor::NAME);
    const Text text = text_of(name);
    if (text.kind == 1) walk.name_bound(self->type, name, text.data, text.length);
}

void name_descriptor(Walk& walk, const Object* descriptor) {
    walk.name(walk.strings.whole(object_at(descriptor, descriptor::NAME)));
}

void name_code(Walk& walk, const Object* code) {
    walk.name(walk.strings.whole(object_at(code, L->code_qualname)));
    walk.locate(walk.strings.whole(object_at(code, L->code_filename)), load<std::int32_t>(code, L->code_firstlineno));
    walk.own_if_of(code);
    if (L->code_cached < 0) return;
    const char* cached = load<const char*>(code, L->code_cached);
    static constexpr const char* kNames[] = {"_co_code", "_co_varnames", "_co_cellvars", "_co_freevars"};
    for (int i = 0; cached && i < 4; i++)
        walk.emit(object_at(cached, i * 8), format::SLOT, walk.strings.of(kNames[i]), true);
}

void name_module(Walk& walk, const Object* module) {
    const Slot slot{walk, module};
    slot(L->module_name, "__name__");
    const Object* name = object_at(module, L->module_name);
    if (!is_str(name)) name = dict_value(object_at(module, L->module_dict), "__name__");
    walk.name(walk.strings.whole(name));
    const Object* file = dict_value(object_at(module, L->module_dict), "__file__");
    if (is_str(file)) walk.locate(walk.strings.whole(file), 1);
    if (text_equals(name, "leakscan") || text_starts_with(name, "leakscan.", 9)) walk.own();
}

void name_type(Walk& walk, const Object* object) {
    const auto type = static_cast<const TypeObject*>(static_cast<const void*>(object));
    TypePlan* plan = walk.plan_of(type);
    walk.name(plan->name);
    if (plan->own) walk.own();
    const auto machinery = [&](const void* target, const char* label) {
        walk.emit(target, format::MACHINERY, walk.strings.of(label), true);
    };
    const bool heap = type->flags & tpflag::HEAP;
    if (!heap) walk.root(format::STATIC_TYPE, plan->name, object, format::ROOT_BORROWED);
    machinery(type->mro, "__mro__");
    machinery(type->bases, "__bases__");
    machinery(type->cache, "tp_cache");
    const Object *dict = type->dict, *subclasses = type->subclasses;
    if (!heap && (type->flags & tpflag::STATIC_BUILTIN) && L->minor >= 12)
        walk.static_type_state(type, &dict, &subclasses);
    walk.emit(dict, format::DICT, 0, true);
    machinery(subclasses, "__subclasses__");
    if (!heap) {
        walk.emit(type->base, format::MACHINERY | format::kBorrowed, walk.strings.of("__base__"), true);
        return;
    }
    machinery(type->base, "__base__");
    const Slot slot{walk, type};
    slot(L->heap_type_name, "__name__");
    slot(L->heap_type_qualname, "__qualname__");
    slot(L->heap_type_slots, "__slots__");
    slot(L->heap_type_module, "module", format::MACHINERY);
    name_shared_keys(walk, object);
}

void name_weakref(Walk& walk, const Object* weakref) {
    const Object* target = object_at(weakref, weak_reference::OBJECT);
    if (target && target != reinterpret_cast<const Object*>(Py_None))  // None: it is dead
        walk.emit(target, format::WEAK | format::kBorrowed, 0, true);
}

}  // namespace record
