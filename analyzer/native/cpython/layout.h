// Every CPython private field the recorder reads, and nothing else knows one.
//
// The module is built once against the stable ABI, so structs are read through offsets chosen by
// the running version (layout_table.h). PyTypeObject is the same in 3.11 to 3.15 and is mirrored.
#pragma once
#include "module.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace record {

// -1: the field does not exist in that version.
struct Layout {
    int minor = -1, tuple_items = -1, list_items = -1, list_allocated = -1, dict_used = -1;
    int dict_keys = -1, dict_values = -1, keys_refcount = -1, keys_log2_size = -1;
    int keys_log2_index_bytes = -1, keys_kind = -1, keys_usable = -1, keys_nentries = -1;
    int keys_indices = -1, values_first = -1, set_fill = -1, set_used = -1, set_mask = -1;
    int set_table = -1, set_smalltable = -1, str_length = -1, str_state = -1, str_ascii_bytes = -1;
    int str_compact_bytes = -1, str_bytes = -1, str_data = -1, str_utf8_length = -1, str_utf8 = -1;
    int str_kind_mask = -1, str_compact_mask = -1, str_ascii_mask = -1, str_interned_mask = -1;
    int str_kind_one = -1, int_digits = -1, bytearray_alloc = -1, set_bytes = -1;
    int function_bytes = -1, func_globals = -1, func_builtins = -1, func_name = -1;
    int func_qualname = -1, func_code = -1, func_defaults = -1, func_kwdefaults = -1;
    int func_closure = -1, func_doc = -1, func_dict = -1, func_module = -1, func_annotations = -1;
    int lock_state = -1, func_typeparams = -1, func_annotate = -1, code_consts = -1, code_names = -1;
    int code_exceptiontable = -1, code_flags = -1, code_stacksize = -1, code_firstlineno = -1;
    int code_nlocalsplus = -1, code_nlocals = -1, code_nfreevars = -1, code_localsplusnames = -1;
    int code_localspluskinds = -1, code_filename = -1, code_name = -1, code_qualname = -1;
    int code_linetable = -1, code_cached = -1, code_cached_count = -1, co_cached_bytes = -1;
    int code_monitoring = -1, code_bytes = -1, code_extra = -1, code_adaptive = -1, frame_code = -1;
    int frame_function = -1, frame_previous = -1, frame_globals = -1, frame_locals = -1;
    int frame_object = -1, frame_instr = -1, frame_stackpointer = -1, frame_stacktop = -1;
    int frame_owner = -1, frame_localsplus = -1, frameobj_back = -1, frameobj_frame = -1;
    int frameobj_trace = -1, frameobj_extra_locals = -1, frameobj_locals_cache = -1;
    int frameobj_overwritten = -1, frameobj_data = -1, gen_name = -1, gen_qualname = -1;
    int gen_exc_value = -1, gen_origin_or_finalizer = -1, gen_frame_state = -1, gen_frame = -1;
    int gen_code = -1, state_created = -1, state_executing = -1, state_cleared = -1;
    int owner_thread = -1, owner_generator = -1, owner_frame_object = -1, module_bytes = -1;
    int module_dict = -1, module_state = -1, module_name = -1, type_dict = -1, type_subclasses = -1;
    int type_cache = -1, type_weaklist = -1, heap_type_name = -1, heap_type_qualname = -1;
    int heap_type_slots = -1, heap_type_cached_keys = -1, heap_type_module = -1;
    int heap_type_tpname = -1, heap_type_getitem = -1, heap_type_init = -1, type_bytes = -1;
    int heap_type_bytes = -1, context_prev = -1, context_vars = -1, contextvar_name = -1;
    int contextvar_default = -1, token_context = -1, token_var = -1, token_old = -1, hamt_root = -1;
    int hamt_bitmap_items = -1, ts_interp = -1, ts_thread_id = -1, ts_native_thread_id = -1;
    int ts_id = -1, ts_frame = -1, ts_cframe = -1, cframe_frame = -1, ts_profile = -1;
    int ts_trace = -1, ts_exception = -1, ts_exception_type = -1, ts_exception_traceback = -1;
    int ts_exc_info = -1, ts_exc_state = -1, exc_item_previous = -1, exc_item_value = -1;
    int ts_dict = -1, ts_async_exc = -1, ts_async_gen_firstiter = -1, ts_async_gen_finalizer = -1;
    int ts_context = -1, ts_context_version = -1, ts_local_key = -1, ts_local_sentinel = -1, ts_bytes = -1;
    int ts_asyncio_loop = -1, is_gc = -1, gc_bytes = -1, is_sysdict = -1, is_builtins = -1;
    int is_modules = -1, is_modules_by_index = -1, is_importlib = -1, is_import_func = -1;
    int is_sysdict_copy = -1, is_interned = -1, is_cached_objects = -1;
    int is_cached_objects_bytes = -1, is_monitoring_callables = -1;
    int is_monitoring_callables_bytes = -1, is_monitoring_names = -1;
    int is_monitoring_names_bytes = -1, is_codec_search_path = -1, is_codec_search_cache = -1;
    int is_codec_errors = -1, is_dict = -1, is_builtins_copy = -1, is_before_forkers = -1;
    int is_after_forkers_parent = -1, is_after_forkers_child = -1, is_audit_hooks = -1;
    int is_warnings_filters = -1, is_warnings_once = -1, is_warnings_default = -1;
    int is_atexit_callbacks = -1, is_atexit_count = -1, atexit_func = -1, atexit_args = -1;
    int atexit_kwargs = -1, is_gc_garbage = -1, is_gc_callbacks = -1, is_static_types = -1;
    int is_static_types_count = -1, is_static_ext_types = -1, is_static_ext_types_count = -1;
    int static_type_bytes = -1, static_type_type = -1, static_type_dict = -1;
    int static_type_subclasses = -1, static_type_weaklist = -1, is_type_cache = -1;
    int type_cache_bytes = -1, is_freelists = -1, is_freelists_bytes = -1, is_ceval = -1;
    int is_ceval_bytes = -1, rt_signal_handlers = -1, rt_signal_count = -1, signal_bytes = -1;
    int signal_func = -1, is_bytes = -1, runtime_bytes = -1;
};

struct Object;
struct TypeObject;
using VisitProc = int (*)(Object*, void*);
using TraverseProc = int (*)(Object*, VisitProc, void*);

// 3.12+ keep flags of immortality in the count, 3.14 splits it: read it with `refcount` only.
struct Object {
    std::uint64_t raw_refcount;
    TypeObject* type;
};

struct VarObject : Object {
    std::int64_t size;
};

struct MemberDef {
    const char* name;
    int type;
    std::ptrdiff_t offset;
    int flags;
    const char* doc;
};

struct TypeObject : VarObject {
    const char* name;
    std::ptrdiff_t basicsize, itemsize;
    void* dealloc;
    std::ptrdiff_t vectorcall_offset;
    void *getattr, *setattr, *as_async, *repr, *as_number, *as_sequence, *as_mapping, *hash, *call;
    void *str, *getattro, *setattro, *as_buffer;
    unsigned long flags;
    const char* doc;
    TraverseProc traverse;
    void *clear, *richcompare;
    std::ptrdiff_t weaklistoffset;
    void *iter, *iternext, *methods;
    MemberDef* members;
    void* getset;
    TypeObject* base;
    Object* dict;
    void *descr_get, *descr_set;
    std::ptrdiff_t dictoffset;
    void *init, *alloc, *new_, *free;
    int (*is_gc)(Object*);
    Object *bases, *mro, *cache, *subclasses, *weaklist;
    void* del;
    unsigned int version_tag;
    void *finalize, *vectorcall;
};

namespace tpflag {
inline constexpr unsigned long STATIC_BUILTIN = 1ul << 1;
inline constexpr unsigned long INLINE_VALUES = 1ul << 2;    // 3.13+
inline constexpr unsigned long MANAGED_WEAKREF = 1ul << 3;  // 3.12+
inline constexpr unsigned long MANAGED_DICT = 1ul << 4;
inline constexpr unsigned long HEAP = 1ul << 9;
inline constexpr unsigned long HAVE_GC = 1ul << 14;
inline constexpr unsigned long INT = 1ul << 24;
inline constexpr unsigned long LIST = 1ul << 25;
inline constexpr unsigned long TUPLE = 1ul << 26;
inline constexpr unsigned long BYTES = 1ul << 27;
inline constexpr unsigned long STR = 1ul << 28;
inline constexpr unsigned long DICT = 1ul << 29;
inline constexpr unsigned long EXCEPTION = 1ul << 30;
inline constexpr unsigned long TYPE = 1ul << 31;
}  // namespace tpflag

inline constexpr int kMemberObject = 6, kMemberObjectEx = 16;  // T_OBJECT, T_OBJECT_EX
inline constexpr int kMemberRelative = 8;                      // Py_RELATIVE_OFFSET, 3.12+
inline constexpr std::size_t kGcHead = 16;                     // PyGC_Head
inline constexpr std::size_t kPreHeader = 16;                  // two words of an instance before it

template <typename T>
inline T load(const void* base, std::ptrdiff_t offset) {
    T value;
    std::memcpy(&value, static_cast<const char*>(base) + offset, sizeof(T));
    return value;
}
// A word of memory that may belong to nobody (between C variables, behind a small block): mapped, but no
// object, so the sanitizer has nothing to say about it.
__attribute__((no_sanitize("address"))) inline std::uintptr_t word_at(const void* base, std::size_t offset) {
    return *reinterpret_cast<const volatile std::uintptr_t*>(static_cast<const char*>(base) + offset);
}
inline Object* object_at(const void* base, std::ptrdiff_t offset) { return load<Object*>(base, offset); }

// Parts of structs that are the same in 3.11 to 3.15.
inline constexpr std::ptrdiff_t kBytesText = 32;                  // PyBytesObject.ob_sval
inline constexpr std::ptrdiff_t kKeyBehindHash = 8;               // PyDictKeyEntry; PyDictUnicodeEntry has no hash
inline constexpr std::ptrdiff_t kValueBehindKey = 8;              // in both
inline constexpr std::ptrdiff_t kGcPrevious = -8, kGcNext = -16;  // PyGC_Head, before the object
inline constexpr std::ptrdiff_t kIntTag = 16;                     // PyLongObject.long_value.lv_tag, 3.12+
inline constexpr std::uint8_t kHeldAndWaited = 3;                 // both bits of a PyMutex, 3.14+
inline constexpr std::uint8_t kHasThreadsWaiting = 1;             // of a SimpleQueue, at the same place
inline constexpr int kIntTagBits = 3;                             // of sign, below the number of digits
// Where an instance keeps its attributes, before the object: the dict, in 3.12 perhaps tagged values, in 3.11 the
// values beside it.
inline constexpr std::ptrdiff_t kManagedDict = -24, kManagedValues311 = -32;
// PyDictValues, 3.13+; before, the byte in front of it says how many bytes are.
namespace dict_values {
inline constexpr std::ptrdiff_t CAPACITY = 0, EMBEDDED = 2, VALID = 3, PREFIX_TO_312 = -1;
}
namespace set_entry {
inline constexpr std::int64_t KEY = 0, HASH = 8, BYTES = 16;
}

extern const Layout* L;  // the running version's row; set once by `layout_select`

// Where a struct that begins with a dict goes on.
inline std::ptrdiff_t behind_dict() { return L->dict_values + 8; }

// Null when this interpreter can be recorded, otherwise one sentence that says why not. Needs the GIL.
const char* layout_select();
// False when the interpreter state is laid out in an unknown way: its roots are then missing.
bool layout_knows_interpreter();
// The same for frames and generators, and for the threads' own words.
bool layout_knows_frames();
bool layout_knows_threads();

inline constexpr std::uint64_t kImmortalCount = UINT64_MAX;
inline std::uint64_t refcount(const Object* object) {
    // 3.11 gives the objects frozen into its binary a count of 999 999 999.
    if (L->minor < 12) return object->raw_refcount >> 29 ? kImmortalCount : object->raw_refcount;
    const auto low = static_cast<std::uint32_t>(object->raw_refcount);
    if (static_cast<std::int32_t>(low) < 0) return kImmortalCount;
    return low;
}

inline bool has_gc_head(const Object* object) {
    const TypeObject* type = object->type;
    if (!(type->flags & tpflag::HAVE_GC)) return false;
    // Only types decide per object: a static type has no head though its metatype is collected.
    if (type->flags & tpflag::TYPE)
        return static_cast<const TypeObject*>(static_cast<const void*>(object))->flags & tpflag::HEAP;
    // Others answer tp_is_gc for the moment (greenlet says no while it is suspended): the head is there.
    return true;
}

inline bool is_tracked(const Object* object) { return load<std::uint64_t>(object, kGcNext) != 0; }

// Bytes before the object that belong to its block: the collector's head and the 3.11+ pre-header.
inline std::size_t header_bytes(const TypeObject* type, bool gc) {
    std::size_t bytes = gc ? kGcHead : 0;
    unsigned long pre = tpflag::MANAGED_DICT;
    if (L->minor >= 12) pre |= tpflag::MANAGED_WEAKREF;
    if (type->flags & pre) bytes += kPreHeader;
    return bytes;
}

}  // namespace record
