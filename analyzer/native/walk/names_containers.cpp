// References of the builtin containers.
#include "walk/containers.h"

#include "cpython/module_types.h"

#include <algorithm>

namespace record {
namespace {

struct Label {
    std::uint32_t key, value;
    std::uint8_t value_kind;
};

Label label_of(Walk& walk, const Object* key) {
    if (walk.is_census()) return {0, 0, format::KEY_STR};
    const unsigned long flags = key->type->flags;
    std::int64_t number;
    if (!walk.redacts_keys()) {
        if (flags & tpflag::STR) {
            const std::uint32_t label = walk.strings.label(key);
            return {label, label, format::KEY_STR};
        }
        if ((flags & tpflag::INT) && int_value(key, &number)) {
            const std::uint32_t label = walk.strings.number(number);
            return {label, label, format::KEY_INT};
        }
    }
    const TypePlan* plan = walk.plan_of(key->type);
    return {plan->bracketed, plan->name, format::KEY_OTHER};
}

// The collector ignores the keys of a table of str, but they are owned all the same: `sure`.
void emit_entry(Walk& walk, const Object* key, const Object* value) {
    const Label label = label_of(walk, key);
    walk.emit(key, format::KEY, label.key, true);
    walk.emit(value, label.value_kind, label.value, true);
}

}  // namespace

bool is_dict(const Object* object) {
    return (object->type->flags & tpflag::DICT) || (frozen_dict_type && object->type == frozen_dict_type);
}

void DictItems::read(const void* keys) {
    if (!keys) return;
    const auto kind = load<std::uint8_t>(keys, L->keys_kind);
    const auto index_bytes = std::int64_t{1} << load<std::uint8_t>(keys, L->keys_log2_index_bytes);
    entries = static_cast<const char*>(keys) + L->keys_indices + index_bytes;
    count = load<std::int64_t>(keys, L->keys_nentries);
    const bool general = kind == 0;  // hash, key, value; else str keys only: key, value
    stride = general ? 24 : 16;
    key_at = general ? kKeyBehindHash : 0;
}

DictItems::DictItems(const void* keys, const char* inline_values) : values(inline_values) { read(keys); }

DictItems::DictItems(const Object* dict) {
    if (!is_dict(dict)) return;
    values = load<const char*>(dict, L->dict_values);
    read(load<const void*>(dict, L->dict_keys));
}

void name_dict(Walk& walk, const Object* dict) {
    const DictItems items(dict);
    if (!items.values) {
        for (std::int64_t i = 0; i < items.count; i++)
            if (const Object* value = items.value(i)) emit_entry(walk, items.key(i), value);
        return;
    }
    // 3.13+ may keep the values embedded in the instance: they are read here once there is a dict.
    for (std::int64_t i = 0; i < items.count; i++)
        if (const Object* value = items.value(i)) {
            const Label label = label_of(walk, items.key(i));  // the key belongs to the shared table
            walk.emit(value, label.value_kind, label.value, true);
        }
}

void name_ordered_dict(Walk& walk, const Object* dict) {
    name_dict(walk, dict);
    // struct _odictobject: the list of nodes behind the dict; each node owns its key again.
    std::int64_t left = load<std::int64_t>(dict, L->dict_used) + 1;
    for (const char* node = load<const char*>(dict, behind_dict() + ordered_dict::FIRST); node && left-- > 0;
         node = load<const char*>(node, odict_node::NEXT)) {
        const Object* key = object_at(node, odict_node::KEY);
        walk.emit(key, format::KEY, label_of(walk, key).key, true);
    }
}

void name_items(Walk& walk, const Object* const* items, std::int64_t count) {
    for (std::int64_t i = 0; i < count; i++) walk.emit(items[i], format::INDEX, static_cast<std::uint32_t>(i), true);
}

void name_set(Walk& walk, const Object* set) {
    const char* table = load<const char*>(set, L->set_table);
    const auto last = load<std::int64_t>(set, L->set_mask);
    for (std::int64_t i = 0; i <= last; i++) {
        const Object* key = object_at(table, i * set_entry::BYTES + set_entry::KEY);
        // A removed entry holds the dummy object with hash -1, which no real key has.
        if (key && load<std::int64_t>(table, i * set_entry::BYTES + set_entry::HASH) != -1)
            walk.emit(key, format::MEMBER, 0, true);
    }
}

void name_deque(Walk& walk, const Object* deque) {
    const std::int64_t count = static_cast<const VarObject*>(deque)->size;
    const char* block = load<const char*>(deque, deque_fields::LEFT_BLOCK);
    std::int64_t at = load<std::int64_t>(deque, deque_fields::LEFT_INDEX);
    const auto maxlen = load<std::int64_t>(deque, deque_fields::MAXLEN);
    if (maxlen >= 0) walk.bound(static_cast<std::uint64_t>(maxlen));
    for (std::int64_t i = 0; i < count; i++) {
        walk.emit(object_at(block, deque_fields::BLOCK_DATA + at * 8), format::INDEX, static_cast<std::uint32_t>(i),
                  true);
        if (++at == deque_fields::BLOCK_ITEMS) {
            at = 0;
            block = load<const char*>(block, deque_fields::BLOCK_RIGHT);
        }
    }
}

void name_hamt(Walk& walk, const Object* node, Shape shape) {
    const char* items;
    std::int64_t count;
    if (shape == Shape::HAMT_ARRAY) {
        for (std::uint32_t i = 0; i < 32; i++) walk.emit(object_at(node, hamt::ARRAY_ITEMS + i * 8), format::INDEX, i);
        return;
    }
    items = reinterpret_cast<const char*>(node) + hamt::COLLISION_ITEMS;
    count = static_cast<const VarObject*>(node)->size;
    for (std::int64_t i = 0; i + 1 < count; i += 2) {
        const Object* key = object_at(items, i * 8);
        const Object* value = object_at(items, i * 8 + 8);
        if (!key) {  // a sub-tree
            walk.emit(value, format::INDEX, static_cast<std::uint32_t>(i / 2));
            continue;
        }
        walk.emit(key, format::KEY, walk.strings.label(object_at(key, L->contextvar_name)));
        walk.emit(value, format::CONTEXT, walk.strings.label(object_at(key, L->contextvar_name)), true);
    }
}

// The collector is told of none of it: two lists of parts in 3.11, later a string, since 3.14 behind a pointer.
void name_string_io(Walk& walk, const Object* text) {
    if (load<std::int32_t>(text, io_fields::STRING_STATE) != io_fields::STRING_ACCUMULATES) return;
    const auto slot = [&](const void* target, const char* label) {
        walk.emit(target, format::SLOT, walk.strings.of(label), true);
    };
    if (L->minor == 11) {
        slot(object_at(text, io_fields::STRING_WRITTEN), "joined parts");
        slot(object_at(text, io_fields::STRING_RECENT_311), "parts");
    } else if (L->minor <= 13) {
        slot(object_at(text, io_fields::STRING_WRITTEN), "buffer");
    } else if (const char* writer = load<const char*>(text, io_fields::STRING_WRITTEN)) {
        slot(object_at(writer, 0), "buffer");
    }
}

// numpy's arrays take no part in collection, whatever they hold.
void name_object_array(Walk& walk, const Object* array) {
    namespace np = numpy_array;
    const Object* dtype = object_at(array, np::DESCR);
    walk.emit(object_at(array, np::BASE), format::SLOT, walk.strings.of("base"), true);
    walk.emit(dtype, format::SLOT, walk.strings.of("dtype"), true);
    const auto dimensions = load<std::int32_t>(array, np::DIMENSIONS);
    const auto flags = load<std::int32_t>(array, np::FLAGS);
    if (!dtype || load<std::int32_t>(dtype, numpy_descr::TYPE_NUMBER) != numpy_descr::OBJECTS) return;
    if (!(flags & np::OWNS_DATA) || !(flags & np::CONTIGUOUS)) return;
    if (dimensions < 0 || dimensions > np::MOST_DIMENSIONS) return;
    const char *items = load<const char*>(array, np::DATA), *shape = load<const char*>(array, np::SHAPE);
    std::int64_t count = 1;
    for (int i = 0; i < dimensions; i++) count *= load<std::int64_t>(shape, i * 8);
    for (std::int64_t i = 0; items && i < count; i++)
        walk.emit(object_at(items, i * 8), format::INDEX, static_cast<std::uint32_t>(i), true);
}

void name_lru_cache(Walk& walk, const Object* cache) {
    // struct lru_cache_object: the list head (prev, next, hash, key, result) comes first.
    const auto slot = [&](std::ptrdiff_t offset, const char* label) {
        walk.emit(object_at(cache, offset), format::SLOT, walk.strings.of(label));
    };
    slot(lru_cache::CACHE, "cache");
    slot(lru_cache::FUNCTION, "__wrapped__");
    slot(lru_cache::KWD_MARK, "kwd_mark");
    slot(lru_cache::LINK_TYPE, "link_type");
    slot(lru_cache::CACHE_INFO, "cache_info");
    // The links are borrowed by each other; the cache owns one count of each beside the dict's.
    const char* head = reinterpret_cast<const char*>(cache);
    std::int64_t left = std::int64_t{1} << 40;
    for (const char* link = load<const char*>(head, lru_cache::LINK_NEXT); link && link != head && left-- > 0;
         link = load<const char*>(link, lru_cache::LINK_NEXT))
        walk.emit(link, format::SLOT, walk.strings.of("links"), true);
    const auto maxsize = load<std::int64_t>(cache, lru_cache::MAXSIZE);
    if (maxsize > 0) walk.bound(static_cast<std::uint64_t>(maxsize));
}

Object* dict_value(const Object* dict, const char* name) {
    if (!dict) return nullptr;
    const DictItems items(dict);
    for (std::int64_t i = 0; i < items.count; i++)
        if (const Object* value = items.value(i))
            if (text_equals(items.key(i), name)) return const_cast<Object*>(value);
    return nullptr;
}

// Inline values of an instance: null when it has none.
const char* inline_values(const Object* object) {
    const TypeObject* type = object->type;
    if (L->minor >= 13) {
        if (!(type->flags & tpflag::INLINE_VALUES)) return nullptr;
        const char* values = reinterpret_cast<const char*>(object) + type->basicsize;
        return load<std::uint8_t>(values, dict_values::VALID) ? values : nullptr;
    }
    if (!(type->flags & tpflag::MANAGED_DICT)) return nullptr;
    if (L->minor == 11) return load<const char*>(object, kManagedValues311);
    const auto tagged = load<std::uintptr_t>(object, kManagedDict);
    return tagged & 1 ? reinterpret_cast<const char*>(tagged + 1) : nullptr;
}

Object* dict_of(const Object* object) {
    const TypeObject* type = object->type;
    if (type->flags & tpflag::MANAGED_DICT) {
        const auto word = load<std::uintptr_t>(object, kManagedDict);
        return L->minor == 12 && (word & 1) ? nullptr : reinterpret_cast<Object*>(word);
    }
    std::ptrdiff_t offset = type->dictoffset;
    if (!offset) return nullptr;
    if (offset < 0) {
        std::int64_t items = static_cast<const VarObject*>(object)->size;
        if (L->minor >= 12 && (type->flags & tpflag::INT)) items = load<std::int64_t>(object, kIntTag) >> kIntTagBits;
        if (items < 0) items = -items;
        offset += (type->basicsize + items * type->itemsize + 7) & ~std::int64_t{7};
    }
    return object_at(object, offset);
}

namespace {

// Attributes that by convention say how large a container may grow, without underscores.
constexpr const char* kBounds[] = {"maxsize",   "maxlen",    "maxlength",    "maxentries",
                                   "maxitems",  "maxkeys",   "capacity",     "maxrecords",
                                   "sizelimit", "cachesize", "maxcachesize", "maxsizeinmemory"};
constexpr std::int64_t kLongestBound = 48;

// `get(i)` is the i-th character. Private names count as well: `_maxsize`, and `_Cache__maxsize` of a class Cache.
template <typename Get>
bool is_bound(std::int64_t length, Get get) {
    if (length < 6 || length > kLongestBound) return false;
    std::int64_t begin = 0;
    if (get(0) == '_')
        for (std::int64_t i = 1; i + 2 < length; i++)
            if (get(i) != '_' && get(i + 1) == '_' && get(i + 2) == '_') begin = i + 3;
    for (const char* name : kBounds) {
        std::int64_t i = begin;
        const char* rest = name;
        for (; i < length; i++) {
            const std::uint32_t letter = get(i);
            if (letter == '_') continue;
            if (letter != static_cast<unsigned char>(*rest)) break;  // also when the name is over
            rest++;
        }
        if (i == length && !*rest) return true;
    }
    return false;
}

bool is_bound_name(const Object* key) {
    const Text text = text_of(key);
    return text.data && is_bound(static_cast<std::int64_t>(text.length), [&](std::int64_t i) { return text.at(i); });
}

void say_bound(Walk& walk, const Object* value) {
    std::int64_t size;
    if (value && is_int(value) && int_value(value, &size) && size > 0) walk.bound(static_cast<std::uint64_t>(size));
}

constexpr std::int64_t kMostAttributes = 64;  // no class of containers has more

}  // namespace

bool is_bound_text(const char* name) {
    return is_bound(static_cast<std::int64_t>(std::strlen(name)),
                    [&](std::int64_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(name[i])); });
}

void name_instance(Walk& walk, const Object* object, TypePlan* plan) {
    const TypeObject* type = object->type;
    if (plan->bound_offset) say_bound(walk, object_at(object, plan->bound_offset));
    if (plan->shape == Shape::TYPE || (!type->dictoffset && !plan->managed_dict)) return;
    const Object* dict = dict_of(object);
    walk.emit(dict, format::DICT, 0, true);
    if (dict && plan->python_class && is_dict(dict)) {
        const DictItems attributes(dict);
        for (std::int64_t i = 0; i < attributes.count && attributes.count <= kMostAttributes; i++)
            if (const Object* value = attributes.value(i))
                if (is_int(value) && is_str(attributes.key(i)) && is_bound_name(attributes.key(i)))
                    say_bound(walk, value);
    }
    const char* values = dict ? nullptr : inline_values(object);
    if (!values) return;
    const DictItems items(load<const void*>(type, L->heap_type_cached_keys), values);
    std::int64_t count = items.count;
    if (plan->bound_keys != count) {  // the shared keys grow with the first instances
        plan->bound_keys = count;
        plan->bound_entry = -1;
        for (std::int64_t i = 0; i < count; i++)
            if (is_bound_name(items.key(i))) plan->bound_entry = i;
    }
    if (plan->bound_entry >= 0) say_bound(walk, items.value(plan->bound_entry));
    if (L->minor >= 13) count = std::min<std::int64_t>(count, load<std::uint8_t>(values, dict_values::CAPACITY));
    for (std::int64_t i = 0; i < count; i++)
        if (const Object* value = items.value(i))
            walk.emit(value, format::ATTRIBUTE, walk.strings.label(items.key(i)), true);
}

Object* attribute(const Object* object, const char* name) {
    const char* values = inline_values(object);
    if (!values) return dict_value(dict_of(object), name);
    const DictItems items(load<const void*>(object->type, L->heap_type_cached_keys), values);
    for (std::int64_t i = 0; i < items.count; i++)
        if (text_equals(items.key(i), name)) return const_cast<Object*>(items.value(i));
    return nullptr;
}

void name_shared_keys(Walk& walk, const Object* type) {
    const DictItems items(load<const void*>(type, L->heap_type_cached_keys), nullptr);
    const std::uint32_t label = walk.strings.of("shared keys");
    for (std::int64_t i = 0; i < items.count; i++) walk.emit(items.key(i), format::MACHINERY, label, true);
}

}  // namespace record
