// What a thread of leakscan's own asks the interpreter whose process it is in: may its API be called, and its lock.
#pragma once
#include "module.h"

namespace agent {

double monotonic_seconds();

// Starts a thread of leakscan's own, detached and with every signal blocked: the program's are for its own threads.
// False when there is none to be had.
bool start_thread(void* (*main)(void*), void* argument);

void* symbol(const char* name);

bool is_finalizing();

// Null when Python's API may be called: `free-threaded`, `not-initialized`, `finalizing`. Asked without the lock.
const char* why_not();

bool has_other_interpreters();

// The thread state of a thread that the program knows nothing of. It is made once, so that taking the lock later
// allocates nothing: where there is no memory, making one ends the process.
// No collection starts on this thread while it is held: up to 3.11 one may start at any allocation, and would run
// the program's finalizers here.
class OwnState {
  public:
    // Waits for the lock once, and lets go of it.
    void make();
    void forget() { state_ = nullptr; }  // in a forked child, where this thread is not
    void take();
    void release();
    void give_up();  // the state is gone; Python must still be there

  private:
    PyThreadState* state_ = nullptr;
    PyGILState_STATE made_ = PyGILState_UNLOCKED;
    int collects_ = 0;
};

}  // namespace agent
