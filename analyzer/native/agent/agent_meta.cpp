#include "agent/agent_meta.h"

#include "births/births.h"
#include "module.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace agent {
namespace {

constexpr std::size_t kBytes = 64 * 1024;

// Whether it may stand in JSON as it is.
bool is_plain(const char* text) {
    std::size_t length = 0;
    for (; text[length]; length++)
        if (static_cast<unsigned char>(text[length]) < 0x20 || text[length] == '"' || text[length] == '\\')
            return false;
    return length < 80;
}

}  // namespace

Meta::Meta(unsigned run, bool redacts_keys, bool is_dated) {
    void* const memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    text_ = memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
    if (!text_) return;
    timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    utsname machine{};
    uname(&machine);
    const auto flag = [](bool is_set) { return is_set ? "true" : "false"; };
    add(R"({"format": 1, "runtime": "cpython", "implementation": "cpython", "python": "%lu.%lu.%lu", )",
        Py_Version >> 24 & 255, Py_Version >> 16 & 255, Py_Version >> 8 & 255);
    add(R"("pid": %d, "time_unix": %ld.%03ld, "run": %u, "births": %s, "births_width": 16, "sites": false, )", getpid(),
        static_cast<long>(at.tv_sec), at.tv_nsec / 1000000, run, flag(is_dated));
    // Paths of source files are those of this file system, which is another one in a container.
    struct stat root{};
    if (stat("/", &root) == 0)
        add(R"("root": "%llu:%llu", )", static_cast<unsigned long long>(root.st_dev),
            static_cast<unsigned long long>(root.st_ino));
    add(R"("platform": "linux-%s", "leakscan": "%s", "attached": true, "redacted": %s, "stdlib_modules": [)",
        machine.machine, LEAKSCAN_VERSION, flag(redacts_keys));
    add_stdlib_modules();
    add("]}");
}

Meta::~Meta() {
    if (text_) munmap(text_, kBytes);
}

void Meta::add(const char* format, ...) {
    va_list values;
    va_start(values, format);
    const int length = std::vsnprintf(text_ + used_, kBytes - used_, format, values);
    va_end(values);
    if (length > 0 && static_cast<std::size_t>(length) < kBytes - used_) used_ += static_cast<std::size_t>(length);
}

// The reader may run another version, whose standard library is not the same.
void Meta::add_stdlib_modules() {
    PyObject* const names = PySys_GetObject("stdlib_module_names");  // borrowed
    // A program may have put anything there, and none of its code must run here.
    PyObject* const each = names && Py_IS_TYPE(names, &PyFrozenSet_Type) ? PyObject_GetIter(names) : nullptr;
    const char* comma = "";
    while (PyObject* const name = each ? PyIter_Next(each) : nullptr) {
        const char* const text = PyUnicode_Check(name) ? PyUnicode_AsUTF8AndSize(name, nullptr) : nullptr;
        if (text && is_plain(text) && used_ < kBytes - 256) {
            add("%s\"%s\"", comma, text);
            comma = ", ";
        }
        Py_DECREF(name);
    }
    Py_XDECREF(each);
    PyErr_Clear();
}

}  // namespace agent
