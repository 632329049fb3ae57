#pragma once
// What one node says of itself when asked: the answer to the request `coterie.status`, which every
// node's local("coterie.node") takes from members and from clients. `coterie status` asks each node
// and shows them side by side.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <coterie/call.hpp>
#include <coterie/pid.hpp>

namespace coterie {

struct MemberStatus {
  std::string name;
  Incarnation incarnation;
  std::string address;
  std::uint64_t since_view = 0;
  bool draining = false;
  bool connected = false;  // to the node that answers
  std::string link;        // what the link does when it is not connected: "resolving ...", ...
};

/// One kind of cluster scope on the node that answers.
struct KindStatus {
  std::string kind;
  std::uint64_t running = 0;
  std::uint64_t starting = 0;
  std::uint64_t waiting = 0;
  std::uint64_t failed = 0;
  std::uint64_t quarantined = 0;
  std::uint64_t restarts = 0;
  std::uint64_t claimed = 0;
  std::string last_error;
  std::uint64_t unreadable = 0;  // rows of the whole kind that cannot be decoded
};

struct MailboxStatus {
  std::string process;  // name, or pid and label
  std::uint64_t messages = 0;
};

/// Of the node's listeners.
struct SecurityStatus {
  bool keys = false;          // everybody who connects must show a key of the cluster file
  std::uint64_t refused = 0;  // connections since the node started
  std::string last_refusal;
};

struct NodeStatus {
  std::string cluster;
  std::string node;
  Incarnation incarnation;
  std::string state;               // joining, active, frozen, excluded
  std::int64_t lease_left_ms = 0;  // negative: lapsed so long ago
  bool guardian = false;           // a guardian is watching this node
  std::int64_t os_pid = 0;
  std::int64_t uptime_ms = 0;
  std::uint64_t view = 0;
  std::vector<MemberStatus> members;
  std::vector<KindStatus> kinds;
  std::uint64_t processes = 0;
  std::uint64_t parked_fibers = 0;
  std::uint64_t crashes = 0;
  std::uint64_t refused_messages = 0;
  std::uint64_t dead_letters = 0;
  std::uint64_t abandoned_fibers = 0;
  std::uint64_t stuck_callbacks = 0;
  std::uint64_t messages_queued = 0;   // in all mailboxes
  std::vector<MailboxStatus> fullest;  // the fullest mailboxes, at most 10
  SecurityStatus security;
  std::string vote;  // of the `voters` engine: "votes", "waits" (its disk is empty), "none"
};

struct StatusRequest {
  using Reply = NodeStatus;
  static constexpr std::string_view type_name = "coterie.status";
};

/// Where the names of a kind run, as this node's supervisor instance lists them.
struct NamesRequest {
  using Reply = std::vector<std::string>;
  static constexpr std::string_view type_name = "coterie.names";
  std::string kind;
};

/// An operator vouches that this voter's old disk is gone for good. The answer is why not; empty:
/// it asks the others, and `vote` of its status says when it votes.
struct AdmitVoterRequest {
  using Reply = std::string;
  static constexpr std::string_view type_name = "coterie.admit_voter";
};

/// For failover tests: an exit signal to the process of "KIND/ID", wherever it runs. Refused by
/// nodes that were started without `--faults`. The answer is why not; empty: it was sent.
struct CrashRequest {
  using Reply = std::string;
  static constexpr std::string_view type_name = "coterie.crash_name";
  std::string name;
  std::string reason;
};

}  // namespace coterie
