#include "registry/group_table.hpp"

#include <algorithm>
#include <limits>
#include <mutex>
#include <set>

namespace coterie::detail {

GroupTable::Range GroupTable::range_of(const Counts& counts, NodeId node) {
  return {counts.lower_bound(Pid{node, 0}),
          counts.upper_bound(Pid{node, std::numeric_limits<std::uint64_t>::max()})};
}

void GroupTable::append(std::vector<Pid>& to, const Pid& pid, std::uint32_t times) {
  to.insert(to.end(), times, pid);
}

// ---- reading

std::vector<Pid> GroupTable::members(std::string_view group) const {
  std::vector<Pid> pids;
  const std::shared_lock guard(mutex_);
  const auto found = table_.find(group);
  if (found == table_.end()) return pids;
  pids.reserve(found->second.size());
  for (const auto& [pid, times] : found->second) append(pids, pid, times);
  return pids;
}

std::vector<Pid> GroupTable::members(std::string_view group, NodeId node) const {
  std::vector<Pid> pids;
  const std::shared_lock guard(mutex_);
  const auto found = table_.find(group);
  if (found == table_.end()) return pids;
  const Range range = range_of(found->second, node);
  for (auto at = range.begin; at != range.end; ++at) append(pids, at->first, at->second);
  return pids;
}

std::vector<std::string> GroupTable::groups_of(std::optional<NodeId> node) const {
  std::vector<std::string> names;
  const std::shared_lock guard(mutex_);
  for (const auto& [group, counts] : table_) {
    if (node) {
      const Range range = range_of(counts, *node);
      if (range.begin == range.end) continue;
    }
    names.push_back(group);
  }
  return names;
}

std::vector<std::string> GroupTable::groups() const { return groups_of(std::nullopt); }
std::vector<std::string> GroupTable::local_groups() const { return groups_of(here_); }

GroupTable::Groups GroupTable::all() const {
  Groups groups;
  const std::shared_lock guard(mutex_);
  for (const auto& [group, counts] : table_) {
    auto& pids = groups[group];
    for (const auto& [pid, times] : counts) append(pids, pid, times);
  }
  return groups;
}

GroupTable::Groups GroupTable::starting(std::string_view prefix) const {
  Groups groups;
  const std::shared_lock guard(mutex_);
  for (auto at = table_.lower_bound(prefix); at != table_.end(); ++at) {
    if (!at->first.starts_with(prefix)) break;
    auto& pids = groups[at->first];
    for (const auto& [pid, times] : at->second) append(pids, pid, times);
  }
  return groups;
}

std::size_t GroupTable::count(std::string_view group, const Pid& pid) const {
  const std::shared_lock guard(mutex_);
  const auto found = table_.find(group);
  if (found == table_.end()) return 0;
  const auto member = found->second.find(pid);
  return member == found->second.end() ? 0 : member->second;
}

std::optional<Pid> GroupTable::whereis_name(std::string_view key) {
  const std::shared_lock guard(mutex_);
  const auto found = table_.find(key);
  if (found == table_.end()) return std::nullopt;
  const Range range = range_of(found->second, here_);
  return range.begin != range.end ? range.begin->first : found->second.begin()->first;
}

// ---- changing

std::string_view GroupTable::join(std::string_view group, const std::vector<Pid>& pids) {
  const std::unique_lock guard(mutex_);
  auto found = table_.find(group);
  if (found == table_.end()) found = table_.emplace(group, Counts()).first;
  for (const Pid& pid : pids) ++found->second[pid];
  return found->first;
}

void GroupTable::leave(std::string_view group, const Pid& pid, std::size_t times) {
  const std::unique_lock guard(mutex_);
  const auto found = table_.find(group);
  if (found == table_.end()) return;
  const auto member = found->second.find(pid);
  if (member == found->second.end()) return;
  if (member->second > times) {
    member->second -= static_cast<std::uint32_t>(times);
    return;
  }
  found->second.erase(member);
  if (found->second.empty()) table_.erase(found);
}

GroupTable::Groups GroupTable::members_of(NodeId node) const {
  Groups groups;
  const std::shared_lock guard(mutex_);
  for (const auto& [group, counts] : table_) {
    const Range range = range_of(counts, node);
    if (range.begin == range.end) continue;
    auto& pids = groups[group];
    for (auto at = range.begin; at != range.end; ++at) append(pids, at->first, at->second);
  }
  return groups;
}

std::vector<GroupChange> GroupTable::replace(NodeId node, const Groups& members) {
  // Only the scope's process changes the table, so what it reads here stays true until it writes.
  const Groups before = members_of(node);
  std::set<std::string_view> names;
  for (const auto& [group, pids] : before) names.insert(group);
  for (const auto& [group, pids] : members) names.insert(group);
  std::vector<GroupChange> changes;
  const auto note = [&](std::string_view group, std::vector<Pid> pids, bool joined) {
    if (pids.empty()) return;
    changes.push_back({std::string(group), std::move(pids), joined});
  };
  const auto sorted = [](const Groups& groups, std::string_view group) {
    const auto found = groups.find(group);
    auto pids = found == groups.end() ? std::vector<Pid>() : found->second;
    std::ranges::sort(pids);
    return pids;
  };
  for (const std::string_view group : names) {
    const auto old = sorted(before, group), now = sorted(members, group);
    std::vector<Pid> left, joined;
    std::ranges::set_difference(old, now, std::back_inserter(left));
    std::ranges::set_difference(now, old, std::back_inserter(joined));
    note(group, std::move(left), false);
    note(group, std::move(joined), true);
  }
  for (const GroupChange& change : changes) {
    if (change.joined) {
      join(change.group, change.pids);
    } else {
      for (const Pid& pid : change.pids) leave(change.group, pid);
    }
  }
  return changes;
}

}  // namespace coterie::detail
