// The box: a folder with one line of JSON for each thing that happened (guard.jsonl) beside the snapshots. Every line
// is whole or not there, so whenever the process is killed, what is there can be read.
#pragma once
#include <cstddef>

namespace guard {

inline constexpr std::size_t kPathBytes = 512;

class Journal {
  public:
    // Makes `parent`/box-PID-TIME. False with errno when it cannot.
    bool open(const char* parent);
    const char* folder() const { return folder_; }

    // One line is begun, filled and written, always in this order, on one thread.
    void begin(const char* event);
    void text(const char* name, const char* value, std::size_t bytes);
    void text(const char* name, const char* value);
    void number(const char* name, long long value);
    void seconds(const char* name, double value);
    void numbers(const char* name, const long long* values, std::size_t count);
    void write();

  private:
    void add(const char* format, ...) __attribute__((format(printf, 2, 3)));
    char folder_[kPathBytes];
    char line_[8 * 1024];
    std::size_t used_ = 0;
};

}  // namespace guard
