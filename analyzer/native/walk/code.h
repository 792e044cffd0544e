// References of what runs: functions, code, frames, generators, modules and types.
#pragma once
#include "walk/walk.h"

namespace record {

void name_type(Walk& walk, const Object* type);
void name_module(Walk& walk, const Object* module);
void name_function(Walk& walk, const Object* function);
void name_builtin(Walk& walk, const Object* function);
void name_method_wrapper(Walk& walk, const Object* wrapper);
void name_descriptor(Walk& walk, const Object* descriptor);
void name_code(Walk& walk, const Object* code);
void name_frame_object(Walk& walk, const Object* frame);
void name_generator(Walk& walk, const Object* generator, const TypePlan* plan);
// The contents of an interpreter frame. `running`: on a thread's stack, where the depth of the value
// stack is not stored before 3.14.
void name_frame(Walk& walk, const char* frame, bool running, const char* await_label);
std::int64_t frame_line(const char* frame, const Object* code);
Object* frame_code(const char* frame);

}  // namespace record
