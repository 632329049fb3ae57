// After a change of view: a primary asks every member what it holds of the partitions that are new
// to it, and asks on until it has heard all. Whoever kept its partitions asks nobody.

#include <array>
#include <utility>

#include "registry/directory.hpp"

namespace coterie {

using directory::Claims;
using directory::Relayed;
using directory::Want;

/// Asks who holds names of the partitions that are new here, itself too.
void Directory::want_claims() {
  wanting_.clear();
  for (const NodeId node : primary_.missing()) {
    want(node, wanting_.emplace(node, Wanting{now_}).first->second);
  }
}

void Directory::want(NodeId of, Wanting& wanting) {
  const unsigned turn = wanting.tries.times;
  tried(wanting.tries);
  Want want = primary_.wanted(of);
  if (turn % 2 == 0 || view_->members.size() < 3) {
    send(of, std::move(want));
  } else {
    want_through_another(of, want, turn / 2);
  }
}

/// A cut between two members must not close partitions for all.
void Directory::want_through_another(NodeId of, const Want& want, unsigned turn) {
  std::vector<NodeId> others;
  for (const auto& [name, member] : view_->members) {
    const NodeId id = member.incarnation.id;
    if (id != self_ && id != of) others.push_back(id);
  }
  send(others[turn % others.size()], Relayed{self_, of, want});
}

void Directory::receive(NodeId from, const Want& want) {
  if (of_this_view(from, want.view, want)) send(from, claims(want));
}

/// What of it is held here. Among those names nothing changes meanwhile, except that some are
/// released: their partition is closed, and gives none out.
Claims Directory::claims(const Want& want) const {
  std::array<bool, directory_partitions> wanted{};
  for (const std::uint8_t partition : want.partitions) wanted[partition] = true;
  Claims claims{.view = want.view, .last = false, .claims = {}};
  std::size_t bytes = 0;
  for (auto next = mine_.upper_bound(want.after); next != mine_.end(); ++next) {
    const auto& [id, mine] = *next;
    if (mine.state == State::reserving || mine.state == State::releasing) continue;
    if (!wanted[directory_partition(mine.name)]) continue;
    if (bytes > options_.claims_bytes) return claims;
    bytes += mine.name.size() + 32;
    // Others may have found what is being confirmed.
    const bool confirmed =
        mine.state == State::confirmed ||
        (options_.protections.asked_confirm_claimed && mine.state == State::confirming);
    claims.claims.push_back({mine.name, id, mine.serial, mine.epoch, confirmed});
  }
  claims.last = true;
  return claims;
}

void Directory::receive(NodeId from, const Claims& claims) {
  take_claims(from, claims);
}

void Directory::take_claims(NodeId from, const Claims& claims) {
  // Nobody has asked for those of another view: none of them waits here for its view to come.
  if (view_ == nullptr || claims.view != view_->number) return;
  const auto found = wanting_.find(from);
  if (found == wanting_.end() || !primary_.take_claims(from, claims)) return;
  Wanting& wanting = found->second;
  if (std::exchange(wanting.silent, false)) actions_.push_back(Spoken{from});
  if (claims.last) {
    wanting_.erase(found);
    return;
  }
  wanting.heard = now_;
  wanting.tries.times = (wanting.tries.times - 1) % 2;  // the way that the question went
  want(from, wanting);
}

void Directory::receive(NodeId from, const Relayed& relayed) {
  if (from_outside(from) || from_outside(relayed.from)) {
    // Unless it is of a view that this member does not know yet; then who sent it sends it again.
  } else if (relayed.to != self_) {
    if (relayed.from == from) send(relayed.to, relayed);
  } else if (const auto* claimed = std::get_if<Claims>(&relayed.message)) {
    take_claims(relayed.from, *claimed);
  } else {
    const Want& want = std::get<Want>(relayed.message);
    if (!of_this_view(from, want.view, relayed)) return;
    send(from, Relayed{self_, relayed.from, claims(want)});  // the way it came
  }
}

}  // namespace coterie
