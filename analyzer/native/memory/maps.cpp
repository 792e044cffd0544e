#include "memory/maps.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>

namespace record {
namespace {

// A line ends in the buffer or is cut there: no line of maps is longer than a path and its head.
constexpr std::size_t kBuffer = 16 * 1024;

bool hexadecimal(const char*& at, std::uint64_t* value) {
    const char* const start = at;
    for (*value = 0;; at++) {
        const char c = *at;
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) return at != start;
        *value = *value << 4 | static_cast<unsigned>(digit);
    }
}

std::uint64_t decimal(const char*& at) {
    std::uint64_t value = 0;
    for (; *at >= '0' && *at <= '9'; at++) value = value * 10 + static_cast<unsigned>(*at - '0');
    return value;
}

void skip_word(const char*& at) {
    while (*at && *at != ' ') at++;
    while (*at == ' ') at++;
}

// `7f00-7f01 rw-p 00000000 08:01 42    /path`
bool is_head(const char* line, Area* area) {
    const char* at = line;
    Area found{};
    if (!hexadecimal(at, &found.start) || *at++ != '-' || !hexadecimal(at, &found.end) || *at++ != ' ') return false;
    if (std::strlen(at) < 5 || found.end < found.start) return false;
    found.readable = at[0] == 'r';
    found.writable = at[1] == 'w';
    found.shared = at[3] == 's';
    skip_word(at);  // permissions
    skip_word(at);  // offset
    skip_word(at);  // device
    found.inode = decimal(at);
    while (*at == ' ') at++;
    std::strncpy(found.path, at, sizeof(found.path) - 1);
    *area = found;
    return true;
}

// `Rss:        12 kB`
bool is_figure(const char* line, const char* name, std::uint64_t* bytes) {
    const std::size_t length = std::strlen(name);
    if (std::strncmp(line, name, length) || line[length] != ':') return false;
    const char* at = line + length + 1;
    while (*at == ' ') at++;
    *bytes += decimal(at) * 1024;
    return true;
}

struct Lines {
    explicit Lines(const char* file) : descriptor(open(file, O_RDONLY | O_CLOEXEC)) {}
    ~Lines() {
        if (descriptor >= 0) close(descriptor);
    }
    Lines(const Lines&) = delete;
    Lines& operator=(const Lines&) = delete;

    // The next line without its end, null after the last one or on an error, which is in `error`.
    const char* next() {
        for (;;) {
            if (char* end = static_cast<char*>(std::memchr(buffer + first, '\n', last - first))) {
                const char* line = buffer + first;
                *end = 0;
                first = static_cast<std::size_t>(end - buffer) + 1;
                return line;
            }
            std::memmove(buffer, buffer + first, last - first);
            last -= first;
            first = 0;
            if (last == kBuffer) last = 0;  // no line is that long
            const ssize_t got = read(descriptor, buffer + last, kBuffer - last);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) error = errno;
            if (got <= 0) return nullptr;
            last += static_cast<std::size_t>(got);
        }
    }

    int descriptor, error = 0;
    std::size_t first = 0, last = 0;
    char buffer[kBuffer];
};

constexpr std::uint64_t kArena = std::uint64_t{64} << 20;  // HEAP_MAX_SIZE of a 64-bit glibc
constexpr std::uint64_t kMostGuard = 64 * 1024;

bool starts_with(const char* text, const char* start) { return !std::strncmp(text, start, std::strlen(start)); }

bool is_anonymous(const Area& area) {
    return !area.inode && !area.shared && (!area.path[0] || starts_with(area.path, "[anon"));
}

bool is_reserved(const Area& area) { return is_anonymous(area) && !area.readable && !area.writable; }

// Sorts one mapping after another into the totals. What a mapping is can depend on its neighbours: the
// one before it, and the one behind it, so that each waits until the next is known.
struct Sorter {
    MapTotals* totals;
    Area before{}, current{};
    bool has_current = false;

    void take(const Area& next) {
        if (has_current) sort(next);
        before = current;
        current = next;
        has_current = true;
    }

    void sort(const Area& next) {
        const std::uint64_t bytes = current.resident + current.swapped;
        totals->resident += current.resident;
        totals->swapped += current.swapped;
        totals->owned += current.owned;
        if (is_anonymous(current) || starts_with(current.path, "[heap]") || starts_with(current.path, "[stack"))
            totals->copied += current.resident > current.owned ? current.resident - current.owned : 0;
        totals->regions++;
        if (!std::strcmp(current.path, "[heap]")) {
            totals->heap += bytes;
        } else if (starts_with(current.path, "[stack")) {
            totals->stacks += bytes;
        } else if (!is_anonymous(current)) {
            if (current.shared && (starts_with(current.path, "/dev/shm/") || starts_with(current.path, "/memfd:") ||
                                   starts_with(current.path, "/SYSV") || starts_with(current.path, "/dev/zero")))
                totals->shared += bytes;
            else
                totals->files += bytes;
            totals->file_size += current.end - current.start;
        } else if (is_arena(next)) {
            totals->arenas += bytes;
            totals->arena_regions++;
        } else if (is_stack()) {
            totals->stacks += bytes;
        } else {
            totals->anonymous += bytes;
            if (current.readable || current.writable) totals->anonymous_size += current.end - current.start;
        }
    }

    // glibc reserves a thread arena's heap in pieces of 64 MB, aligned to that, and opens it page by page.
    bool is_arena(const Area& next) const {
        if (!current.writable || current.start % kArena) return false;
        if (current.end % kArena == 0) return false;  // a full one cannot be told from anybody's 64 MB
        return is_reserved(next) && next.start == current.end && next.end % kArena == 0;
    }

    // Of a thread: above a guard, and of a size that thread libraries give. Others have guards, too. From
    // 2.42 on glibc's guard is a page of the mapping itself, so that stacks side by side are one mapping.
    bool is_stack() const {
        if (!current.writable) return false;
        const bool guarded = is_reserved(before) && before.end == current.start;
        const std::uint64_t guard = guarded ? before.end - before.start : 0, size = current.end - current.start;
        if (guard > kMostGuard) return false;
        for (const std::uint64_t usual : {stack_limit, std::uint64_t{8} << 20, std::uint64_t{2} << 20}) {
            if (guarded && (size == usual || size + guard == usual)) return true;
            if (usual && size % (usual + page) == 0) return true;
        }
        return false;
    }

    static std::uint64_t stack_size_of_this_process() {
        rlimit limit{};
        return getrlimit(RLIMIT_STACK, &limit) == 0 ? static_cast<std::uint64_t>(limit.rlim_cur) : 0;
    }

    const std::uint64_t stack_limit = stack_size_of_this_process();
    const std::uint64_t page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
};

}  // namespace

int for_each_area(const char* file, void (*each)(const Area&, void*), void* context) {
    Lines lines(file);
    if (lines.descriptor < 0) return -1;
    Area area{}, next{};
    bool has_area = false;
    while (const char* line = lines.next()) {
        if (is_head(line, &next)) {
            if (has_area) each(area, context);
            area = next;
            has_area = true;
        } else if (has_area) {
            (void)(is_figure(line, "Rss", &area.resident) || is_figure(line, "Swap", &area.swapped) ||
                   is_figure(line, "Private_Clean", &area.owned) || is_figure(line, "Private_Dirty", &area.owned));
        }
    }
    if (has_area) each(area, context);
    errno = lines.error;
    return lines.error ? -1 : 0;
}

int map_totals(const char* file, MapTotals* totals) {
    *totals = MapTotals{};
    Sorter sorter{totals};
    const auto each = [](const Area& area, void* context) { static_cast<Sorter*>(context)->take(area); };
    const int result = for_each_area(file, each, &sorter);
    sorter.take(Area{});
    return result;
}

}  // namespace record
