#pragma once
// Children of a DynamicSupervisor of cluster scope: what a caller says of one, and the protocol
// that every instance of the supervisor answers, from any node. docs/supervision.md has the rules.
//
//   DynamicSupervisor::start_child(local("contracts"),
//                                  ClusterChild{.key = "contract-123", .args = pack(terms)});

#include <cstdint>
#include <string>
#include <vector>

#include <coterie/child_spec.hpp>
#include <coterie/kind.hpp>

namespace coterie {

/// What becomes of a child whose node is gone.
enum class OnNodeDown : std::uint8_t {
  failover,   // the next home starts it
  wait,       // it waits until a node of the same name is back
  temporary,  // it is forgotten
};

struct ClusterChild {
  std::string key{};
  Bytes args{};  // pack(Arguments) of the supervisor's kind
  Restart restart = Restart::permanent;
  OnNodeDown on_node_down = OnNodeDown::failover;
};

/// What one instance knows. Numbers of things now, then totals since the instance started.
struct ClusterStatus {
  std::string supervisor;
  std::string node;
  std::uint64_t running = 0;
  std::uint64_t starting = 0;     // starts in flight
  std::uint64_t waiting = 0;      // owned, not running: queued, or backing off before another try
  std::uint64_t stopping = 0;     // being stopped, deleted or handed over
  std::uint64_t failed = 0;       // of the whole supervisor, by the last sweep
  std::uint64_t quarantined = 0;  // likewise
  std::uint64_t writes_pending = 0;
  std::uint64_t started_total = 0;
  std::uint64_t restarts_total = 0;  // after the child ended by itself
  std::uint64_t claimed_total = 0;   // taken over from nodes that are gone
  std::uint64_t handed_over_total = 0;
  std::uint64_t start_failures_total = 0;
  bool draining = false;
  bool active = false;
  std::string last_error;        // of storage or of a start; empty: none yet
  std::uint64_t unreadable = 0;  // rows that cannot be decoded, of the whole supervisor
};

namespace cluster {

struct StartChild {
  using Reply = ChildResult<Pid>;
  static constexpr std::string_view type_name = "coterie.supervisor.start_child";
  ClusterChild child{};
  bool forwarded = false;  // the receiver is the home: it does not pass it on
};
/// Deletes the spec and stops the child, wherever it is.
struct TerminateChild {
  using Reply = ChildResult<void>;
  static constexpr std::string_view type_name = "coterie.supervisor.terminate_child";
  std::string key{};
  bool forwarded = false;
};
/// Gives a failed or quarantined child another chance.
struct ReleaseChild {
  using Reply = ChildResult<void>;
  static constexpr std::string_view type_name = "coterie.supervisor.release_child";
  std::string key{};
};
struct WhichChildren {  // of this instance
  using Reply = std::vector<ChildInfo>;
  static constexpr std::string_view type_name = "coterie.supervisor.which_children";
};
struct Status {
  using Reply = ClusterStatus;
  static constexpr std::string_view type_name = "coterie.supervisor.status";
};
/// Hands all children over to other nodes; replies when done, or after `budget_ms`, with how many
/// are left. The instance accepts no child from then on.
struct Drain {
  using Reply = std::uint64_t;
  static constexpr std::string_view type_name = "coterie.supervisor.drain";
  std::int64_t budget_ms = 10'000;
};
/// From another instance: these rows are yours now.
struct Adopt {
  static constexpr std::string_view type_name = "coterie.supervisor.adopt";
  std::vector<std::string> keys{};
};
/// From the guardian: an incarnation crashed while it ran callbacks of these keys.
struct NodeDied {
  static constexpr std::string_view type_name = "coterie.supervisor.node_died";
  NodeId node = NodeId::none;
  std::vector<std::string> running{};
};

}  // namespace cluster

}  // namespace coterie
