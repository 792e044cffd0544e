// Taking arrays through the door: length, indices and overlap are checked before a kernel runs.
#pragma once
#include "../buffer.h"
#include "csr.h"
#include "kernels.h"

namespace kernels {

inline constexpr std::size_t kAnyLength = SIZE_MAX;

// One array argument: false with a Python exception set when it does not fit.
template <typename T>
bool take(Buffer<T>& buffer, PyObject* source, const char* name, std::size_t length, bool is_output, Ranges& ranges) {
    if (!buffer.take(source, is_output, name)) return false;
    if (length != kAnyLength && buffer.size() != length) {
        PyErr_Format(PyExc_ValueError, "%s: expected %zu items, got %zu", name, length, buffer.size());
        return false;
    }
    if (buffer.size() > kMost + 1) {
        PyErr_Format(PyExc_ValueError, "%s: too many items", name);
        return false;
    }
    return ranges.add(buffer.data(), buffer.size() * sizeof(T), is_output, name);
}

template <typename T>
bool read(Buffer<T>& buffer, PyObject* source, const char* name, std::size_t length, Ranges& ranges) {
    return take(buffer, source, name, length, false, ranges);
}

template <typename T>
bool write(Buffer<T>& buffer, PyObject* source, const char* name, std::size_t length, Ranges& ranges) {
    return take(buffer, source, name, length, true, ranges);
}

// None is no array: `items` becomes null.
template <typename T>
bool read_optional(Buffer<T>& buffer, const T*& items, PyObject* source, const char* name, std::size_t length,
                   Ranges& ranges) {
    items = nullptr;
    if (source == Py_None) return true;
    if (!read(buffer, source, name, length, ranges)) return false;
    items = buffer.data();
    return true;
}

// Every item is below `limit`, or equal to kNo where that is allowed.
inline bool check_indices(const Buffer<u32>& indices, u64 limit, bool may_be_none, const char* name) {
    const u32* const items = indices.data();
    const std::size_t count = indices.size();
    // Wrapping by one turns kNo into 0 and keeps the order of all others.
    const u32 shift = may_be_none ? 1 : 0;
    u32 greatest = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const u32 shifted = items[i] + shift;
        greatest = shifted > greatest ? shifted : greatest;
    }
    if (count == 0 || greatest < limit + shift) return true;
    PyErr_Format(PyExc_ValueError, "%s: %u is not below %llu", name, greatest - shift,
                 static_cast<unsigned long long>(limit));
    return false;
}

struct CsrArrays {
    Buffer<u64> first;
    Buffer<u32> targets;
    Csr csr{};

    bool read_from(PyObject* first_source, PyObject* targets_source, Ranges& ranges) {
        if (!read(first, first_source, "first_ref", kAnyLength, ranges) ||
            !read(targets, targets_source, "targets", kAnyLength, ranges))
            return false;
        if (first.size() == 0) {
            PyErr_SetString(PyExc_ValueError, "first_ref: expected at least one item");
            return false;
        }
        const std::size_t objects = first.size() - 1;
        if (objects > kMost || targets.size() > kMost) {
            PyErr_SetString(PyExc_ValueError, "more than 4294967280 objects or references");
            return false;
        }
        bool is_rising = first[0] == 0 && first[objects] == targets.size();
        for (std::size_t i = 0; i < objects; ++i) is_rising &= first[i] <= first[i + 1];
        if (!is_rising) {
            PyErr_SetString(PyExc_ValueError, "first_ref: must rise from 0 to the number of references");
            return false;
        }
        if (!check_indices(targets, objects, false, "targets")) return false;
        csr = {first.data(), targets.data(), static_cast<u32>(objects), static_cast<u32>(targets.size())};
        return true;
    }
};

struct ItemArray {
    Buffer<u32> buffer;

    bool read_from(PyObject* source, const char* name, u64 limit, Ranges& ranges) {
        return read(buffer, source, name, kAnyLength, ranges) && check_indices(buffer, limit, false, name);
    }
    Items items() const { return {buffer.data(), static_cast<u32>(buffer.size())}; }
};

// Releases the GIL while it lives; the interrupt takes it back for a moment to look for Ctrl-C.
class Unlocked {
  public:
    Unlocked() : interrupt(poll, this), state_(PyEval_SaveThread()) {}
    Unlocked(const Unlocked&) = delete;
    Unlocked& operator=(const Unlocked&) = delete;
    ~Unlocked() { PyEval_RestoreThread(state_); }

    Interrupt interrupt;

  private:
    static bool poll(void* self) {
        auto* const unlocked = static_cast<Unlocked*>(self);
        PyEval_RestoreThread(unlocked->state_);
        const bool is_interrupted = PyErr_CheckSignals() < 0;
        unlocked->state_ = PyEval_SaveThread();
        return is_interrupted;
    }
    PyThreadState* state_;
};

// Runs `work(interrupt)` without the GIL; false with MemoryError or what the signal handler raised.
template <typename Work>
bool run_unlocked(Work work) {
    Status status;
    {
        Unlocked unlocked;
        status = work(unlocked.interrupt);
    }
    if (status == Status::NO_MEMORY) PyErr_NoMemory();
    return status == Status::OK;
}

}  // namespace kernels
