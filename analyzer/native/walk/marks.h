// Which objects there are, where memory is too short for a table of them: one bit for each eight bytes that hold any.
// A first walk marks, a second one writes; an object's number is its rank by address. Two bits for each eight bytes
// while it marks: 3.2 % of the heap, whatever the size of the objects.
#pragma once
#include "walk/memory.h"

namespace record {

class Marks {
  public:
    static constexpr std::uint32_t kNone = 0xFFFFFFFF;

    void open();
    // The first walk. Marked addresses are handed out once each, in any order; null when there are no more.
    void mark(const void* address);
    const void* next();
    // Between the walks: numbers are given.
    void rank();
    // The second walk.
    bool is_ranked() const { return is_ranked_; }
    std::uint32_t count() const { return count_; }
    // kNone where the first walk did not come.
    std::uint32_t id_of(const void* address) const;
    template <class F>
    void for_each(F&& each) const {
        std::uint32_t id = 0;
        for (const Chunk* chunk : chunks_)
            for (std::size_t word = 0; word < kWords; word++)
                for (std::uint64_t bits = chunk->found[word]; bits; bits &= bits - 1)
                    each(id++, address_in(*chunk, word, __builtin_ctzll(bits)));
    }

  private:
    static constexpr int kChunkShift = 20;  // bytes of the heap
    static constexpr std::size_t kWords = (std::size_t{1} << kChunkShift) / 8 / 64, kGroup = 8;
    static constexpr std::size_t kFirstSlots = 1 << 10, kStack = 1 << 16;
    struct Chunk {
        std::uintptr_t number;
        std::uint64_t *found, *handed;
        std::uint32_t base;
        std::uint32_t before[kWords / kGroup];  // of each group of words, from the chunk's start
    };

    static const void* address_in(const Chunk& chunk, std::size_t word, int bit) {
        return reinterpret_cast<const void*>((chunk.number << kChunkShift) +
                                             ((word * 64 + static_cast<unsigned>(bit)) << 3));
    }
    static std::size_t bit_of(const void* address) {
        return (reinterpret_cast<std::uintptr_t>(address) >> 3) & (kWords * 64 - 1);
    }
    Chunk* find(const void* address) const;
    Chunk* made_for(const void* address);
    void insert(Chunk* chunk);
    void refill();

    Arena bits_, rows_;
    Array<Chunk*> chunks_;
    Chunk** slots_ = nullptr;
    std::size_t mask_ = 0;
    mutable Chunk* last_ = nullptr;
    const void** stack_ = nullptr;
    std::size_t depth_ = 0, sweep_ = 0;
    bool has_left_out_ = false, is_ranked_ = false;
    std::uint32_t count_ = 0;
};

}  // namespace record
