// Borrowed views of Python buffers with a checked element size.
#pragma once
#include "module.h"

#include <cstddef>
#include <cstdint>

// One-dimensional contiguous view of `T`; released on destruction. After `take` fails a Python
// exception is set: TypeError for a wrong item size or layout, BufferError when not writable.
template <typename T>
class Buffer {
  public:
    Buffer() = default;
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() {
        if (held_) PyBuffer_Release(&view_);
    }

    bool take(PyObject* source, bool writable, const char* name) {
        const int flags = PyBUF_C_CONTIGUOUS | (writable ? PyBUF_WRITABLE : 0);
        if (PyObject_GetBuffer(source, &view_, flags) < 0) return false;
        held_ = true;
        if (view_.len % static_cast<Py_ssize_t>(sizeof(T)) != 0 ||
            (view_.itemsize != static_cast<Py_ssize_t>(sizeof(T)) && view_.itemsize != 1)) {
            PyErr_Format(PyExc_TypeError, "%s: expected items of %d bytes", name, static_cast<int>(sizeof(T)));
            return false;
        }
        // An empty array may point anywhere.
        if (view_.len != 0 && reinterpret_cast<std::uintptr_t>(view_.buf) % alignof(T) != 0) {
            PyErr_Format(PyExc_TypeError, "%s: buffer is not aligned", name);
            return false;
        }
        return true;
    }

    T* data() const { return static_cast<T*>(view_.buf); }
    std::size_t size() const { return static_cast<std::size_t>(view_.len) / sizeof(T); }
    T& operator[](std::size_t i) const { return data()[i]; }

  private:
    Py_buffer view_{};
    bool held_ = false;
};

// The memory seen so far: an output that overlaps another array could undo the checks made on it.
class Ranges {
  public:
    bool add(const void* start, std::size_t bytes, bool is_output, const char* name) {
        if (bytes == 0) return true;
        const Range range{reinterpret_cast<std::uintptr_t>(start), bytes, is_output, name};
        for (std::size_t i = 0; i < count_; ++i) {
            const Range& other = ranges_[i];
            const bool is_apart = range.start + range.bytes <= other.start || other.start + other.bytes <= range.start;
            if (is_apart || !(range.is_output || other.is_output)) continue;
            PyErr_Format(PyExc_ValueError, "%s: overlaps %s", name, other.name);
            return false;
        }
        ranges_[count_++] = range;
        return true;
    }

    template <typename T>
    bool take(Buffer<T>& buffer, PyObject* source, bool is_output, const char* name) {
        return buffer.take(source, is_output, name) && add(buffer.data(), buffer.size() * sizeof(T), is_output, name);
    }

  private:
    struct Range {
        std::uintptr_t start;
        std::size_t bytes;
        bool is_output;
        const char* name;
    };
    static constexpr std::size_t kMostArguments = 24;
    Range ranges_[kMostArguments];
    std::size_t count_ = 0;
};
