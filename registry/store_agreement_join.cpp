// How a node becomes a member. It writes the next view itself; where another was faster, as when
// many start at once, it asks by a row of its own, and whoever writes the next view takes in all
// who ask. A member by another's word holds no lease until its own first renewal, so all that rests
// on leases is as if it had joined by itself.

#include <algorithm>
#include <utility>

#include "registry/record_codec.hpp"
#include "registry/store_agreement.hpp"

namespace coterie {
namespace {

// In one view: a transaction is a few writes for each.
constexpr std::size_t taken_in_max = 256;

}  // namespace

// Whether this incarnation may not be added to the view as it is: for good, or not yet.
bool StoreAgreement::refused_to_join() {
  const Incarnation& own = options_.self.incarnation;
  const std::string& name = options_.self.name;
  if (auto stone = view_.tombstones.find(name); options_.protections.tombstones &&
                                                stone != view_.tombstones.end() &&
                                                own.counter <= stone->second) {
    depart({.kind = Departure::Kind::raise_counter,
            .counter = stone->second,
            .why = "incarnation " + std::to_string(own.counter) + " of " + name +
                   " is not newer than the removed " + std::to_string(stone->second)});
    return true;
  }
  if (const Member* holder = view_.find(name); holder && !removable(*holder)) {
    if (seen_alive(*holder)) {
      depart({.kind = Departure::Kind::name_taken,
              .why = "a live node has the name " + name + ": incarnation " +
                     to_string(holder->incarnation) + " at " + holder->address});
    }
    return true;
  } else if (holder && options_.protections.tombstones &&
             own.counter <= holder->incarnation.counter) {
    depart({.kind = Departure::Kind::raise_counter,
            .counter = holder->incarnation.counter,
            .why = "an incarnation of " + name + " with a greater counter was here"});
    return true;
  }
  if (view_.config_digest == options_.config_digest) return false;
  // Another configuration binds only while somebody lives by it.
  bool undecided = false;
  for (const auto& [other, member] : view_.members) {
    if (removable(member)) continue;
    undecided = true;
    if (!seen_alive(member)) continue;
    depart({.kind = Departure::Kind::config_differs,
            .why = "the configuration differs from that of the running members (digest " +
                   options_.config_digest + ", " + other + " runs with " + view_.config_digest +
                   "): use the same cluster file on every node"});
    return true;
  }
  return undecided;
}

void StoreAgreement::propose_join() {
  View next = view_;
  ++next.number;
  next.config_digest = options_.config_digest;
  Transaction transaction{.conditions = {view_condition(), {own_row_, 0}}, .writes = {{}}};
  for (const auto& [name, member] : view_.members) {
    if (removable(member)) remove(next, transaction, member);
  }
  Member self = options_.self;
  self.since = next.number;
  next.members[self.name] = std::move(self);
  transaction.writes.push_back({own_row_, own_lease_row()});
  if (asking_.contains(own_request_)) transaction.writes.push_back({own_request_, std::nullopt});
  take_in(next, transaction);
  send_change(std::move(transaction), std::move(next));
}

// ---- many at once

void StoreAgreement::learn_requests(const std::vector<Record>& records) {
  std::map<std::string, Asking> before = std::exchange(asking_, {});
  for (const Record& record : records) {
    if (!record.key.starts_with("agreement/join/")) continue;
    if (const auto known = before.find(record.key);
        known != before.end() && known->second.version == record.version) {
      asking_.insert(before.extract(known));
    } else {
      asking_[record.key] = {decode_join(record.value), record.version, now_};
    }
  }
  // Read before the own row was there.
  const auto own = before.find(own_request_);
  if (own != before.end() && own->second.version == 0) asking_.insert(before.extract(own));
}

void StoreAgreement::send_request() {
  const JoinRequest request{.member = options_.self,
                            .config_digest = options_.config_digest,
                            .predecessor_dead = options_.predecessor_dead};
  requested_ = true;
  send_change({.conditions = {}, .writes = {{own_request_, encode_join(request)}}}, std::nullopt);
}

// Of those who ask the first writes the view for all; when it does not, everybody tries.
bool StoreAgreement::its_turn_to_join() const {
  if (!contended_ || !options_.protections.joins_together) return true;
  const auto own = asking_.find(own_request_);
  if (own == asking_.end()) return false;
  if (now_ - own->second.since >= options_.timing.late_limit()) return true;
  if (own->second.version == 0) return false;  // who else asks is not read yet
  return std::none_of(asking_.begin(), own, [this](const auto& earlier) {
    return may_be_taken_in(earlier.second, view_);
  });
}

// The same that keeps a node from joining by itself, as far as its row and that view show it.
bool StoreAgreement::may_be_taken_in(const Asking& asking, const View& view) const {
  if (!asking.request) return false;
  const Member& member = asking.request->member;
  if (member.name == options_.self.name) return false;
  if (asking.request->config_digest != options_.config_digest || confirmed_dead(member)) {
    return false;
  }
  if (!options_.protections.requests_judged) return true;
  const auto stone = view.tombstones.find(member.name);
  if (stone != view.tombstones.end() && member.incarnation.counter <= stone->second) return false;
  const Member* const holder = view.find(member.name);
  return holder == nullptr || (asking.request->predecessor_dead &&
                               holder->incarnation.counter < member.incarnation.counter);
}

void StoreAgreement::take_in(View& next, Transaction& transaction) const {
  // Of two runs of one node the later.
  std::map<std::string_view, const std::pair<const std::string, Asking>*> latest;
  for (const auto& entry : asking_) {
    if (latest.size() == taken_in_max || !may_be_taken_in(entry.second, next)) continue;
    const Member& member = entry.second.request->member;
    const auto*& known = latest[member.name];
    const auto counter = [](const auto* one) {
      return one->second.request->member.incarnation.counter;
    };
    if (known == nullptr || counter(known) < counter(&entry)) known = &entry;
  }
  for (const auto& [name, entry] : latest) {
    const auto& [key, asking] = *entry;
    Member member = asking.request->member;
    if (const Member* holder = next.find(name)) remove(next, transaction, Member(*holder));
    member.since = next.number;
    transaction.conditions.push_back({key, asking.version});
    transaction.writes.push_back(
        {lease_key(name, member.incarnation),
         encode_lease({.incarnation = member.incarnation, .heard = std::nullopt})});
    transaction.writes.push_back({key, std::nullopt});
    next.members[member.name] = std::move(member);
  }
}

// Of who ended while it asked, or wrote its row when it was in already.
void StoreAgreement::clear_requests() {
  if (asking_.empty() || view_.members.begin()->first != options_.self.name) return;
  Transaction transaction{.conditions = {{own_row_, std::nullopt}}, .writes = {}};
  for (const auto& [key, asking] : asking_) {
    if (now_ - asking.since < options_.timing.others_wait()) continue;
    transaction.conditions.push_back({key, asking.version});
    transaction.writes.push_back({key, std::nullopt});
  }
  if (!transaction.writes.empty()) send_change(std::move(transaction), std::nullopt);
}

}  // namespace coterie
