// Where reachability starts: modules, the interpreter's and the threads' own references, frames.
#include "walk/roots.h"

#include "walk/code.h"
#include "walk/containers.h"

#include <signal.h>

#include <cstdio>

namespace record {
namespace {

struct NamedWord {
    int offset;
    const char* label;
};

void roots_at(Walk& walk, const void* base, const NamedWord* words, std::size_t count) {
    for (std::size_t i = 0; i < count; i++)
        if (words[i].offset >= 0)
            walk.root(format::INTERPRETER, walk.strings.of(words[i].label), object_at(base, words[i].offset), 0);
}

void root_range(Walk& walk, const void* base, int offset, int bytes, const char* label) {
    if (offset < 0) return;
    for (int at = 0; at + 8 <= bytes; at += 8)
        walk.root(format::INTERPRETER, walk.strings.of(label), object_at(base, offset + at), 0);
}

void modules(Walk& walk) {
    const Object* all = walk.input->modules;
    walk.root(format::INTERPRETER, walk.strings.of("sys.modules"), all, 0);
    for_each_item(all, [&](const Object* key, const Object* value) {
        if (!is_str(key)) return;
        const bool own = text_equals(key, "leakscan") || text_starts_with(key, "leakscan.", 9);
        // The dict owns the count, not this root.
        walk.root(format::MODULE, walk.strings.whole(key), value,
                  static_cast<std::uint8_t>(format::ROOT_BORROWED | (own ? format::ROOT_OWN : 0)));
    });
}

void atexit_callbacks(Walk& walk, const char* interpreter) {
    const char* list = load<const char*>(interpreter, L->is_atexit_callbacks);
    if (!list) return;
    if (L->is_atexit_count < 0) {  // 3.14+: a list object
        walk.root(format::INTERPRETER, walk.strings.of("atexit callbacks"), list, 0);
        return;
    }
    const auto count = load<std::int32_t>(interpreter, L->is_atexit_count);
    const NamedWord words[] = {{L->atexit_func, "atexit callbacks"},
                               {L->atexit_args, "atexit callbacks"},
                               {L->atexit_kwargs, "atexit callbacks"}};
    for (std::int32_t i = 0; i < count; i++)
        if (const char* entry = load<const char*>(list, i * 8)) roots_at(walk, entry, words, 3);
}

std::uint32_t signal_label(Walk& walk, int number) {
    static constexpr struct {
        int number;
        const char* name;
    } kKnown[] = {{SIGHUP, "SIGHUP"},   {SIGINT, "SIGINT"},    {SIGQUIT, "SIGQUIT"}, {SIGUSR1, "SIGUSR1"},
                  {SIGUSR2, "SIGUSR2"}, {SIGALRM, "SIGALRM"},  {SIGTERM, "SIGTERM"}, {SIGCHLD, "SIGCHLD"},
                  {SIGPIPE, "SIGPIPE"}, {SIGWINCH, "SIGWINCH"}};
    char label[40];
    int length = std::snprintf(label, sizeof(label), "signal handler %d", number);
    for (const auto& known : kKnown)
        if (known.number == number) length = std::snprintf(label, sizeof(label), "signal handler %s", known.name);
    return walk.strings.fresh(label, static_cast<std::size_t>(length));
}

void interpreter_state(Walk& walk) {
    const auto interpreter = static_cast<const char*>(walk.input->interpreter);
    const NamedWord words[] = {
        {L->is_sysdict, "sys module dict"},
        {L->is_builtins, "builtins dict"},
        {L->is_modules_by_index, "modules by index"},
        {L->is_importlib, "importlib"},
        {L->is_import_func, "import function"},
        {L->is_sysdict_copy, "copy of the sys module dict"},
        {L->is_builtins_copy, "copy of the builtins dict"},
        {L->is_codec_search_path, "codec search functions"},
        {L->is_codec_search_cache, "codec cache"},
        {L->is_codec_errors, "codec error handlers"},
        {L->is_dict, "interpreter dict"},
        {L->is_before_forkers, "at-fork callbacks (before)"},
        {L->is_after_forkers_parent, "at-fork callbacks (in the parent)"},
        {L->is_after_forkers_child, "at-fork callbacks (in the child)"},
        {L->is_audit_hooks, "audit hooks"},
        {L->is_warnings_filters, "warnings state"},
        {L->is_warnings_once, "warnings state"},
        {L->is_warnings_default, "warnings state"},
        {L->is_gc_garbage, "gc.garbage"},
        {L->is_gc_callbacks, "gc.callbacks"},
        {L->is_interned, "interned strings"},
    };
    roots_at(walk, interpreter, words, sizeof(words) / sizeof(words[0]));
    if (L->is_interned >= 0) walk.interned = object_at(interpreter, L->is_interned);
    root_range(walk, interpreter, L->is_monitoring_callables, L->is_monitoring_callables_bytes,
               "sys.monitoring callbacks");
    root_range(walk, interpreter, L->is_monitoring_names, L->is_monitoring_names_bytes, "sys.monitoring tools");
    atexit_callbacks(walk, interpreter);
    if (walk.input->runtime && L->rt_signal_handlers >= 0)
        for (int i = 0; i < L->rt_signal_count; i++) {
            const int offset = L->rt_signal_handlers + i * L->signal_bytes + L->signal_func;
            const Object* handler = object_at(walk.input->runtime, offset);
            if (!handler || is_int(handler) || handler == reinterpret_cast<Object*>(Py_None)) continue;
            walk.root(format::INTERPRETER, signal_label(walk, i), handler, 0);
        }
}

void thread_state(Walk& walk, const void* state) {
    if (!layout_knows_threads()) return;
    const NamedWord words[] = {
        {L->ts_profile, "profile function"},
        {L->ts_trace, "trace function"},
        {L->ts_exception, "exception being raised"},
        {L->ts_exception_type, "exception being raised"},
        {L->ts_exception_traceback, "exception being raised"},
        {L->ts_exc_state, "exception being handled"},
        {L->ts_dict, "thread state dict"},
        {L->ts_async_exc, "asynchronous exception"},
        {L->ts_async_gen_firstiter, "async generator hooks"},
        {L->ts_async_gen_finalizer, "async generator hooks"},
        {L->ts_context, "context of the thread"},
        {L->ts_local_key, "thread locals"},
        {L->ts_local_sentinel, "thread locals"},
        {L->ts_asyncio_loop, "running event loop"},
    };
    roots_at(walk, state, words, sizeof(words) / sizeof(words[0]));
}

const Object* thread_object(Walk& walk, std::int64_t ident) {
    const Object* threading = dict_value(walk.input->modules, "threading");
    const Object* active = threading ? dict_value(dict_of(threading), "_active") : nullptr;
    const Object* found = nullptr;
    if (active)
        for_each_item(active, [&](const Object* key, const Object* value) {
            std::int64_t number;
            if (is_int(key) && int_value(key, &number) && number == ident) found = value;
        });
    return found;
}

std::uint32_t thread_label(Walk& walk, const void* state, std::size_t position) {
    const Object* thread = thread_object(walk, load<std::int64_t>(state, L->ts_thread_id));
    const Object* name = thread ? attribute(thread, "_name") : nullptr;
    const Text text = text_of(name);
    char label[160];
    int used = 0;
    const auto add = [&](const char* part) {
        while (*part && used < 150) label[used++] = *part++;
    };
    add("thread ");
    if (text.data) {
        add("'");
        for (std::size_t i = 0; i < text.length && used < 140; i++) {
            const std::uint32_t c = text.at(i);
            label[used++] = c < 0x80 ? static_cast<char>(c) : '?';
        }
        add("'");
    } else {
        char digits[8];
        int at = 7;
        digits[at] = 0;
        for (std::size_t rest = position + 1; rest && at; rest /= 10) digits[--at] = static_cast<char>('0' + rest % 10);
        add("#");
        add(digits + at);
    }
    return walk.strings.fresh(label, static_cast<std::size_t>(used));
}

// The frame nearest below this one, itself included, that is leakscan's or is not.
const char* nearest(Walk& walk, const char* frame, bool own) {
    while (frame && (!walk.is_running(frame) || walk.is_own_code(frame_code(frame)) != own))
        frame = load<const char*>(frame, L->frame_previous);
    return frame;
}

// 3.11 keeps its signal handlers in a static variable without a symbol: a row of (tripped, function) for
// each signal, none for number 0 and some function (or SIG_DFL, SIG_IGN, None) for every other. The number
// of the one at `address`, 0 when it does not lie in such a row.
int signal_of(const Segment& segment, std::uintptr_t address) {
    if (L->rt_signal_handlers >= 0 || L->rt_signal_count < 2) return 0;
    const auto bytes = static_cast<std::uintptr_t>(L->signal_bytes);
    const auto count = static_cast<std::uintptr_t>(L->rt_signal_count);
    const auto function = static_cast<std::size_t>(L->signal_func);
    for (std::uintptr_t number = 1; number < count; number++) {
        const std::uintptr_t row = address - function - number * bytes;
        if (address < segment.start + function + number * bytes || row + count * bytes > segment.end) continue;
        const auto* first = reinterpret_cast<const char*>(row);
        std::uintptr_t filled = 0;
        while (filled < count) {
            const std::uintptr_t tripped = word_at(first, filled * bytes),
                                 func = word_at(first, filled * bytes + function);
            if (tripped > 1 || (func == 0) != (filled == 0)) break;
            filled++;
        }
        if (filled == count) return static_cast<int>(number);
    }
    return 0;
}

}  // namespace

void collect_running_frames(Walk& walk) {
    for (std::size_t i = 0; i < walk.input->thread_count; i++) {
        auto frame = static_cast<const char*>(walk.input->threads[i].frame);
        // Entry and trampoline frames have no code object of their own; they only link.
        for (std::int64_t left = 50'000'000; frame && left-- > 0; frame = load<const char*>(frame, L->frame_previous))
            if (frame_code(frame)) walk.add_running(frame);
    }
}

void walk_roots(Walk& walk) {
    modules(walk);
    interpreter_state(walk);
    for (std::size_t i = 0; i < walk.input->thread_count; i++) thread_state(walk, walk.input->threads[i].state);
    walk.root(format::INTERPRETER, walk.strings.of("the callable under test"), walk.input->subject,
              format::ROOT_BORROWED);
}

void walk_threads(Walk& walk) {
    for (std::size_t i = 0; i < walk.input->thread_count; i++) {
        const ThreadInput& thread = walk.input->threads[i];
        auto frame = static_cast<const char*>(thread.frame);
        while (frame && !walk.is_running(frame)) frame = load<const char*>(frame, L->frame_previous);
        if (!frame) continue;
        const bool own = walk.is_own_code(frame_code(frame));
        const std::uint32_t label = thread_label(walk, thread.state, i);
        walk.nodes.intern(frame, true);
        walk.root(format::THREAD, label, frame, own ? format::ROOT_OWN : 0);
        // Nothing is reached through leakscan's own frames: those of its caller are roots themselves.
        for (const char* at = nearest(walk, frame, true); (at = nearest(walk, at, false));
             at = nearest(walk, at, true)) {
            walk.nodes.intern(at, true);
            walk.root(format::THREAD, label, at, 0);
        }
    }
}

// Words of the interpreter's own memory, of C variables and of opaque objects that explain a missing count.
void walk_interpreter_words(Walk& walk) {
    walk.drain();
    const auto interpreter = static_cast<const char*>(walk.input->interpreter);
    // They keep the addresses of objects long after these were handed out again. The main interpreter
    // is part of the runtime, and the runtime is a C variable of the library.
    const char* free_lists = interpreter + L->is_freelists;
    const auto scan = [&](const void* base, std::size_t bytes, const char* label, const Segment* segment = nullptr) {
        for (std::size_t at = 0; at + 8 <= bytes; at += 8) {
            if (static_cast<const char*>(base) + at == free_lists)
                at += static_cast<std::size_t>(L->is_freelists_bytes);
            if (at + 8 > bytes) break;
            const void* word = reinterpret_cast<const void*>(word_at(base, at));
            std::uint32_t id;
            if (!walk.is_unexplained(word, &id)) continue;
            const int signal = segment ? signal_of(*segment, segment->start + at) : 0;
            walk.root(format::INTERPRETER, signal ? signal_label(walk, signal) : walk.strings.of(label), word, 0);
        }
    };
    for (std::size_t i = 0; i < walk.input->thread_count; i++)
        scan(walk.input->threads[i].state, static_cast<std::size_t>(L->ts_bytes), "thread state");
    scan(interpreter + L->is_ceval, static_cast<std::size_t>(L->is_ceval_bytes), "pending calls");
    scan(interpreter + L->is_type_cache, static_cast<std::size_t>(L->type_cache_bytes), "type attribute cache");
    scan(interpreter, static_cast<std::size_t>(L->is_bytes), "interpreter state");
    if (walk.input->runtime) scan(walk.input->runtime, static_cast<std::size_t>(L->runtime_bytes), "runtime state");
    for (const std::uint32_t id : walk.opaque()) {
        const auto object = static_cast<const Object*>(walk.nodes.address(id));
        for (std::ptrdiff_t at = sizeof(Object); at + 8 <= object->type->basicsize; at += 8) {
            // A datetime without a time zone is allocated shorter than its type says.
            const auto word = reinterpret_cast<const Object*>(word_at(object, static_cast<std::size_t>(at)));
            std::uint32_t found;
            if (walk.is_unexplained(word, &found)) walk.late_reference(id, found);
        }
    }
    for (std::size_t i = 0; i < walk.input->segment_count; i++) {
        const Segment& segment = walk.input->segments[i];
        scan(reinterpret_cast<const void*>(segment.start), segment.end - segment.start, segment.library, &segment);
    }
}

}  // namespace record
