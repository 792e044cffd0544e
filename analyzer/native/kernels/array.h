// Memory of the kernels: malloc'ed, so that running out is an answer and not an abort.
#pragma once
#include "csr.h"

#include <cstdlib>
#include <cstring>
#include <type_traits>

namespace kernels {

template <typename T>
class Array {
    static_assert(std::is_trivially_copyable_v<T>);

  public:
    Array() = default;
    Array(const Array&) = delete;
    Array& operator=(const Array&) = delete;
    ~Array() { std::free(items_); }

    // Uninitialised: pages that are never written cost nothing.
    [[nodiscard]] bool allocate(std::size_t count) {
        if (count > SIZE_MAX / sizeof(T)) return false;
        release();
        items_ = static_cast<T*>(std::malloc(count * sizeof(T) + 1));
        capacity_ = items_ == nullptr ? 0 : count;
        return items_ != nullptr;
    }

    [[nodiscard]] bool allocate_filled(std::size_t count, int byte) {
        if (!allocate(count)) return false;
        std::memset(static_cast<void*>(items_), byte, count * sizeof(T));
        return true;
    }

    // Zeros: pages of a large one that are never written take no memory.
    [[nodiscard]] bool allocate_zeroed(std::size_t count) {
        release();
        items_ = static_cast<T*>(std::calloc(count ? count : 1, sizeof(T)));
        capacity_ = items_ == nullptr ? 0 : count;
        return items_ != nullptr;
    }

    // Appends, growing by half; false when there is no memory.
    [[nodiscard]] bool push(T item) {
        if (size_ == capacity_ && !grow()) return false;
        items_[size_++] = item;
        return true;
    }

    // Appends where the caller has allocated enough.
    void append(T item) { items_[size_++] = item; }
    T pop() { return items_[--size_]; }
    void clear() { size_ = 0; }

    void release() {
        std::free(items_);
        items_ = nullptr;
        size_ = capacity_ = 0;
    }

    T* data() const { return items_; }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    T& back() const { return items_[size_ - 1]; }
    T& operator[](std::size_t i) const { return items_[i]; }

  private:
    bool grow() {
        const std::size_t wanted = capacity_ + capacity_ / 2 + 16;
        if (wanted > SIZE_MAX / sizeof(T)) return false;
        void* bigger = std::realloc(static_cast<void*>(items_), wanted * sizeof(T));
        if (bigger == nullptr) return false;
        items_ = static_cast<T*>(bigger);
        capacity_ = wanted;
        return true;
    }

    T* items_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace kernels
