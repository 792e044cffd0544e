// Where reachability starts.
#pragma once
#include "walk/walk.h"

namespace record {

void collect_running_frames(Walk& walk);
void walk_roots(Walk& walk);  // everything but the frames of threads
void walk_threads(Walk& walk);
void walk_interpreter_words(Walk& walk);

}  // namespace record
