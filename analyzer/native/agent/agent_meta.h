// The `meta` column of a snapshot taken by the agent: what record/snapshot.py writes elsewhere.
#pragma once
#include <cstddef>

namespace agent {

class Meta {
  public:
    // Needs the interpreter's lock. Without memory the text is empty JSON.
    Meta(unsigned run, bool redacts_keys, bool is_dated);
    ~Meta();
    Meta(const Meta&) = delete;
    Meta& operator=(const Meta&) = delete;
    const char* text() const { return text_ ? text_ : "{}"; }
    std::size_t bytes() const { return text_ ? used_ : 2; }

  private:
    __attribute__((format(printf, 2, 3))) void add(const char* format, ...);
    void add_stdlib_modules();
    char* text_;
    std::size_t used_ = 0;
};

}  // namespace agent
