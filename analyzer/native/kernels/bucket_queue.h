// Dial's queue: a ring of first-in-first-out buckets, one for each distance in a window of 65536.
#pragma once
#include "array.h"

#include <bit>

namespace kernels {

struct QueueEntry {
    u32 object;
    u32 ref;  // the reference it was reached by, kNo for a root; tells a stale entry from the latest
};

class BucketQueue {
  public:
    static constexpr u32 kWindow = 1u << 16;

    [[nodiscard]] bool allocate() {
        return heads_.allocate_filled(kWindow, 0xFF) && tails_.allocate(kWindow) &&
               occupied_.allocate_filled(kWords, 0) && summary_.allocate_filled(kWords / 64, 0);
    }

    // All entries in the queue lie in [d, d + 65535] for some d.
    [[nodiscard]] bool push(u32 distance, QueueEntry entry) {
        const u32 bucket = distance % kWindow;
        const bool is_empty = heads_[bucket] == kNo;
        if (is_empty || blocks_[tails_[bucket]].count == kBlockEntries) {
            u32 block = kNo;
            if (!new_block(block)) return false;
            if (is_empty) {
                heads_[bucket] = block;
                occupied_[bucket / 64] |= u64{1} << (bucket % 64);
                summary_[bucket / 4096] |= u64{1} << (bucket / 64 % 64);
            } else {
                blocks_[tails_[bucket]].next = block;
            }
            tails_[bucket] = block;
        }
        Block& last = blocks_[tails_[bucket]];
        last.entries[last.count++] = entry;
        return true;
    }

    // Lets go of all memory; the queue can only be allocated again.
    void release() {
        heads_.release();
        tails_.release();
        occupied_.release();
        summary_.release();
        blocks_.release();
        free_ = kNo;
    }

    // The smallest distance at or after `from` with entries; kNo when the queue is empty.
    u32 next(u32 from) const {
        const u32 start = from % kWindow;
        const u64 rest = occupied_[start / 64] >> (start % 64);
        if (rest != 0) return from + static_cast<u32>(std::countr_zero(rest));
        for (u32 step = 0, word = start / 64 + 1; step <= kWords; ++step, ++word) {
            word %= kWords;
            const u64 words_left = summary_[word / 64] >> (word % 64);
            if (words_left == 0) {
                const u32 skipped = 63 - word % 64;
                step += skipped;
                word += skipped;
                continue;
            }
            const u32 skipped = static_cast<u32>(std::countr_zero(words_left));
            step += skipped;
            word += skipped;
            const u32 bucket = word * 64 + static_cast<u32>(std::countr_zero(occupied_[word]));
            return from + (bucket - start) % kWindow;
        }
        return kNo;
    }

    // Moves the entries of one distance to the end of `out`, in the order they were pushed.
    [[nodiscard]] bool drain(u32 distance, Array<QueueEntry>& out) {
        const u32 bucket = distance % kWindow;
        const u32 first = heads_[bucket];
        if (first == kNo) return true;
        for (u32 at = first; at != kNo; at = blocks_[at].next) {
            const Block& block = blocks_[at];
            for (u32 i = 0; i < block.count; ++i)
                if (!out.push(block.entries[i])) return false;
        }
        blocks_[tails_[bucket]].next = free_;
        free_ = first;
        heads_[bucket] = kNo;
        occupied_[bucket / 64] &= ~(u64{1} << (bucket % 64));
        if (occupied_[bucket / 64] == 0) summary_[bucket / 4096] &= ~(u64{1} << (bucket / 64 % 64));
        return true;
    }

  private:
    static constexpr u32 kWords = kWindow / 64;
    static constexpr u32 kBlockEntries = 31;
    struct Block {  // 256 bytes: read in order, where single links would be a cache miss each
        u32 next;
        u32 count;
        QueueEntry entries[kBlockEntries];
    };

    bool new_block(u32& block) {
        if (free_ != kNo) {
            block = free_;
            free_ = blocks_[block].next;
        } else {
            block = static_cast<u32>(blocks_.size());
            if (!blocks_.push({})) return false;
        }
        blocks_[block].next = kNo;
        blocks_[block].count = 0;
        return true;
    }

    Array<u32> heads_, tails_;
    Array<u64> occupied_, summary_;
    Array<Block> blocks_;
    u32 free_ = kNo;
};

}  // namespace kernels
