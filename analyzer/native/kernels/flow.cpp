// Each phase sends a blocking flow through the breadth-first levels. A node collects as much as it can
// pass on before it returns to the node above, so a long common way is walked once per phase and not
// once per augmenting path. O(V^2 E) at worst; a few phases on heaps, whose cuts are small.
#include "flow.h"

#include <algorithm>

namespace kernels {

bool FlowNetwork::add_node(u32& node) {
    if (first_.size() >= kMost) return false;
    node = static_cast<u32>(first_.size());
    return first_.push(kNo);
}

bool FlowNetwork::add_arc(u32 from, u32 to, u64 capacity) {
    if (arcs_.size() + 2 > kMost) return false;
    const u32 arc = static_cast<u32>(arcs_.size());
    if (!arcs_.push({capacity, to, first_[from]})) return false;
    first_[from] = arc;
    if (!arcs_.push({0, from, first_[to]})) return false;
    first_[to] = arc + 1;
    return true;
}

Status FlowNetwork::maximise(u64& flow, Interrupt& interrupt) {
    const std::size_t nodes = first_.size();
    if (!level_.allocate(nodes) || !current_.allocate(nodes) || !queue_.allocate(nodes)) return Status::NO_MEMORY;
    flow = 0;
    for (;;) {
        bool reaches_sink = false;
        if (const Status status = set_levels(reaches_sink, interrupt); status != Status::OK) return status;
        if (!reaches_sink) return Status::OK;
        u64 sent = 0;
        if (const Status status = block(sent, interrupt); status != Status::OK) return status;
        flow += sent;
    }
}

Status FlowNetwork::set_levels(bool& reaches_sink, Interrupt& interrupt) {
    std::fill_n(level_.data(), first_.size(), kNo);
    queue_.clear();
    queue_.append(kSource);
    level_[kSource] = 0;
    for (std::size_t at = 0; at < queue_.size() && level_[kSink] == kNo; ++at) {
        if (interrupt.requested()) return Status::INTERRUPTED;
        const u32 node = queue_[at];
        for (u32 arc = first_[node]; arc != kNo; arc = arcs_[arc].next) {
            const u32 to = arcs_[arc].to;
            if (arcs_[arc].capacity == 0 || level_[to] != kNo) continue;
            level_[to] = level_[node] + 1;
            queue_.append(to);
        }
    }
    reaches_sink = level_[kSink] != kNo;
    std::copy_n(first_.data(), first_.size(), current_.data());
    return Status::OK;
}

Status FlowNetwork::block(u64& sent, Interrupt& interrupt) {
    frames_.clear();
    if (!frames_.push({kSource, kUnlimited, 0})) return Status::NO_MEMORY;
    for (;;) {
        if (interrupt.requested()) return Status::INTERRUPTED;
        Frame& frame = frames_.back();
        const u32 node = frame.node;
        if (node == kSink) frame.sent = frame.wanted;

        u32 arc = kNo;
        if (frame.sent < frame.wanted)
            for (arc = current_[node]; arc != kNo; arc = arcs_[arc].next)
                if (arcs_[arc].capacity != 0 && level_[arcs_[arc].to] == level_[node] + 1) break;
        if (node != kSink && frame.sent < frame.wanted) current_[node] = arc;
        if (arc != kNo) {
            const u64 wanted = std::min(frame.wanted - frame.sent, arcs_[arc].capacity);
            if (!frames_.push({arcs_[arc].to, wanted, 0})) return Status::NO_MEMORY;
            continue;
        }

        const Frame done = frames_.pop();
        if (frames_.empty()) {
            sent = done.sent;
            return Status::OK;
        }
        Frame& above = frames_.back();
        const u32 used = current_[above.node];
        arcs_[used].capacity -= done.sent;
        arcs_[used ^ 1].capacity += done.sent;
        above.sent += done.sent;
        if (done.sent < done.wanted) current_[above.node] = arcs_[used].next;
    }
}

Status FlowNetwork::source_side(bool nearest_to_sink, Array<u8>& is_source_side) {
    const std::size_t nodes = first_.size();
    if (!is_source_side.allocate_filled(nodes, nearest_to_sink ? 1 : 0)) return Status::NO_MEMORY;
    const u8 found = nearest_to_sink ? 0 : 1;
    queue_.clear();
    queue_.append(nearest_to_sink ? kSink : kSource);
    is_source_side[queue_[0]] = found;
    for (std::size_t at = 0; at < queue_.size(); ++at)
        for (u32 arc = first_[queue_[at]]; arc != kNo; arc = arcs_[arc].next) {
            const u64 left = arcs_[nearest_to_sink ? arc ^ 1 : arc].capacity;
            const u32 to = arcs_[arc].to;
            if (left == 0 || is_source_side[to] == found) continue;
            is_source_side[to] = found;
            queue_.append(to);
        }
    return Status::OK;
}

}  // namespace kernels
