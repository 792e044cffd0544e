// Memory of the recording child: mmap only, because malloc's locks may be held by a thread that
// does not exist on this side of the fork.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace record {

// Exit codes of the child: an errno up to 199 means "could not write" (or no memory: ENOMEM).
inline constexpr int kExitCrashed = 250;

// Ends the child. Near a memory limit a process that is being torn down no longer counts as one that the kernel
// could kill, while its pages are not free yet: what is big is given back before, while it still does.
[[noreturn]] void leave(int code);

inline void* map_bytes(std::size_t bytes) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) leave(ENOMEM);
    return memory;
}

// A growing array of trivially copyable items; never freed, the process ends first.
template <typename T>
class Array {
  public:
    std::size_t size() const { return size_; }
    T& operator[](std::size_t i) { return items_[i]; }
    const T& operator[](std::size_t i) const { return items_[i]; }
    T* begin() { return items_; }
    T* end() { return items_ + size_; }
    const T* begin() const { return items_; }
    const T* end() const { return items_ + size_; }
    void clear() { size_ = 0; }
    T& push(const T& item) {
        if (size_ == capacity_) grow();
        items_[size_] = item;
        return items_[size_++];
    }

  private:
    void grow() {
        const std::size_t bytes = capacity_ * sizeof(T);
        const std::size_t wanted = bytes ? bytes * 2 : 64 * 1024;
#if defined(__linux__)
        void* memory = bytes ? mremap(items_, bytes, wanted, MREMAP_MAYMOVE) : map_bytes(wanted);
        if (memory == MAP_FAILED) leave(ENOMEM);
#else
        void* memory = map_bytes(wanted);
        if (bytes) {
            std::memcpy(memory, items_, bytes);
            munmap(items_, bytes);
        }
#endif
        items_ = static_cast<T*>(memory);
        capacity_ = wanted / sizeof(T);
    }
    T* items_ = nullptr;
    std::size_t size_ = 0, capacity_ = 0;
};

// Small permanent allocations (type plans, their fields).
class Arena {
  public:
    template <typename T>
    T* make(std::size_t count = 1) {
        const std::size_t bytes = (count * sizeof(T) + 15) & ~std::size_t{15};
        if (bytes > left_) {
            left_ = bytes > kBlock ? bytes : kBlock;
            next_ = static_cast<char*>(map_bytes(left_));
        }
        T* made = reinterpret_cast<T*>(next_);
        next_ += bytes;
        left_ -= bytes;
        return made;
    }

  private:
    static constexpr std::size_t kBlock = 256 * 1024;
    char* next_ = nullptr;
    std::size_t left_ = 0;
};

}  // namespace record
