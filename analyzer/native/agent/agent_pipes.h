// The agent's side of the private folder: orders come in, answers and the heap go out.
#pragma once
#include "agent/agent.h"

namespace agent {

class Pipes {
  public:
    explicit Pipes(const char* folder);
    ~Pipes();
    Pipes(const Pipes&) = delete;
    Pipes& operator=(const Pipes&) = delete;

    // False when nobody is at the other end any more.
    bool open();

    // False while another caller is served: nothing may be done then but to say so.
    bool is_alone() const { return is_alone_; }

    // Waits for a line; false when the other end is gone.
    bool next_order(char* line, std::size_t capacity);

    bool is_lost() const;
    int open_heap() const;
    __attribute__((format(printf, 2, 3))) void say(const char* format, ...) const;

    // The other side does this too; whoever comes second finds nothing.
    void remove() const;

  private:
    int open_pipe(const char* name, int flags) const;
    char folder_[kPathBytes];
    const bool is_alone_;
    int orders_ = -1, answers_ = -1;
    char pending_[1024];
    std::size_t pending_bytes_ = 0;
};

}  // namespace agent
