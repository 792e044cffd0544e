#include "guard/limits.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace guard {
namespace {

constexpr std::size_t kTextBytes = 16 * 1024;

Bytes sum_in(const char* text, const char* const (&names)[3]) {
    Bytes sum = 0;
    for (const char* name : names) sum += name ? figure_in(text, name, 0) : 0;
    return sum;
}

// What the kernel gives up before it kills: clean pages of files that nobody has mapped.
Bytes reclaimable(const char* folder, Kind kind) {
    constexpr const char* kFree1[] = {"total_inactive_file", "total_active_file", nullptr};
    constexpr const char* kKept1[] = {"total_dirty", "total_writeback", "total_mapped_file"};
    constexpr const char* kFree2[] = {"inactive_file", "active_file", nullptr};
    constexpr const char* kKept2[] = {"file_dirty", "file_writeback", "file_mapped"};
    char path[300], text[kTextBytes];
    std::snprintf(path, sizeof path, "%s/memory.stat", folder);
    if (!text_of(path, text, sizeof text)) return 0;
    const bool is_first = kind == Kind::CGROUP_1;
    const Bytes free = sum_in(text, is_first ? kFree1 : kFree2) - sum_in(text, is_first ? kKept1 : kKept2);
    return free > 0 ? free : 0;
}

bool has_word(const char* words, const char* word) {
    const std::size_t length = std::strlen(word);
    for (const char* at = words; (at = std::strstr(at, word)); at += length) {
        const bool begins = at == words || at[-1] == ',';
        const char end = at[length];
        if (begins && (!end || end == ',' || end == ' ' || end == '\n')) return true;
    }
    return false;
}

// The `index`th field of a line whose fields are separated by single spaces.
bool field_of(const char* line, int index, char* into, std::size_t capacity) {
    for (; index > 0; index--) {
        line = std::strchr(line, ' ');
        if (!line) return false;
        line++;
    }
    const std::size_t length = std::strcspn(line, " \n");
    if (length >= capacity) return false;
    std::memcpy(into, line, length);
    into[length] = 0;
    return true;
}

bool begins_below(const char* path, const char* root) {
    const std::size_t length = std::strlen(root);
    return !std::strncmp(path, root, length) && (!path[length] || path[length] == '/');
}

bool is_folder(const char* path) { return access(path, F_OK) == 0; }

// Where this hierarchy is mounted, and which part of it.
struct Mount {
    char root[256], top[256];
};

bool is_mount_of(const char* line, Kind kind, Mount* into) {
    const char* const rest = std::strstr(line, " - ");
    if (!rest || (std::strchr(line, '\n') && rest > std::strchr(line, '\n'))) return false;
    char type[32], options[256];
    if (!field_of(rest + 3, 0, type, sizeof type)) return false;
    if (std::strcmp(type, kind == Kind::CGROUP_2 ? "cgroup2" : "cgroup")) return false;
    if (kind == Kind::CGROUP_1 && (!field_of(rest + 3, 2, options, sizeof options) || !has_word(options, "memory")))
        return false;
    return field_of(line, 3, into->root, sizeof into->root) && field_of(line, 4, into->top, sizeof into->top);
}

// Line by line, for mountinfo may be longer than any buffer that is worth having.
bool find_mount(const char* proc, Kind kind, Mount* into) {
    char path[300];
    std::snprintf(path, sizeof path, "%s/self/mountinfo", proc);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    char buffer[8 * 1024];
    std::size_t held = 0;
    bool is_found = false;
    while (!is_found) {
        const ssize_t got = read(file, buffer + held, sizeof buffer - 1 - held);
        if (got > 0) held += static_cast<std::size_t>(got);
        buffer[held] = 0;
        char* line = buffer;
        for (char* end; !is_found && (end = std::strchr(line, '\n')); line = end + 1) {
            *end = 0;
            is_found = is_mount_of(line, kind, into);
        }
        if (got <= 0) break;
        held -= static_cast<std::size_t>(line - buffer);
        std::memmove(buffer, line, held);
        if (held == sizeof buffer - 1) held = 0;  // no line is that long
    }
    close(file);
    return is_found;
}

bool read_address_space(Reading* into) {
    rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY) return false;
    char text[256];
    if (!text_of("/proc/self/statm", text, sizeof text)) return false;
    const Bytes used = std::atoll(text) * sysconf(_SC_PAGESIZE);
    const auto most = static_cast<Bytes>(limit.rlim_cur);
    *into = {most, most - used, Kind::ADDRESS_SPACE, false};
    return true;
}

}  // namespace

const char* Reading::name() const {
    switch (kind) {
        case Kind::CGROUP_1: return "memory.limit_in_bytes";
        case Kind::CGROUP_2: return "memory.max";
        case Kind::ADDRESS_SPACE: return "ulimit -v";
        case Kind::MACHINE: return "this machine";
        case Kind::GIVEN: break;
    }
    return "the limit that was given";
}

std::size_t text_of(const char* path, char* into, std::size_t capacity) {
    into[0] = 0;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    std::size_t length = 0;
    while (length < capacity - 1) {
        const ssize_t got = read(file, into + length, capacity - 1 - length);
        if (got <= 0) break;
        length += static_cast<std::size_t>(got);
    }
    close(file);
    into[length] = 0;
    return length;
}

Bytes number_in(const char* path, Bytes missing) {
    char text[64];
    if (!text_of(path, text, sizeof text) || text[0] < '0' || text[0] > '9') return missing;
    return std::strtoll(text, nullptr, 10);
}

Bytes figure_in(const char* text, const char* name, Bytes missing) {
    const std::size_t length = std::strlen(name);
    for (const char* line = text; line; line = std::strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (std::strncmp(line, name, length) || (line[length] != ' ' && line[length] != '\t')) continue;
        return std::strtoll(line + length, nullptr, 10);
    }
    return missing;
}

Bytes resident_bytes() {
    char text[256];
    if (!text_of("/proc/self/statm", text, sizeof text)) return 0;
    const char* const second = std::strchr(text, ' ');
    return second ? std::atoll(second + 1) * sysconf(_SC_PAGESIZE) : 0;
}

bool Limits::read_machine(Reading* into) const {
    char path[300], text[4096];
    std::snprintf(path, sizeof path, "%s/meminfo", proc_);
    if (!text_of(path, text, sizeof text)) return false;
    const Bytes all = figure_in(text, "MemTotal:", 0) * 1024, left = figure_in(text, "MemAvailable:", 0) * 1024;
    *into = {all, left, Kind::MACHINE, false};
    return all > 0;
}

void Limits::find(Bytes given, const char* proc) {
    given_ = given;
    proc_ = proc;
    count_ = 0;
    char own[300], text[8 * 1024];
    std::snprintf(own, sizeof own, "%s/self/cgroup", proc);
    text_of(own, text, sizeof text);
    char* line = text;
    for (char* end; line && *line; line = end ? end + 1 : nullptr) {
        if ((end = std::strchr(line, '\n'))) *end = 0;
        char* const controllers = std::strchr(line, ':');
        char* const path = controllers ? std::strchr(controllers + 1, ':') : nullptr;
        if (!path) continue;
        *path = 0;
        if (!controllers[1])
            add_cgroups(Kind::CGROUP_2, path + 1);
        else if (has_word(controllers + 1, "memory"))
            add_cgroups(Kind::CGROUP_1, path + 1);
    }
}

// The folder and each one above it, up to where the hierarchy is mounted.
void Limits::add_cgroups(Kind kind, const char* path) {
    Mount mount;
    if (!find_mount(proc_, kind, &mount)) return;
    const char* const root = std::strcmp(mount.root, "/") ? mount.root : "";
    const char* const below = begins_below(path, root) ? path + std::strlen(root) : path;
    char folder[kPathBytes];
    const int length = std::snprintf(folder, sizeof folder, "%s%s", mount.top, below);
    // A path that leads out of this namespace, or is not mounted here: the part that is seen counts.
    if (length < 0 || static_cast<std::size_t>(length) >= sizeof folder || std::strstr(below, "..") ||
        !is_folder(folder))
        std::snprintf(folder, sizeof folder, "%.250s", mount.top);
    const std::size_t top = std::strlen(mount.top);
    for (std::size_t end = std::strlen(folder); count_ < kMost && end >= top && end > 0;) {
        folder[end] = 0;
        while (end > top && folder[end - 1] == '/') folder[--end] = 0;
        std::memcpy(groups_[count_].folder, folder, end + 1);
        groups_[count_++].kind = kind;
        if (end <= top) break;
        while (end > top && folder[end - 1] != '/') end--;
    }
}

bool Limits::read_cgroup(const Cgroup& group, Reading* into) const {
    char path[kPathBytes + 40];
    const bool is_first = group.kind == Kind::CGROUP_1;
    const auto number = [&](const char* name) {
        std::snprintf(path, sizeof path, "%s/%s", group.folder, name);
        return number_in(path, kNoLimit);
    };
    Bytes limit = number(is_first ? "memory.limit_in_bytes" : "memory.max");
    if (!is_first) {
        // Above `high` the program is slowed until it stands still: that is an end, too.
        const Bytes high = number("memory.high");
        limit = high < limit ? high : limit;
    }
    if (limit >= kNoLimit) return false;
    const Bytes used = number(is_first ? "memory.usage_in_bytes" : "memory.current");
    if (used >= kNoLimit) return false;
    const Bytes free = used > limit / 2 ? reclaimable(group.folder, group.kind) : 0;
    *into = {limit, limit - used + free, group.kind, !is_first && number("memory.oom.group") == 1};
    return true;
}

bool Limits::narrowest(Reading* into) const {
    bool is_known = false;
    const auto consider = [&](const Reading& reading) {
        if (is_known && into->room <= reading.room) return;
        *into = reading;
        is_known = true;
    };
    Reading reading;
    for (std::size_t i = 0; i < count_; i++)
        if (read_cgroup(groups_[i], &reading)) consider(reading);
    if (read_address_space(&reading)) consider(reading);
    if (read_machine(&reading)) consider(reading);
    if (given_ > 0) consider({given_, given_ - resident_bytes(), Kind::GIVEN, false});
    return is_known;
}

}  // namespace guard
