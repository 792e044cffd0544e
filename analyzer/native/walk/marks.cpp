#include "walk/marks.h"

#include <algorithm>

namespace record {
namespace {

std::size_t hash_of(std::uintptr_t number) { return number * 0x9E3779B97F4A7C15ull >> 32; }

}  // namespace

void Marks::open() {
    mask_ = kFirstSlots - 1;
    slots_ = static_cast<Chunk**>(map_bytes(kFirstSlots * sizeof(Chunk*)));
    stack_ = static_cast<const void**>(map_bytes(kStack * sizeof(void*)));
}

Marks::Chunk* Marks::find(const void* address) const {
    const std::uintptr_t number = reinterpret_cast<std::uintptr_t>(address) >> kChunkShift;
    if (last_ && last_->number == number) return last_;
    for (std::size_t at = hash_of(number) & mask_; slots_[at]; at = (at + 1) & mask_)
        if (slots_[at]->number == number) return last_ = slots_[at];
    return nullptr;
}

void Marks::insert(Chunk* chunk) {
    std::size_t at = hash_of(chunk->number) & mask_;
    while (slots_[at]) at = (at + 1) & mask_;
    slots_[at] = chunk;
}

Marks::Chunk* Marks::made_for(const void* address) {
    if (Chunk* const chunk = find(address)) return chunk;
    Chunk* const chunk = rows_.make<Chunk>();
    chunk->number = reinterpret_cast<std::uintptr_t>(address) >> kChunkShift;
    chunk->found = bits_.make<std::uint64_t>(kWords);
    chunk->handed = bits_.make<std::uint64_t>(kWords);
    chunks_.push(chunk);
    if (chunks_.size() * 2 > mask_) {
        munmap(slots_, (mask_ + 1) * sizeof(Chunk*));
        mask_ = mask_ * 2 + 1;
        slots_ = static_cast<Chunk**>(map_bytes((mask_ + 1) * sizeof(Chunk*)));
        for (Chunk* each : chunks_) insert(each);
    } else {
        insert(chunk);
    }
    return last_ = chunk;
}

void Marks::mark(const void* address) {
    Chunk* const chunk = made_for(address);
    const std::size_t bit = bit_of(address);
    const std::uint64_t mask = std::uint64_t{1} << (bit & 63);
    if (chunk->found[bit >> 6] & mask) return;
    chunk->found[bit >> 6] |= mask;
    if (depth_ < kStack)
        stack_[depth_++] = address;
    else
        has_left_out_ = true;
}

// What the stack had no room for is found by its bits, from where the last look ended.
void Marks::refill() {
    has_left_out_ = false;
    const std::size_t chunks = chunks_.size();
    for (std::size_t passed = 0; passed < chunks; passed++) {
        if (sweep_ >= chunks) sweep_ = 0;
        const Chunk& chunk = *chunks_[sweep_];
        for (std::size_t word = 0; word < kWords; word++)
            for (std::uint64_t bits = chunk.found[word] & ~chunk.handed[word]; bits; bits &= bits - 1) {
                if (depth_ == kStack) {
                    has_left_out_ = true;
                    return;
                }
                stack_[depth_++] = address_in(chunk, word, __builtin_ctzll(bits));
            }
        sweep_++;
    }
}

const void* Marks::next() {
    if (!depth_ && has_left_out_) refill();
    if (!depth_) return nullptr;
    const void* const address = stack_[--depth_];
    const std::size_t bit = bit_of(address);
    find(address)->handed[bit >> 6] |= std::uint64_t{1} << (bit & 63);
    return address;
}

void Marks::rank() {
    std::sort(chunks_.begin(), chunks_.end(), [](const Chunk* a, const Chunk* b) { return a->number < b->number; });
    for (Chunk* chunk : chunks_) {
        chunk->base = count_;
        std::uint32_t inside = 0;
        for (std::size_t word = 0; word < kWords; word++) {
            if (word % kGroup == 0) chunk->before[word / kGroup] = inside;
            inside += static_cast<std::uint32_t>(__builtin_popcountll(chunk->found[word]));
        }
        count_ += inside;
    }
    is_ranked_ = true;
}

std::uint32_t Marks::id_of(const void* address) const {
    const Chunk* const chunk = find(address);
    if (!chunk) return kNone;
    const std::size_t bit = bit_of(address), word = bit >> 6;
    const std::uint64_t mask = std::uint64_t{1} << (bit & 63);
    if (!(chunk->found[word] & mask)) return kNone;
    std::uint32_t id = chunk->base + chunk->before[word / kGroup];
    for (std::size_t i = word / kGroup * kGroup; i < word; i++)
        id += static_cast<std::uint32_t>(__builtin_popcountll(chunk->found[i]));
    return id + static_cast<std::uint32_t>(__builtin_popcountll(chunk->found[word] & (mask - 1)));
}

}  // namespace record
