/* Prints one row of analyzer/native/cpython/layout_table.h, the private offsets of one CPython, and from 3.13 on
   its row of cpython/debug_offsets_table.h: where _PyRuntime.debug_offsets says the same.
   Rerun for each version whose headers are installed, then paste the rows:
     gcc -I$INC -I$INC/internal -o /tmp/offsets tools/layout_offsets.c && /tmp/offsets
   with INC=$(python3.X -c 'import sysconfig; print(sysconfig.get_path("include"))'). */
#define Py_BUILD_CORE 1
#include <Python.h>

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "internal/pycore_code.h"
#include "internal/pycore_context.h"
#include "internal/pycore_dict.h"
#include "internal/pycore_frame.h"
#include "internal/pycore_hamt.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_moduleobject.h"
#include "internal/pycore_pystate.h"
#include "internal/pycore_runtime.h"
#include "internal/pycore_signal.h"
#if PY_VERSION_HEX >= 0x030C0000
#include "internal/pycore_typeobject.h"
#endif
#if PY_VERSION_HEX >= 0x030D0000
#include "internal/pycore_gc.h"
#include "internal/pycore_tstate.h"
#endif
#if PY_VERSION_HEX >= 0x030E0000
#include "internal/pycore_genobject.h"
#include "internal/pycore_interpframe_structs.h"
#include "internal/pycore_interp_structs.h"
#endif

#define V(min) (PY_VERSION_HEX >= (min))
#define N(name, value) printf("    .%s = %lld,\n", #name, (long long)(value))
#define O(name, type, member) N(name, offsetof(type, member))

int main(void)
{
    printf("inline constexpr Layout k3%d = {\n", PY_MINOR_VERSION);
    N(minor, PY_MINOR_VERSION);

    O(tuple_items, PyTupleObject, ob_item);
    O(list_items, PyListObject, ob_item);
    O(list_allocated, PyListObject, allocated);
    O(dict_used, PyDictObject, ma_used);
    O(dict_keys, PyDictObject, ma_keys);
    O(dict_values, PyDictObject, ma_values);
    O(keys_refcount, PyDictKeysObject, dk_refcnt);
    O(keys_log2_size, PyDictKeysObject, dk_log2_size);
    O(keys_log2_index_bytes, PyDictKeysObject, dk_log2_index_bytes);
    O(keys_kind, PyDictKeysObject, dk_kind);
    O(keys_usable, PyDictKeysObject, dk_usable);
    O(keys_nentries, PyDictKeysObject, dk_nentries);
    O(keys_indices, PyDictKeysObject, dk_indices);
    O(values_first, PyDictValues, values);
    O(set_fill, PySetObject, fill);
    O(set_used, PySetObject, used);
    O(set_mask, PySetObject, mask);
    O(set_table, PySetObject, table);
    O(set_smalltable, PySetObject, smalltable);
    O(str_length, PyASCIIObject, length);
    O(str_state, PyASCIIObject, state);
    N(str_ascii_bytes, sizeof(PyASCIIObject));
    N(str_compact_bytes, sizeof(PyCompactUnicodeObject));
    N(str_bytes, sizeof(PyUnicodeObject));
    O(str_data, PyUnicodeObject, data);
    O(str_utf8_length, PyCompactUnicodeObject, utf8_length);
    O(str_utf8, PyCompactUnicodeObject, utf8);
    PyASCIIObject text;
#define MASK(name, field, value)                                                   \
    memset(&text, 0, sizeof(text));                                                \
    text.state.field = value;                                                      \
    { uint32_t word; memcpy(&word, &text.state, 4); N(name, word); }
    MASK(str_kind_mask, kind, 7)
    MASK(str_compact_mask, compact, 1)
    MASK(str_ascii_mask, ascii, 1)
    MASK(str_interned_mask, interned, 3)
    memset(&text, 0, sizeof(text));
    text.state.kind = 1;
    { uint32_t word; memcpy(&word, &text.state, 4); N(str_kind_one, word); }
#if V(0x030C0000)
    O(int_digits, PyLongObject, long_value.ob_digit);
#else
    O(int_digits, PyLongObject, ob_digit);
#endif
    O(bytearray_alloc, PyByteArrayObject, ob_alloc);

    N(set_bytes, sizeof(PySetObject));
    N(function_bytes, sizeof(PyFunctionObject));
    O(func_globals, PyFunctionObject, func_globals);
    O(func_builtins, PyFunctionObject, func_builtins);
    O(func_name, PyFunctionObject, func_name);
    O(func_qualname, PyFunctionObject, func_qualname);
    O(func_code, PyFunctionObject, func_code);
    O(func_defaults, PyFunctionObject, func_defaults);
    O(func_kwdefaults, PyFunctionObject, func_kwdefaults);
    O(func_closure, PyFunctionObject, func_closure);
    O(func_doc, PyFunctionObject, func_doc);
    O(func_dict, PyFunctionObject, func_dict);
    O(func_module, PyFunctionObject, func_module);
    O(func_annotations, PyFunctionObject, func_annotations);
#if V(0x030C0000)
    O(func_typeparams, PyFunctionObject, func_typeparams);
#endif
#if V(0x030E0000)
    O(func_annotate, PyFunctionObject, func_annotate);
#endif
    O(code_consts, PyCodeObject, co_consts);
    O(code_names, PyCodeObject, co_names);
    O(code_exceptiontable, PyCodeObject, co_exceptiontable);
    O(code_flags, PyCodeObject, co_flags);
    O(code_stacksize, PyCodeObject, co_stacksize);
    O(code_firstlineno, PyCodeObject, co_firstlineno);
    O(code_nlocalsplus, PyCodeObject, co_nlocalsplus);
    O(code_nlocals, PyCodeObject, co_nlocals);
    O(code_nfreevars, PyCodeObject, co_nfreevars);
    O(code_localsplusnames, PyCodeObject, co_localsplusnames);
    O(code_localspluskinds, PyCodeObject, co_localspluskinds);
    O(code_filename, PyCodeObject, co_filename);
    O(code_name, PyCodeObject, co_name);
    O(code_qualname, PyCodeObject, co_qualname);
    O(code_linetable, PyCodeObject, co_linetable);
#if V(0x030C0000)
    O(code_cached, PyCodeObject, _co_cached);
    N(code_cached_count, sizeof(_PyCoCached) / sizeof(PyObject *));
    N(co_cached_bytes, sizeof(_PyCoCached));
    O(code_monitoring, PyCodeObject, _co_monitoring);
#else
    O(code_bytes, PyCodeObject, _co_code);
#endif
    O(code_extra, PyCodeObject, co_extra);
    O(code_adaptive, PyCodeObject, co_code_adaptive);

#if V(0x030C0000)
#if V(0x030D0000)
    O(frame_code, _PyInterpreterFrame, f_executable);
#else
    O(frame_code, _PyInterpreterFrame, f_code);
#endif
    O(frame_function, _PyInterpreterFrame, f_funcobj);
#else
    O(frame_code, _PyInterpreterFrame, f_code);
    O(frame_function, _PyInterpreterFrame, f_func);
#endif
    O(frame_previous, _PyInterpreterFrame, previous);
    O(frame_globals, _PyInterpreterFrame, f_globals);
    O(frame_locals, _PyInterpreterFrame, f_locals);
    O(frame_object, _PyInterpreterFrame, frame_obj);
#if V(0x030D0000)
    O(frame_instr, _PyInterpreterFrame, instr_ptr);
#else
    O(frame_instr, _PyInterpreterFrame, prev_instr);
#endif
#if V(0x030E0000)
    O(frame_stackpointer, _PyInterpreterFrame, stackpointer);
#else
    O(frame_stacktop, _PyInterpreterFrame, stacktop);
#endif
    O(frame_owner, _PyInterpreterFrame, owner);
    O(frame_localsplus, _PyInterpreterFrame, localsplus);
    O(frameobj_back, PyFrameObject, f_back);
    O(frameobj_frame, PyFrameObject, f_frame);
    O(frameobj_trace, PyFrameObject, f_trace);
#if V(0x030D0000)
    O(frameobj_extra_locals, PyFrameObject, f_extra_locals);
    O(frameobj_locals_cache, PyFrameObject, f_locals_cache);
#endif
#if V(0x030E0000)
    O(frameobj_overwritten, PyFrameObject, f_overwritten_fast_locals);
#endif
    O(frameobj_data, PyFrameObject, _f_frame_data);
    O(gen_name, PyGenObject, gi_name);
    O(gen_qualname, PyGenObject, gi_qualname);
    O(gen_exc_value, PyGenObject, gi_exc_state.exc_value);
    O(gen_origin_or_finalizer, PyGenObject, gi_origin_or_finalizer);
    O(gen_frame_state, PyGenObject, gi_frame_state);
    O(gen_frame, PyGenObject, gi_iframe);
#if !V(0x030C0000)
    O(gen_code, PyGenObject, gi_code);
#endif
    N(state_created, FRAME_CREATED);
    N(state_executing, FRAME_EXECUTING);
    N(state_cleared, FRAME_CLEARED);
    N(owner_thread, FRAME_OWNED_BY_THREAD);
    N(owner_generator, FRAME_OWNED_BY_GENERATOR);
    N(owner_frame_object, FRAME_OWNED_BY_FRAME_OBJECT);

    N(module_bytes, sizeof(PyModuleObject));
    O(module_dict, PyModuleObject, md_dict);
    O(module_state, PyModuleObject, md_state);
    O(module_name, PyModuleObject, md_name);
    O(type_dict, PyTypeObject, tp_dict);
    O(type_subclasses, PyTypeObject, tp_subclasses);
    O(type_cache, PyTypeObject, tp_cache);
    O(type_weaklist, PyTypeObject, tp_weaklist);
    O(heap_type_name, PyHeapTypeObject, ht_name);
    O(heap_type_qualname, PyHeapTypeObject, ht_qualname);
    O(heap_type_slots, PyHeapTypeObject, ht_slots);
    O(heap_type_cached_keys, PyHeapTypeObject, ht_cached_keys);
    O(heap_type_module, PyHeapTypeObject, ht_module);
    O(heap_type_tpname, PyHeapTypeObject, _ht_tpname);
    O(heap_type_getitem, PyHeapTypeObject, _spec_cache.getitem);
#if V(0x030D0000)
    O(heap_type_init, PyHeapTypeObject, _spec_cache.init);
#endif
    N(type_bytes, sizeof(PyTypeObject));
    N(heap_type_bytes, sizeof(PyHeapTypeObject));
    O(context_prev, PyContext, ctx_prev);
    O(context_vars, PyContext, ctx_vars);
    O(contextvar_name, PyContextVar, var_name);
    O(contextvar_default, PyContextVar, var_default);
    O(token_context, PyContextToken, tok_ctx);
    O(token_var, PyContextToken, tok_var);
    O(token_old, PyContextToken, tok_oldval);
    O(hamt_root, PyHamtObject, h_root);
#if V(0x030C0000)
    O(hamt_bitmap_items, PyHamtNode_Bitmap, b_array);
#endif

    O(ts_interp, PyThreadState, interp);
    O(ts_thread_id, PyThreadState, thread_id);
    O(ts_native_thread_id, PyThreadState, native_thread_id);
    O(ts_id, PyThreadState, id);
#if V(0x030D0000)
    O(ts_frame, PyThreadState, current_frame);
#else
    O(ts_cframe, PyThreadState, cframe);
    O(cframe_frame, _PyCFrame, current_frame);
#endif
    O(ts_profile, PyThreadState, c_profileobj);
    O(ts_trace, PyThreadState, c_traceobj);
#if V(0x030C0000)
    O(ts_exception, PyThreadState, current_exception);
#else
    O(ts_exception, PyThreadState, curexc_value);
    O(ts_exception_type, PyThreadState, curexc_type);
    O(ts_exception_traceback, PyThreadState, curexc_traceback);
#endif
    O(ts_exc_info, PyThreadState, exc_info);
    O(ts_exc_state, PyThreadState, exc_state.exc_value);
    O(exc_item_previous, _PyErr_StackItem, previous_item);
    O(exc_item_value, _PyErr_StackItem, exc_value);
    O(ts_dict, PyThreadState, dict);
    O(ts_async_exc, PyThreadState, async_exc);
    O(ts_async_gen_firstiter, PyThreadState, async_gen_firstiter);
    O(ts_async_gen_finalizer, PyThreadState, async_gen_finalizer);
    O(ts_context, PyThreadState, context);
    O(ts_context_version, PyThreadState, context_ver);
#if V(0x030D0000)
    O(ts_local_key, PyThreadState, threading_local_key);
    O(ts_local_sentinel, PyThreadState, threading_local_sentinel);
    N(ts_bytes, sizeof(_PyThreadStateImpl));
#else
    N(ts_bytes, sizeof(PyThreadState));
#endif
#if V(0x030E0000)
    O(ts_asyncio_loop, _PyThreadStateImpl, asyncio_running_loop);
#endif

    O(is_gc, PyInterpreterState, gc);
    N(gc_bytes, sizeof(struct _gc_runtime_state));
    O(is_sysdict, PyInterpreterState, sysdict);
    O(is_builtins, PyInterpreterState, builtins);
#if V(0x030C0000)
    O(is_modules, PyInterpreterState, imports.modules);
    O(is_modules_by_index, PyInterpreterState, imports.modules_by_index);
    O(is_importlib, PyInterpreterState, imports.importlib);
    O(is_import_func, PyInterpreterState, imports.import_func);
    O(is_sysdict_copy, PyInterpreterState, sysdict_copy);
    O(is_interned, PyInterpreterState, cached_objects.interned_strings);
    O(is_cached_objects, PyInterpreterState, cached_objects);
    N(is_cached_objects_bytes, sizeof(struct _Py_interp_cached_objects));
    O(is_monitoring_callables, PyInterpreterState, monitoring_callables);
    N(is_monitoring_callables_bytes, sizeof(((PyInterpreterState *)0)->monitoring_callables));
    O(is_monitoring_names, PyInterpreterState, monitoring_tool_names);
    N(is_monitoring_names_bytes, sizeof(((PyInterpreterState *)0)->monitoring_tool_names));
#else
    O(is_modules, PyInterpreterState, modules);
    O(is_modules_by_index, PyInterpreterState, modules_by_index);
    O(is_importlib, PyInterpreterState, importlib);
    O(is_import_func, PyInterpreterState, import_func);
#endif
#if V(0x030D0000)
    O(is_codec_search_path, PyInterpreterState, codecs.search_path);
    O(is_codec_search_cache, PyInterpreterState, codecs.search_cache);
    O(is_codec_errors, PyInterpreterState, codecs.error_registry);
#else
    O(is_codec_search_path, PyInterpreterState, codec_search_path);
    O(is_codec_search_cache, PyInterpreterState, codec_search_cache);
    O(is_codec_errors, PyInterpreterState, codec_error_registry);
#endif
    O(is_dict, PyInterpreterState, dict);
    O(is_builtins_copy, PyInterpreterState, builtins_copy);
    O(is_before_forkers, PyInterpreterState, before_forkers);
    O(is_after_forkers_parent, PyInterpreterState, after_forkers_parent);
    O(is_after_forkers_child, PyInterpreterState, after_forkers_child);
    O(is_audit_hooks, PyInterpreterState, audit_hooks);
    O(is_warnings_filters, PyInterpreterState, warnings.filters);
    O(is_warnings_once, PyInterpreterState, warnings.once_registry);
    O(is_warnings_default, PyInterpreterState, warnings.default_action);
    O(is_atexit_callbacks, PyInterpreterState, atexit.callbacks);
#if !V(0x030E0000)
    O(is_atexit_count, PyInterpreterState, atexit.ncallbacks);
#endif
#if V(0x030E0000)
#elif V(0x030C0000)
    O(atexit_func, atexit_py_callback, func);
    O(atexit_args, atexit_py_callback, args);
    O(atexit_kwargs, atexit_py_callback, kwargs);
#else
    O(atexit_func, atexit_callback, func);
    O(atexit_args, atexit_callback, args);
    O(atexit_kwargs, atexit_callback, kwargs);
#endif
    O(is_gc_garbage, PyInterpreterState, gc.garbage);
    O(is_gc_callbacks, PyInterpreterState, gc.callbacks);
#if V(0x030D0000)
    O(is_static_types, PyInterpreterState, types.builtins.initialized);
    N(is_static_types_count, _Py_MAX_MANAGED_STATIC_BUILTIN_TYPES);
    O(is_static_ext_types, PyInterpreterState, types.for_extensions.initialized);
    N(is_static_ext_types_count, _Py_MAX_MANAGED_STATIC_EXT_TYPES);
    N(static_type_bytes, sizeof(managed_static_type_state));
    O(static_type_type, managed_static_type_state, type);
    O(static_type_dict, managed_static_type_state, tp_dict);
    O(static_type_subclasses, managed_static_type_state, tp_subclasses);
    O(static_type_weaklist, managed_static_type_state, tp_weaklist);
#elif V(0x030C0000)
    O(is_static_types, PyInterpreterState, types.builtins);
    N(is_static_types_count, _Py_MAX_STATIC_BUILTIN_TYPES);
    N(static_type_bytes, sizeof(static_builtin_state));
    O(static_type_type, static_builtin_state, type);
    O(static_type_dict, static_builtin_state, tp_dict);
    O(static_type_subclasses, static_builtin_state, tp_subclasses);
    O(static_type_weaklist, static_builtin_state, tp_weaklist);
#endif
    O(is_type_cache, PyInterpreterState,
#if V(0x030C0000)
      types.type_cache);
#else
      type_cache);
#endif
    N(type_cache_bytes, sizeof(struct type_cache));
#if V(0x030D0000)
    O(is_freelists, PyInterpreterState, object_state);
    N(is_freelists_bytes, sizeof(((PyInterpreterState *)0)->object_state));
#else
    O(is_freelists, PyInterpreterState, float_state);
    N(is_freelists_bytes, offsetof(PyInterpreterState, exc_state) - offsetof(PyInterpreterState, float_state));
#endif
    O(is_ceval, PyInterpreterState, ceval);
    N(is_ceval_bytes, sizeof(struct _ceval_state));
#if V(0x030C0000)
    O(rt_signal_handlers, _PyRuntimeState, signals.handlers);
    N(rt_signal_count, Py_NSIG);
    N(signal_bytes, sizeof(((_PyRuntimeState *)0)->signals.handlers[0]));
    N(signal_func, (char *)&((_PyRuntimeState *)0)->signals.handlers[0].func - (char *)&((_PyRuntimeState *)0)->signals.handlers[0]);
#else
    /* `Handlers`, a static variable of Modules/signalmodule.c. */
    struct handlers { _Py_atomic_int tripped; PyObject *func; };
    N(rt_signal_count, NSIG);
    N(signal_bytes, sizeof(struct handlers));
    N(signal_func, offsetof(struct handlers, func));
#endif
    N(is_bytes, sizeof(PyInterpreterState));
    N(runtime_bytes, sizeof(_PyRuntimeState));
    printf("};\n");
#if V(0x030D0000)
#define D(group, debug, name) \
    printf("    {Part::%s, %d, &Layout::%s, \"%s\"},\n", #group, (int)offsetof(_Py_DebugOffsets, debug), #name, #debug);
    printf("inline constexpr DebugOffset kDebug3%d[] = {\n", PY_MINOR_VERSION);
    D(INTERPRETER, interpreter_state.gc, is_gc)
    D(INTERPRETER, interpreter_state.imports_modules, is_modules)
    D(INTERPRETER, interpreter_state.sysdict, is_sysdict)
    D(INTERPRETER, interpreter_state.builtins, is_builtins)
    D(THREADS, thread_state.interp, ts_interp)
    D(THREADS, thread_state.thread_id, ts_thread_id)
    D(THREADS, thread_state.native_thread_id, ts_native_thread_id)
    D(FRAMES, thread_state.current_frame, ts_frame)
    D(FRAMES, interpreter_frame.previous, frame_previous)
    D(FRAMES, interpreter_frame.executable, frame_code)
    D(FRAMES, interpreter_frame.instr_ptr, frame_instr)
    D(FRAMES, interpreter_frame.localsplus, frame_localsplus)
    D(FRAMES, interpreter_frame.owner, frame_owner)
#if V(0x030E0000)
    D(FRAMES, interpreter_frame.stackpointer, frame_stackpointer)
    D(FRAMES, gen_object.gi_iframe, gen_frame)
    D(FRAMES, gen_object.gi_frame_state, gen_frame_state)
    D(OBJECTS, gen_object.gi_name, gen_name)
    D(OBJECTS, set_object.used, set_used)
    D(OBJECTS, set_object.table, set_table)
    D(OBJECTS, set_object.mask, set_mask)
#endif
    D(OBJECTS, code_object.filename, code_filename)
    D(OBJECTS, code_object.name, code_name)
    D(OBJECTS, code_object.qualname, code_qualname)
    D(OBJECTS, code_object.linetable, code_linetable)
    D(OBJECTS, code_object.firstlineno, code_firstlineno)
    D(OBJECTS, code_object.localsplusnames, code_localsplusnames)
    D(OBJECTS, code_object.localspluskinds, code_localspluskinds)
    D(OBJECTS, code_object.co_code_adaptive, code_adaptive)
    D(OBJECTS, tuple_object.ob_item, tuple_items)
    D(OBJECTS, list_object.ob_item, list_items)
    D(OBJECTS, dict_object.ma_keys, dict_keys)
    D(OBJECTS, dict_object.ma_values, dict_values)
    D(OBJECTS, long_object.ob_digit, int_digits)
    D(OBJECTS, unicode_object.state, str_state)
    D(OBJECTS, unicode_object.length, str_length)
    D(OBJECTS, unicode_object.asciiobject_size, str_ascii_bytes)
    printf("};\n");
#endif
    return 0;
}
