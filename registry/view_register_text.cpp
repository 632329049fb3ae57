// What voters say and remember, to be read by people and compared by the checker.

#include "registry/view_register.hpp"

namespace coterie {
namespace {

std::string text(NodeId id) { return to_string(id); }

template <class Ids>
std::string list(const Ids& ids) {
  std::string out = "{";
  for (const NodeId id : ids) out += (out.size() > 1 ? " " : "") + text(id);
  return out + "}";
}

std::string text(const ViewPtr& view) {
  if (!view) return "no view";
  std::string out = "view " + std::to_string(view->number) + " {";
  for (const auto& [name, member] : view->members) {
    if (out.back() != '{') out += ' ';
    out += name + '/' + std::to_string(member.incarnation.counter) + '/' +
           text(member.incarnation.id) + (member.draining ? " drains" : "") + " since " +
           std::to_string(member.since);
  }
  out += '}';
  for (const auto& [name, counter] : view->tombstones) {
    out += " without " + name + "/" + std::to_string(counter);
  }
  return out + (view->config_digest.empty() ? "" : " config " + view->config_digest);
}

std::string text(Time time) {
  if (time == Time::max()) return "for ever";
  return std::to_string(time.time_since_epoch().count()) + " ns";
}

std::string text(const VoterRecord& record) {
  return "promised " + to_string(record.promised) + ", accepted " + to_string(record.accepted) +
         " " + text(record.view) + ", longest lease " +
         std::to_string(record.longest_lease.count()) + " ns";
}

std::string text(const ViewChange& change) {
  std::string out = "remove " + list(change.removals) + " dead " + list(change.dead) + " drain " +
                    list(change.draining) + " config " + change.config_digest + " join {";
  for (const Member& joiner : change.joins) {
    out += " " + joiner.name + "/" + std::to_string(joiner.incarnation.counter) + "/" +
           text(joiner.incarnation.id);
  }
  return out + " }";
}

std::string text(const ViewRegister::Prepare& m) {
  return "Prepare " + to_string(m.ballot) + " to remove " + list(m.candidates) +
         (m.dead.empty() ? "" : ", dead " + list(m.dead));
}
std::string text(const ViewRegister::Promised& m) {
  return "Promised " + to_string(m.ballot) + ", accepted " + to_string(m.accepted) + " " +
         text(m.view) + ", expired " + list(m.expired);
}
std::string text(const ViewRegister::Accept& m) {
  return "Accept " + to_string(m.ballot) + " " + text(m.view);
}
std::string text(const ViewRegister::Accepted& m) { return "Accepted " + to_string(m.ballot); }
std::string text(const ViewRegister::Refused& m) {
  return "Refused " + to_string(m.ballot) + ", promised " + to_string(m.promised) +
         ", retry after " + std::to_string(m.retry_after.count()) + " ns";
}
std::string text(const ViewRegister::Chosen& m) {
  return "Chosen " + to_string(m.ballot) + " " + text(m.view);
}

}  // namespace

std::string to_string(const Ballot& ballot) {
  if (ballot.counter == 0) return "none";
  return std::to_string(ballot.counter) + "." + std::to_string(ballot.voter);
}

std::string to_string(const VoterRecord& record) { return text(record); }
std::string to_string(const ViewRegister::Message& message) {
  return std::visit([](const auto& m) { return text(m); }, message);
}

std::string ViewRegister::describe(Time now) const {
  std::string out = "voter " + std::to_string(options_.self) + " of " +
                    std::to_string(options_.voters) + ", grants " +
                    std::to_string(options_.lease.count()) + " ns: " + text(record_);
  for (const auto& [id, promise] : promises_) {
    const bool over = promise.until <= now;
    out += "; " + text(id) + (over ? " over" : " until " + text(promise.until));
    if (promise.held_until > now) out += ", held until " + text(promise.held_until);
  }
  if (!dead_.empty()) out += "; dead " + list(dead_);
  if (round_) {
    out += "; " + std::string(round_->accepting ? "asks to accept " : "prepares ") +
           to_string(round_->ballot) + ", " + text(round_->change) + ", " +
           std::to_string(round_->answers) + " answers of";
    for (const VoterIndex voter : round_->answered) out += " " + std::to_string(voter);
    out += ", best " + to_string(round_->best) + " " + text(round_->view) + ", expired " +
           list(round_->expired);
  }
  out += "; knows chosen " + to_string(chosen_ballot_) + " " + text(chosen_);
  return out + "; heard of " + std::to_string(highest_counter_);
}

}  // namespace coterie
