// What is known of each type before its first instance is read: shape, fields, names.
#include "cpython/known_types.h"
#include "cpython/module_types.h"
#include "walk/code.h"
#include "walk/containers.h"
#include "walk/plan.h"
#include "walk/sizes.h"
#include "walk/walk.h"

#include <dlfcn.h>

#include <cstdio>

namespace record {

const TypeObject* frozen_dict_type = nullptr;

namespace {

bool named(const TypeObject* type, const char* name) { return !std::strcmp(type->name, name); }

bool is_python_class(const TypeObject* type) {
    return (type->flags & tpflag::HEAP) && subtype_traverse && type->traverse == subtype_traverse;
}

// The nearest base whose memory is laid out by C.
const TypeObject* solid_base(const TypeObject* type) {
    while (is_python_class(type) && type->base) type = type->base;
    return type;
}

struct KnownShape {
    const char* name;  // tp_name, or the exported symbol of one of CPython's own types
    Shape shape;
    bool trusted;  // the namer is complete: tp_traverse need not be asked
    bool symbol;
};
constexpr KnownShape kShapes[] = {
    {"PyDict_Type", Shape::DICT, true, true},
    {"PyFrozenDict_Type", Shape::DICT, true, true},  // 3.15+
    {"PyList_Type", Shape::LIST, true, true},
    {"PyTuple_Type", Shape::TUPLE, true, true},
    {"PySet_Type", Shape::SET, true, true},
    {"PyFrozenSet_Type", Shape::SET, true, true},
    {"PyBaseObject_Type", Shape::PLAIN, true, true},
    {"PyFunction_Type", Shape::FUNCTION, true, true},
    {"PyCell_Type", Shape::PLAIN, true, true},
    {"PyMethod_Type", Shape::PLAIN, true, true},
    {"PyUnicode_Type", Shape::PLAIN, true, true},
    {"PyLong_Type", Shape::PLAIN, true, true},
    {"PyFloat_Type", Shape::PLAIN, true, true},
    {"PyBytes_Type", Shape::PLAIN, true, true},
    {"PyODict_Type", Shape::ORDERED_DICT, true, true},
    {"PyType_Type", Shape::TYPE, false, true},
    {"PyModule_Type", Shape::MODULE, false, true},
    {"PyCode_Type", Shape::CODE, true, true},
    {"PyFrame_Type", Shape::FRAME, false, true},
    {"PyGen_Type", Shape::GENERATOR, false, true},
    {"PyCoro_Type", Shape::GENERATOR, false, true},
    {"PyAsyncGen_Type", Shape::GENERATOR, false, true},
    {"_PyWeakref_RefType", Shape::WEAKREF, false, true},
    {"_PyWeakref_ProxyType", Shape::WEAKREF, false, true},
    {"_PyWeakref_CallableProxyType", Shape::WEAKREF, false, true},
    {"PyCFunction_Type", Shape::BUILTIN, false, true},
    {"method-wrapper", Shape::METHOD_WRAPPER, false, false},
    {"PyMethodDescr_Type", Shape::DESCRIPTOR, false, true},
    {"PyClassMethodDescr_Type", Shape::DESCRIPTOR, false, true},
    {"PyWrapperDescr_Type", Shape::DESCRIPTOR, false, true},
    {"PyGetSetDescr_Type", Shape::DESCRIPTOR, false, true},
    {"PyMemberDescr_Type", Shape::DESCRIPTOR, false, true},
    {"collections.deque", Shape::DEQUE, true, false},
    {"collections.defaultdict", Shape::DICT, true, false},
    {"numpy.ndarray", Shape::OBJECT_ARRAY, true, false},
    {"_io.StringIO", Shape::STRING_IO, false, false},
    {"hamt_bitmap_node", Shape::HAMT_BITMAP, false, false},
    {"hamt_array_node", Shape::HAMT_ARRAY, false, false},
    {"hamt_collision_node", Shape::HAMT_COLLISION, false, false},
    {"functools._lru_cache_wrapper", Shape::LRU_CACHE, false, false},
};
constexpr std::size_t kShapeCount = sizeof(kShapes) / sizeof(kShapes[0]);
const void* addresses[kShapeCount];

// Whether naming needs no check: CPython's own type, or Python classes over it, which only add slots
// and a dict. A C subclass may hold anything.
bool shape_of(const TypeObject* solid, TypePlan* plan) {
    for (const TypeObject* base = solid; base; base = base->base)
        for (std::size_t i = 0; i < kShapeCount; i++) {
            const KnownShape& known = kShapes[i];
            if (known.symbol ? base != addresses[i] : !named(base, known.name)) continue;  // null: no such type
            plan->shape = known.shape;
            return known.trusted && base == solid;
        }
    return false;
}

struct FieldList {
    Field fields[160];
    std::uint32_t count = 0;
    void add(std::int32_t offset, std::uint32_t label, std::uint8_t kind, bool sure) {
        for (std::uint32_t i = 0; i < count; i++)
            if (fields[i].offset == offset) return;  // aliases: the first name wins
        if (count < 160 && offset > 0) fields[count++] = {offset, label, kind, sure};
    }
};

// A heap type's own members lie behind its struct; `tp_members` may have been freed by then.
void add_members(Walk& walk, const TypeObject* type, TypePlan* plan, FieldList& list) {
    const MemberDef* member = type->members;
    std::int64_t count = 1024;
    const bool own_class = is_python_class(type);
    if (own_class) {
        count = type->size;
        member = reinterpret_cast<const MemberDef*>(reinterpret_cast<const char*>(type) + type->type->basicsize);
    }
    if (!member || count <= 0) return;
    for (std::int64_t i = 0; i < count && member[i].name; i++) {
        if (member[i].type != kMemberObject && member[i].type != kMemberObjectEx) continue;
        if (L->minor >= 12 && (member[i].flags & kMemberRelative)) continue;
        const auto offset = static_cast<std::int32_t>(member[i].offset);
        if (own_class && is_bound_text(member[i].name)) plan->bound_offset = offset;
        list.add(offset, walk.strings.of(member[i].name), format::SLOT, own_class);
    }
}

void add_known_fields(Walk& walk, const TypeObject* type, FieldList& list) {
    for (const KnownField& known : kKnownFields) {
        if (L->minor < known.first_minor || L->minor > known.last_minor || !named(type, known.type)) continue;
        list.add(known.offset, walk.strings.of(known.label), known.kind, false);
    }
}

void add_layout_fields(Walk& walk, const TypePlan* plan, FieldList& list) {
    const Shape shape = plan->shape;
    const auto slot = [&](int offset, const char* label) {
        list.add(offset, walk.strings.of(label), format::SLOT, true);
    };
    if (shape == Shape::FUNCTION) {
        slot(L->func_code, "__code__");
        slot(L->func_closure, "__closure__");
        slot(L->func_defaults, "__defaults__");
        slot(L->func_kwdefaults, "__kwdefaults__");
        slot(L->func_globals, "__globals__");
        slot(L->func_builtins, "__builtins__");
        slot(L->func_name, "__name__");
        slot(L->func_qualname, "__qualname__");
        slot(L->func_module, "__module__");
        slot(L->func_doc, "__doc__");
        slot(L->func_annotations, "__annotations__");
        slot(L->func_annotate, "__annotate__");
        slot(L->func_typeparams, "__type_params__");
    } else if (shape == Shape::CODE) {
        slot(L->code_consts, "co_consts");
        slot(L->code_names, "co_names");
        slot(L->code_exceptiontable, "co_exceptiontable");
        slot(L->code_localsplusnames, "co_varnames");
        slot(L->code_localspluskinds, "co_localspluskinds");
        slot(L->code_filename, "co_filename");
        slot(L->code_name, "co_name");
        slot(L->code_qualname, "co_qualname");
        slot(L->code_linetable, "co_linetable");
        slot(L->code_bytes, "co_code");
    } else if (shape == Shape::GENERATOR) {
        slot(L->gen_name, "__name__");
        slot(L->gen_qualname, "__qualname__");
        slot(L->gen_code, "gi_code");
        // Plain generators leave this word uninitialised.
        if (plan->await_label[0] != 'g')
            slot(L->gen_origin_or_finalizer, plan->await_label[0] == 'a' ? "finalizer" : "cr_origin");
        slot(L->gen_exc_value, "handled exception");
    } else if (shape == Shape::WEAKREF) {
        slot(weak_reference::CALLBACK, "__callback__");
    } else if (shape == Shape::EXCEPTION) {
        slot(base_exception::ARGS, "args");
        slot(base_exception::NOTES, "__notes__");
        slot(base_exception::TRACEBACK, "__traceback__");
        slot(base_exception::CONTEXT, "__context__");
        slot(base_exception::CAUSE, "__cause__");
    }
}

bool is_own_module(const Object* module) {
    return text_equals(module, "leakscan") || text_starts_with(module, "leakscan.", 9);
}

void name_plan(Walk& walk, TypePlan* plan) {
    const TypeObject* type = plan->type;
    if (type->flags & tpflag::HEAP) {
        plan->name = walk.strings.whole(object_at(type, L->heap_type_qualname));
        const Object* module = type->dict ? dict_value(type->dict, "__module__") : nullptr;
        plan->module = walk.strings.whole(module);
        plan->own = is_own_module(module);
    }
    const char* dot = std::strrchr(type->name, '.');
    if (!plan->name) plan->name = walk.strings.of(dot ? dot + 1 : type->name);
    if (!plan->module)
        plan->module =
            dot ? walk.strings.of(type->name, static_cast<std::size_t>(dot - type->name)) : walk.strings.of("builtins");
    char bracketed[130];
    const int length = std::snprintf(bracketed, sizeof(bracketed), "<%.120s>", dot ? dot + 1 : type->name);
    plan->bracketed = walk.strings.fresh(bracketed, static_cast<std::size_t>(length));
}

}  // namespace

void resolve_types() {
    for (std::size_t i = 0; i < kShapeCount; i++)
        if (kShapes[i].symbol) addresses[i] = dlsym(RTLD_DEFAULT, kShapes[i].name);
    frozen_dict_type = static_cast<const TypeObject*>(dlsym(RTLD_DEFAULT, "PyFrozenDict_Type"));
}

void fill_plan(Walk& walk, TypePlan* plan) {
    const TypeObject* type = plan->type;
    const bool muted = walk.strings.mute(false);
    name_plan(walk, plan);
    walk.strings.mute(muted);
    plan->python_class = is_python_class(type);
    const TypeObject* solid = solid_base(type);
    bool trusted = shape_of(solid, plan);
    // Without their layout they are what tp_traverse says they are.
    if (!layout_knows_frames() && (plan->shape == Shape::FRAME || plan->shape == Shape::GENERATOR))
        plan->shape = Shape::PLAIN, trusted = false;
    if (type->flags & tpflag::TYPE) plan->shape = Shape::TYPE, trusted = false;
    if (type->flags & tpflag::EXCEPTION) plan->shape = Shape::EXCEPTION, trusted = false;
    plan->await_label = named(solid, "coroutine")         ? "cr_await"
                        : named(solid, "async_generator") ? "ag_await"
                                                          : "gi_yieldfrom";
    plan->waited_bits = 0;
    if (L->lock_state >= 0) {
        const bool is_lock = named(type, "_thread.lock") || named(type, "_thread.RLock");
        plan->waited_bits = is_lock ? kHeldAndWaited : named(type, "_queue.SimpleQueue") ? kHasThreadsWaiting : 0;
    }
    plan->managed_dict = type->flags & tpflag::MANAGED_DICT;
    plan->inline_values = L->minor >= 13 && (type->flags & tpflag::INLINE_VALUES);
    plan->checked = !trusted && type->traverse && (type->flags & tpflag::HAVE_GC);
    plan->bound_keys = -1;
    plan->bound_entry = -1;
    constexpr unsigned long kValues = tpflag::STR | tpflag::BYTES | tpflag::INT | tpflag::TYPE;
    plan->opaque = !plan->checked && plan->shape == Shape::PLAIN && !plan->python_class &&
                   !(type->flags & (kValues | tpflag::HAVE_GC)) && type->basicsize > 16;
    FieldList list;
    add_layout_fields(walk, plan, list);
    for (const TypeObject* base = type; base; base = base->base) {
        if (base == solid || !is_python_class(base)) add_known_fields(walk, base, list);
        if (plan->shape == Shape::TYPE && !is_python_class(base)) continue;
        add_members(walk, base, plan, list);
    }
    // A dict kept at an offset is also a member of some C types (`__dict__`): one field only.
    if (!plan->managed_dict && type->dictoffset > 0 && plan->shape != Shape::TYPE)
        for (std::uint32_t i = 0; i < list.count; i++)
            if (list.fields[i].offset == type->dictoffset) list.fields[i--] = list.fields[--list.count];
    plan->fields = walk.arena.make<Field>(list.count);
    plan->field_count = list.count;
    if (list.count) std::memcpy(plan->fields, list.fields, list.count * sizeof(Field));
    plan->sizer = sizer_of(type, plan);
}

bool Walk::is_known_type(const TypeObject* type) const {
    for (std::size_t at = plan_slot(type); plan_slots_[at]; at = (at + 1) & plan_mask_)
        if (plan_slots_[at]->type == type) return true;
    return false;
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
    std::size_t at = plan_slot(plan->type);
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

}  // namespace record
