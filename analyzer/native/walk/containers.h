// References of the builtin containers, and look-ups in dicts without hashing.
#pragma once
#include "walk/walk.h"

namespace record {

extern const TypeObject* frozen_dict_type;  // 3.15+, else null
bool is_dict(const Object* object);

// The entries of a dict, whichever layout its key table has. `count` is 0 for what is no dict.
struct DictItems {
    explicit DictItems(const Object* dict);
    DictItems(const void* keys, const char* values);
    const Object* key(std::int64_t i) const { return object_at(entries + i * stride, key_at); }
    const Object* value(std::int64_t i) const {
        return values ? object_at(values, L->values_first + i * 8)
                      : object_at(entries + i * stride, key_at + kValueBehindKey);
    }
    const char *entries = nullptr, *values = nullptr;
    std::int64_t count = 0, stride = 0;
    std::ptrdiff_t key_at = 0;

  private:
    void read(const void* keys);
};

void name_dict(Walk& walk, const Object* dict);
void name_ordered_dict(Walk& walk, const Object* dict);
void name_items(Walk& walk, const Object* const* items, std::int64_t count);
void name_set(Walk& walk, const Object* set);
void name_deque(Walk& walk, const Object* deque);
void name_hamt(Walk& walk, const Object* node, Shape shape);
void name_string_io(Walk& walk, const Object* text);
void name_object_array(Walk& walk, const Object* array);
void name_lru_cache(Walk& walk, const Object* cache);
void name_weakref(Walk& walk, const Object* weakref);
void name_instance(Walk& walk, const Object* object, TypePlan* plan);
void name_shared_keys(Walk& walk, const Object* type);  // those of its instances
// Whether an attribute of that name says by convention how large a container may grow.
bool is_bound_text(const char* name);

// A value in a dict by an ASCII key, without hashing: for the few lookups the recorder needs.
Object* dict_value(const Object* dict, const char* key);
// An instance attribute in inline values or `__dict__`.
Object* attribute(const Object* object, const char* name);
Object* dict_of(const Object* object);
// The values of an instance that has no dict yet, null when there are none.
const char* inline_values(const Object* object);

// f(key, value) for each entry of a dict, in insertion order.
template <class F>
void for_each_item(const Object* dict, F&& f) {
    const DictItems items(dict);
    for (std::int64_t i = 0; i < items.count; i++)
        if (const Object* value = items.value(i)) f(items.key(i), value);
}

}  // namespace record
