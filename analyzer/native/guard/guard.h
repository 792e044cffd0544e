// The guard: a thread that watches how near the process is to a limit on its memory, and has one snapshot written
// before it is reached.
#pragma once
#include "guard/limits.h"

namespace guard {

struct Settings {
    const char* parent;       // the folder that boxes are made in
    Bytes limit;              // of resident memory, or 0: what the system sets
    int percent;              // of the limit
    double baseline_seconds;  // after the start; earlier when memory grows fast
    bool counts_births, redacts_keys;
    double term_seconds;  // that a snapshot on SIGTERM may take before the signal does what it does; 0: none is taken
};

// Starts the thread. Null, or why not: `running`, `no-thread`, `name-too-long`, `not-writable`. Needs no lock and may
// be called before Python is initialized: the thread waits for it.
const char* start(const Settings& settings);

// The same with `limit=BYTES percent=N baseline=MILLISECONDS births=0 redact=1 term=MILLISECONDS` as text, each of
// which may be missing.
// "" when it was started.
const char* start_with(const char* folder, const char* options);

// Asks it to end, and gives the memory of births back. Needs no lock, does not wait.
void stop();

bool is_running();

// Whether the births of this copy of the library are the guard's ticks, which nobody else may move.
bool counts_births();

// The box that is filled; empty before there is one.
const char* folder();

}  // namespace guard
