// Which object has which number: open addressing over 4-byte ids, 8 bytes for each object, and the
// number of counted references seen so far packed beside the address. At most 16 bytes an object: the
// table grows by half when it is three quarters full, so a slot takes 5.3 to 8 bytes an object.
#pragma once
#include "walk/marks.h"
#include "walk/memory.h"

namespace record {

class Nodes {
  public:
    static constexpr std::uint32_t kNone = 0xFFFFFFFF;
    static constexpr std::uint64_t kSeenLimit = (1u << 18) - 1;

    void open() { resize(kFirstSlots); }
    // Instead of `open`: no table, and nothing is known of counted references (marks.h).
    void use(Marks* marks) { marks_ = marks; }
    // Whether a reference led to what the marking walk had not met; it then has the number behind the last.
    bool has_strays() const { return has_strays_; }
    std::uint32_t count() const { return static_cast<std::uint32_t>(entries_.size()); }
    const void* address(std::uint32_t id) const {
        return reinterpret_cast<const void*>((entries_[id] & kAddressMask) << 3);
    }
    bool is_frame(std::uint32_t id) const { return entries_[id] & kFrameBit; }
    // Counted references seen so far; kSeenLimit = that many or more.
    std::uint64_t seen(std::uint32_t id) const { return entries_[id] >> kSeenShift; }
    void add_seen(std::uint32_t id) {
        if (marks_) return;
        if (seen(id) < kSeenLimit) entries_[id] += std::uint64_t{1} << kSeenShift;
    }

    void prefetch(const void* address) const { __builtin_prefetch(&table_[start(address)]); }
    void prefetch_entry(const void* address) const {
        if (marks_) return;
        const std::uint32_t held = table_[start(address)];
        if (held) __builtin_prefetch(&entries_[held - 1]);
    }
    std::uint32_t find(const void* address) const {
        if (marks_) return marks_->id_of(address);
        const std::uint64_t wanted = pack(address);
        for (std::size_t at = start(address);; at = after(at)) {
            const std::uint32_t held = table_[at];
            if (!held) return kNone;
            if ((entries_[held - 1] & kAddressMask) == wanted) return held - 1;
        }
    }
    std::uint32_t intern(const void* address, bool frame = false) {
        if (marks_) return mark_or_find(address);
        const std::uint64_t wanted = pack(address);
        std::size_t at = start(address);
        for (;; at = after(at)) {
            const std::uint32_t held = table_[at];
            if (!held) break;
            if ((entries_[held - 1] & kAddressMask) == wanted) return held - 1;
        }
        entries_.push(wanted | (frame ? kFrameBit : 0));
        table_[at] = count();
        if (entries_.size() * 4 > slots_ * 3) resize(slots_ + slots_ / 2);
        return count() - 1;
    }

  private:
    // 48 address bits (user space of x86-64 and aarch64), the low three always 0.
    static constexpr std::uint64_t kAddressMask = (std::uint64_t{1} << 45) - 1;
    static constexpr std::uint64_t kFrameBit = std::uint64_t{1} << 45;
    static constexpr int kSeenShift = 46;
    static constexpr std::size_t kFirstSlots = 1 << 16;

    std::uint32_t mark_or_find(const void* address) {
        if (!marks_->is_ranked()) {
            marks_->mark(address);
            return 0;
        }
        const std::uint32_t id = marks_->id_of(address);
        if (id != kNone) return id;
        has_strays_ = true;
        return marks_->count();
    }
    static std::uint64_t pack(const void* address) {
        return (reinterpret_cast<std::uintptr_t>(address) >> 3) & kAddressMask;
    }
    // Neighbours in a page stay neighbours in the table, pages are scattered: objects that are
    // allocated together are referenced together, so one cache line serves several look-ups.
    std::size_t start(const void* address) const {
        const std::uint64_t word = reinterpret_cast<std::uintptr_t>(address);
        const std::uint64_t page = ((word >> 10) * 0x9E3779B97F4A7C15ull) >> 32;
        return wrapped((page * slots_ >> 32) + ((word >> 5) & 31));
    }
    std::size_t after(std::size_t at) const { return wrapped(at + 1); }
    std::size_t wrapped(std::size_t at) const { return at < slots_ ? at : at - slots_; }
    void resize(std::size_t slots) {
        // Unmapped first: the new one is filled from the entries, and both at once would be half as much again.
        if (table_) munmap(table_, slots_ * sizeof(std::uint32_t));
        table_ = static_cast<std::uint32_t*>(map_bytes(slots * sizeof(std::uint32_t)));
        slots_ = slots;
        for (std::uint32_t id = 0; id < count(); id++) {
            std::size_t at = start(address(id));
            while (table_[at]) at = after(at);
            table_[at] = id + 1;
        }
    }

    Array<std::uint64_t> entries_;
    Marks* marks_ = nullptr;
    bool has_strays_ = false;
    std::uint32_t* table_ = nullptr;
    std::size_t slots_ = 0;
};

}  // namespace record
