#pragma once
// What happens to the nodes of a failover test, made out from outside: programs that come and go,
// and what each node answers when it is asked for its status. Turns both into the time line's
// events, and says which state a node is in when an expectation asks. Pure; one thread.

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "node/status.hpp"
#include "sim/failover_facts.hpp"
#include "sim/verdict.hpp"

namespace coterie::sim {

/// A node's answer to coterie.status.
struct Heard {
  Duration asked{};
  Duration answered{};
  NodeStatus status;
};

/// The state of a node as an expectation takes it, and what was seen, for people.
struct StateSeen {
  std::optional<NodeState> state;  // nothing: none of the five can be claimed
  std::string text;
};

class FailoverWatch {
 public:
  FailoverWatch(std::vector<std::string> nodes, Duration lease) : lease_(lease) {
    for (std::string& node : nodes) nodes_[std::move(node)];
  }

  /// What changed in the node's program since the last look.
  struct Change {
    enum class Kind : std::uint8_t { none, ended, began } kind = Kind::none;
  };
  Change look(Duration now, const NodeFacts& facts);
  void heard(const std::string& node, const Heard& heard);

  bool runs(const std::string& node) const { return nodes_.at(node).program.has_value(); }
  /// At least once, by the program that runs.
  bool answered(const std::string& node) const { return nodes_.at(node).last.has_value(); }
  /// To a question that was asked at `from` or later, by the program that runs.
  bool answered_since(const std::string& node, Duration from) const;
  /// It said so in its last answer, and its program is still that one.
  bool active(const std::string& node) const;
  /// A running program that no answer has come from yet.
  bool starting(const std::string& node) const;
  /// Every active node of `nodes` names exactly `nodes` as members, and is connected with them.
  bool whole(std::span<const std::string> nodes) const;

  /// `paused_since`: it is stopped from outside since then. `fresh_from`: an answer to a question
  /// asked before that moment does not count.
  StateSeen state(const std::string& node, Duration now, std::optional<Duration> paused_since,
                  Duration fresh_from) const;

  std::vector<Event> take_events() { return std::exchange(events_, {}); }

 private:
  struct Node {
    std::optional<std::int64_t> program;
    std::optional<Heard> last;  // of the program that runs
    std::string state;          // last told
  };
  bool excluded_by_others(const std::string& node, std::uint64_t* view) const;
  void note(Duration at, std::string what, std::string text);

  Duration lease_;
  std::map<std::string, Node> nodes_;
  std::uint64_t view_ = 0;  // newest seen
  std::vector<Event> events_;
};

}  // namespace coterie::sim
