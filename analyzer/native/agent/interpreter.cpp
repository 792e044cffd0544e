#include "agent/interpreter.h"

#if defined(__linux__)

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <cstddef>

namespace agent {

double monotonic_seconds() {
    timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) * 1e-9;
}

bool start_thread(void* (*main)(void*), void* argument) {
    constexpr std::size_t kStackBytes = 512 * 1024;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&detached, kStackBytes);
    pthread_t thread;
    const bool is_started = pthread_create(&thread, &detached, main, argument) == 0;
    pthread_attr_destroy(&detached);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return is_started;
}

void* symbol(const char* name) { return dlsym(RTLD_DEFAULT, name); }

bool is_finalizing() {
    auto ask = reinterpret_cast<int (*)()>(symbol("Py_IsFinalizing"));
    if (!ask) ask = reinterpret_cast<int (*)()>(symbol("_Py_IsFinalizing"));
    return ask && ask();
}

const char* why_not() {
    // Their objects begin with other fields than this library's inlined reference counting expects.
    if (symbol("_Py_MergeZeroLocalRefcount")) return "free-threaded";
    if (!Py_IsInitialized()) return "not-initialized";
    return is_finalizing() ? "finalizing" : nullptr;
}

bool has_other_interpreters() {
    const auto first = reinterpret_cast<void* (*)()>(symbol("PyInterpreterState_Head"));
    const auto next = reinterpret_cast<void* (*)(void*)>(symbol("PyInterpreterState_Next"));
    return first && next && first() && next(first());
}

void OwnState::make() {
    made_ = PyGILState_Ensure();
    state_ = PyEval_SaveThread();
}

void OwnState::take() {
    PyEval_RestoreThread(state_);
    collects_ = PyGC_Disable();
}

void OwnState::release() {
    PyErr_Clear();
    if (collects_) PyGC_Enable();
    PyEval_SaveThread();
}

void OwnState::give_up() {
    PyEval_RestoreThread(state_);
    state_ = nullptr;
    PyGILState_Release(made_);
}

}  // namespace agent

#endif
