#pragma once
// The port to the cluster's agreement: numbered views and this node's lease. Engines: `store`
// (records in storage) and `voters` (a consensus register). Only an agreed view removes a member.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <coterie/pid.hpp>
#include <coterie/time.hpp>

namespace coterie {

struct Member {
  std::string name;
  Incarnation incarnation;
  std::string address;             // of the members' listener, host:port
  std::string client_address;      // of the client listener; empty: none
  std::vector<std::string> kinds;  // names of cluster scope that it can host
  std::uint32_t weight = 100;      // share of names, relative to the others'
  bool draining = false;           // leaves soon: gets no new names
  std::uint64_t since = 0;         // number of the view that added it
  friend bool operator==(const Member&, const Member&) = default;
};

struct View {
  std::uint64_t number = 0;                         // only grows; 0: none agreed yet
  std::map<std::string, Member> members;            // by name
  std::map<std::string, std::uint64_t> tombstones;  // name -> highest removed counter
  std::string config_digest;                        // of the keys that must be the same everywhere
  friend bool operator==(const View&, const View&) = default;

  const Member* find(std::string_view name) const;
  const Member* find(NodeId id) const;
};

enum class NodeState : std::uint8_t { joining, active, frozen, excluded, down };
std::string_view to_string(NodeState state) noexcept;

/// Called from the agreement's own thread, one call at a time. Must not block.
class AgreementEvents {
 public:
  virtual ~AgreementEvents() = default;
  /// A newer view is installed. Every view number is seen at most once, growing; some may be
  /// skipped.
  virtual void view_installed(std::shared_ptr<const View> view) = 0;
  virtual void state_changed(NodeState state, std::string_view why) = 0;
};

/// Functions may be called from any thread and do not block.
class Agreement {
 public:
  virtual ~Agreement() = default;
  virtual std::shared_ptr<const View> view() const = 0;
  virtual NodeState state() const = 0;
  /// Until when, on this node's clock, strict processes may run. The gate is the same value.
  virtual Time lease_end() const noexcept = 0;
  /// The guardian of that incarnation saw it exit: remove it without waiting for its lease.
  virtual void confirm_death(std::string_view name, const Incarnation& incarnation) = 0;
  /// A newer view may exist: read now instead of at the next poll.
  virtual void hint() = 0;
  /// Mark this node as draining in the next view, then (leave) remove it. Completion shows in
  /// views.
  virtual void drain() = 0;
  virtual void leave() = 0;
};

}  // namespace coterie
