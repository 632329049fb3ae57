#pragma once
// What a failover test knows of its nodes at one moment, from outside: which programs run, what
// each node last said of itself, and who claims which names. Plain values, made by the run
// (failover_run.hpp), judged by the pure parts beside this file. Times count from the timeline's
// begin, so what happens before it is negative.

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <coterie/time.hpp>

namespace coterie::sim {

/// A node's programs as the operating system shows them.
struct NodeFacts {
  std::string name;
  std::optional<std::int64_t> program;  // pid of the node's program while it runs
  bool guardian = false;                // its guardian runs
  bool active = false;  // it runs, is not paused, and said so when it was last asked
  friend bool operator==(const NodeFacts&, const NodeFacts&) = default;
};

inline const NodeFacts* find(std::span<const NodeFacts> facts, const std::string& node) {
  const auto found = std::ranges::find(facts, node, &NodeFacts::name);
  return found == facts.end() ? nullptr : &*found;
}

/// One round of questions, to all nodes at about the same time: who runs which names.
struct Sighting {
  Duration asked{};     // when the first question left
  Duration answered{};  // when the last answer was in
  struct Node {
    std::uint64_t incarnation = 0;  // its random bits
    bool active = false;            // it holds a lease; else nothing of what it lists runs
    std::map<std::string, std::vector<std::string>> names;  // by kind
  };
  std::map<std::string, Node> nodes;  // those that answered
};

}  // namespace coterie::sim
