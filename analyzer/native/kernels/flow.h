// Maximum flow on a network built arc by arc: Dinic (Dinitz 1970), without recursion.
#pragma once
#include "array.h"

namespace kernels {

class FlowNetwork {
  public:
    static constexpr u64 kUnlimited = u64{1} << 63;
    static constexpr u32 kSource = 0;
    static constexpr u32 kSink = 1;

    // Arc numbers are even; arc ^ 1 is the way back. Finite capacities must add up to less than
    // kUnlimited, and no path of unlimited arcs may lead from the source to the sink.
    [[nodiscard]] bool add_arc(u32 from, u32 to, u64 capacity);
    [[nodiscard]] bool add_node(u32& node);

    Status maximise(u64& flow, Interrupt& interrupt);

    // After maximise: the nodes on the source's side of the cut nearest to the source, or to the sink.
    Status source_side(bool nearest_to_sink, Array<u8>& is_source_side);

  private:
    struct Arc {
        u64 capacity;  // what is left of it
        u32 to;
        u32 next;
    };
    struct Frame {
        u32 node;
        u64 wanted;
        u64 sent;
    };
    Status set_levels(bool& reaches_sink, Interrupt& interrupt);
    Status block(u64& sent, Interrupt& interrupt);

    Array<Arc> arcs_;
    Array<u32> first_;  // per node, its latest arc
    Array<u32> current_, level_, queue_;
    Array<Frame> frames_;
};

}  // namespace kernels
