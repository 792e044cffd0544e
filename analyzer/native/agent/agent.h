// Attach: the agent in the observed process, and what its copies agree on.
#pragma once
#include <cstddef>

namespace agent {

// Orders and answers, and what `leakscan_agent_serve` does with them. capture/process/agent.py knows it, too.
inline constexpr int kProtocol = 1;
inline constexpr std::size_t kPathBytes = 512;

// `leakscan_agent_serve` without a folder only says whether that copy must stay.
enum class Outcome : int { MAY_GO, MUST_STAY, NOT_MINE };
inline constexpr char kServeName[] = "leakscan_agent_serve";
using Serve = Outcome(const char* folder, int protocol);

}  // namespace agent
