#pragma once
// Who is in which group of one scope, of all nodes. Changed by the scope's process alone, read by
// any thread without taking that process's turn; it lives as long as somebody holds it. Sorted by
// pid, so the members of one node stand together and every node shows the same order.
//
// It is also the scope's via registry: via(scope, group) leads to one of the group's members, of
// this node if there is one.

#include <cstdint>
#include <map>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include <coterie/pid.hpp>
#include <coterie/via_registry.hpp>

namespace coterie::detail {

/// Members that have joined or left, each as often as it has.
struct GroupChange {
  std::string group;
  std::vector<Pid> pids;
  bool joined = false;
  friend bool operator==(const GroupChange&, const GroupChange&) = default;
};

class GroupTable final : public ViaRegistry {
 public:
  using Groups = std::map<std::string, std::vector<Pid>, std::less<>>;

  explicit GroupTable(NodeId here) : here_(here) {}

  // ---- any thread. A member that has joined n times is there n times.
  std::vector<Pid> members(std::string_view group) const;
  std::vector<Pid> members(std::string_view group, NodeId node) const;
  std::vector<Pid> local_members(std::string_view group) const { return members(group, here_); }
  /// Names of groups that have members, sorted.
  std::vector<std::string> groups() const;
  std::vector<std::string> local_groups() const;
  Groups all() const;
  /// Groups whose names begin so.
  Groups starting(std::string_view prefix) const;
  std::size_t count(std::string_view group, const Pid& pid) const;

  // ViaRegistry
  std::optional<Pid> whereis_name(std::string_view key) override;
  /// False: groups are joined, not taken.
  bool register_name(std::string_view, const Pid&) override { return false; }
  void unregister_name(std::string_view, const Pid&) override {}

  // ---- the scope's process
  /// The group's name, which stays where it is while the group has members.
  std::string_view join(std::string_view group, const std::vector<Pid>& pids);
  /// Takes `times` joins of the member back, of as many as there are.
  void leave(std::string_view group, const Pid& pid, std::size_t times = 1);
  Groups members_of(NodeId node) const;
  /// That node's members are these from now on; what that changes.
  std::vector<GroupChange> replace(NodeId node, const Groups& members);

 private:
  using Counts = std::map<Pid, std::uint32_t>;
  using Table = std::map<std::string, Counts, std::less<>>;
  struct Range {
    Counts::const_iterator begin, end;
  };
  static Range range_of(const Counts& counts, NodeId node);
  static void append(std::vector<Pid>& to, const Pid& pid, std::uint32_t times);
  std::vector<std::string> groups_of(std::optional<NodeId> node) const;

  const NodeId here_;
  mutable std::shared_mutex mutex_;
  Table table_;
};

}  // namespace coterie::detail
