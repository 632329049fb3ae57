#include "sim/sim_views.hpp"

#include <algorithm>
#include <set>

#include "registry/record_codec.hpp"

namespace coterie::sim {

void SimViews::installed(std::uint64_t run) {
  const auto found = runs_.find(run);
  if (found == runs_.end()) return;
  Known& known = found->second;
  const std::shared_ptr<const View> view = known.run.view();
  if (!view) return;
  if (view->number < known.newest) {
    violation_("I8 " + known.run.node + " goes back from view " + std::to_string(known.newest) +
               " to view " + std::to_string(view->number));
  }
  known.newest = view->number;
  Bytes value = encode_view(*view);
  const auto [entry, is_new] = values_.try_emplace(view->number, value);
  if (is_new) {
    learn(*view);
    judge_leases(*view);
  } else if (entry->second != value) {
    violation_("I8 " + known.run.node + " has another view " + std::to_string(view->number) +
               " than an earlier node");
  }
}

void SimViews::learn(const View& view) {
  std::set<NodeId> members;
  for (const auto& [name, member] : view.members) {
    members.insert(member.incarnation.id);
    Life& life = lives_[member.incarnation.id];
    life.node = name;
    life.in = std::max(life.in, view.number);
    if (life.out < view.number) {
      violation_("I8 " + name + " " + to_string(member.incarnation) + " is in view " +
                 std::to_string(view.number) + " and was out of view " + std::to_string(life.out));
    }
  }
  for (auto& [id, life] : lives_) {
    if (!members.contains(id) && life.in < view.number) life.out = std::min(life.out, view.number);
  }
}

void SimViews::judge_leases(const View& view) {
  if (!judged_) return;
  for (const auto& [number, known] : runs_) {
    const auto life = lives_.find(known.run.incarnation.id);
    if (life == lives_.end() || life->second.out > view.number || !known.run.gate_open()) continue;
    violation_("I1 " + known.run.node + " is out by view " + std::to_string(view.number) +
               " and may still begin callbacks");
  }
}

}  // namespace coterie::sim
