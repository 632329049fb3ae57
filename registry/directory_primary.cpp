#include "registry/directory_primary.hpp"

#include <algorithm>

namespace coterie {

using directory::Ask;
using directory::Claim;
using directory::Claims;
using directory::Code;
using directory::Told;
using directory::What;

void DirectoryPrimary::install(const std::shared_ptr<const View>& view,
                               const Primaries& primaries) {
  view_ = view;
  waiting_.clear();  // whoever asked asks again
  waiting_asked_.clear();
  senders_.clear();
  std::unordered_set<NodeId> members;
  for (const auto& [name, member] : view->members) {
    members.insert(member.incarnation.id);
    // Who joins with this view holds nothing.
    senders_[member.incarnation.id].complete = member.since == view->number;
  }
  for (unsigned p = 0; p < directory_partitions; ++p) {
    if (primaries[p] != self_) {
      partitions_.erase(p);
      continue;
    }
    Partition& partition = partitions_[p];
    partition.kept = partition.open || !protections_.kept_only_if_open;
    partition.open = partition.kept;
    if (!partition.kept) partition.names.clear();
    if (!protections_.dead_dropped) continue;
    std::erase_if(partition.names,
                  [&](const auto& name) { return !members.contains(name.second.owner); });
  }
  silent_ = missing().size();
  open_if_heard();
}

bool DirectoryPrimary::take_claims(NodeId from, const Claims& claims) {
  const auto found = senders_.find(from);
  if (found == senders_.end()) return false;
  Sender& sender = found->second;
  if (sender.complete) return true;
  if (!sender.pieces.insert(claims.piece).second) return false;
  for (const Claim& claim : claims.claims) {
    const auto partition = partitions_.find(directory_partition(claim.name));
    if (partition == partitions_.end() || partition->second.kept) continue;
    const Entry entry{from, claim.registration, claim.serial, claim.epoch, claim.confirmed};
    const auto [there, added] = partition->second.names.try_emplace(claim.name, entry);
    if (added) continue;
    ++claimed_twice_;
    if (there->second.epoch < entry.epoch) there->second = entry;
  }
  sender.complete = sender.pieces.size() == claims.pieces;
  if (!sender.complete) return false;
  if (silent_ > 0) --silent_;
  open_if_heard();
  return true;
}

void DirectoryPrimary::open_if_heard() {
  if (protections_.waits_for_all && !heard_all()) return;
  for (auto& [number, partition] : partitions_) partition.open = true;
  waiting_asked_.clear();
  for (auto& [from, asked] : std::exchange(waiting_, {})) ask(from, asked);
}

std::vector<NodeId> DirectoryPrimary::missing() const {
  std::vector<NodeId> nodes;
  if (partitions_.empty()) return nodes;  // nobody tells a member that keeps nothing
  for (const auto& [node, sender] : senders_) {
    if (!sender.complete) nodes.push_back(node);
  }
  return nodes;
}

std::size_t DirectoryPrimary::names() const noexcept {
  std::size_t count = 0;
  for (const auto& [number, partition] : partitions_) count += partition.names.size();
  return count;
}

Told DirectoryPrimary::told(const Ask& asked, Code code) const {
  return {.view = view_->number,
          .what = asked.what,
          .id = asked.id,
          .code = code,
          .pid = {},
          .epoch = {}};
}

void DirectoryPrimary::ask(NodeId from, const Ask& asked) {
  const auto partition = partitions_.find(directory_partition(asked.name));
  if (partition == partitions_.end() || !senders_.contains(from)) return;
  if (partition->second.open) {
    answers_.push_back({from, judge(from, partition->second, asked)});
  } else if (waiting_.size() == waiting_max_) {
    answers_.push_back({from, told(asked, Code::unavailable)});
  } else if (waiting_asked_.emplace(from, asked.what, asked.id).second) {
    waiting_.emplace_back(from, asked);
  }
}

Told DirectoryPrimary::judge(NodeId from, Partition& partition, const Ask& asked) {
  const auto there = partition.names.find(asked.name);
  const bool found = there != partition.names.end();
  const bool own = found && there->second.owner == from && there->second.registration == asked.id;
  const auto where = [&](const Entry& entry, Code code = Code::ok) {
    Told answer = told(asked, code);
    answer.pid = {entry.owner, entry.serial};
    answer.epoch = entry.epoch;
    return answer;
  };
  switch (asked.what) {
    case What::reserve: {
      if (found) return where(there->second, own ? Code::ok : Code::taken);
      // No two names share an epoch: a partition has one primary in a view.
      const std::uint64_t counter =
          ++counter_ * directory_partitions + directory_partition(asked.name);
      const Entry entry{from, asked.id, asked.serial, {view_->number, counter}, false};
      partition.names.emplace(asked.name, entry);
      return where(entry);
    }
    case What::confirm:
      if (!own) break;
      there->second.confirmed = true;
      return where(there->second);
    case What::release:
      if (own) partition.names.erase(there);
      return told(asked, Code::ok);
    case What::lookup:
      if (!lease_ && protections_.lookup_needs_lease) return told(asked, Code::unavailable);
      if (!found || !there->second.confirmed) break;
      return where(there->second);
  }
  return told(asked, Code::not_found);
}

}  // namespace coterie
