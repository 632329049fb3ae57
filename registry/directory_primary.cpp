#include "registry/directory_primary.hpp"

#include <algorithm>

namespace coterie {

using directory::Ask;
using directory::Claim;
using directory::Claims;
using directory::Code;
using directory::Told;
using directory::Want;
using directory::What;

void DirectoryPrimary::install(const std::shared_ptr<const View>& view,
                               const Primaries& primaries) {
  view_ = view;
  waiting_.clear();  // whoever asked asks again
  waiting_asked_.clear();
  std::unordered_set<NodeId> members;
  for (const auto& [name, member] : view->members) members.insert(member.incarnation.id);
  bool all_kept = true;
  for (unsigned p = 0; p < directory_partitions; ++p) {
    if (primaries[p] != self_) {
      partitions_.erase(p);
      continue;
    }
    Partition& partition = partitions_[p];
    partition.kept = partition.open || !protections_.kept_only_if_open;
    partition.open = partition.kept;
    all_kept &= partition.kept;
    if (!partition.kept) partition.names.clear();
    if (!protections_.dead_dropped) continue;
    std::erase_if(partition.names,
                  [&](const auto& name) { return !members.contains(name.second.owner); });
  }
  senders_.clear();
  for (const auto& [name, member] : view->members) {
    // Who joins with this view holds nothing.
    senders_[member.incarnation.id].complete = all_kept || member.since == view->number;
  }
  silent_ = missing().size();
  open_if_heard();
}

bool DirectoryPrimary::take_claims(NodeId from, const Claims& claims) {
  const auto found = senders_.find(from);
  if (found == senders_.end()) return false;
  Sender& sender = found->second;
  const std::uint64_t told = claims.claims.empty() ? 0 : claims.claims.back().registration;
  if (sender.complete || (!claims.last && told <= sender.told)) return false;
  for (const Claim& claim : claims.claims) {
    const auto partition = partitions_.find(directory_partition(claim.name));
    if (partition == partitions_.end() || partition->second.kept) continue;
    const Entry entry{from, claim.registration, claim.serial, claim.epoch, claim.confirmed};
    const auto [there, added] = partition->second.names.try_emplace(claim.name, entry);
    if (added || (there->second.owner == from && there->second.epoch == entry.epoch)) continue;
    ++claimed_twice_;
    if (there->second.epoch < entry.epoch) there->second = entry;
  }
  // A repeated answer may overlap what is here; none begins beyond it, since it was asked for.
  sender.told = std::max(sender.told, told);
  if (claims.last || !protections_.claims_to_the_last) {
    sender.complete = true;
    --silent_;
    open_if_heard();
  }
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
  for (const auto& [node, sender] : senders_) {
    if (!sender.complete) nodes.push_back(node);
  }
  return nodes;
}

Want DirectoryPrimary::wanted(NodeId of) const {
  Want want{.view = view_->number, .after = senders_.at(of).told, .partitions = {}};
  for (const auto& [number, partition] : partitions_) {
    if (!partition.kept) want.partitions.push_back(static_cast<std::uint8_t>(number));
  }
  return want;
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
