#include "node/workload_schedule.hpp"

#include <algorithm>
#include <utility>

namespace coterie {
namespace {

using namespace std::chrono_literals;

/// A connection whose try failed on the way is left alone for so long, if there are others.
constexpr Duration avoid_for = 1s;
/// On top of a try's time: its end is noticed a little later elsewhere.
constexpr Duration slack = 100ms;
/// A begin that is late is caught up with, up to so much.
constexpr Duration catch_up = 100ms;

bool on_the_way(CallError::Code code) {
  switch (code) {
    case CallError::Code::timeout:
    case CallError::Code::nodedown:
    case CallError::Code::noconnection:
      return true;
    default:
      return false;
  }
}

/// Another try would get the same answer.
bool is_final(CallError::Code code) {
  switch (code) {
    case CallError::Code::quarantined:
    case CallError::Code::failed:
    case CallError::Code::refused:
    case CallError::Code::undecodable:
    case CallError::Code::calling_self:
      return true;
    default:
      return false;
  }
}

}  // namespace

WorkloadSchedule::WorkloadSchedule(const Workload& workload, OperationFeed& feed,
                                   std::size_t connections, DriveOptions options)
    : workload_(workload), feed_(feed), options_(options), avoid_until_(connections) {
  for (std::uint64_t client = 0; client < options_.clients; ++client) idle_.insert(client);
}

std::vector<Attempt> WorkloadSchedule::step(Time now, const Connected& connected) {
  std::vector<Attempt> out;
  stepped_ = now;
  for (auto entry = active_.begin(); entry != active_.end();) {
    Active& active = entry++->second;  // end() erases it
    if (!active.next_try || *active.next_try > now) continue;
    send(active, now, connected, out);
  }
  begin(now);
  for (auto entry = active_.begin(); entry != active_.end();) {
    Active& active = entry++->second;
    if (active.record.attempts == 0) send(active, now, connected, out);
  }
  return out;
}

void WorkloadSchedule::begin(Time now) {
  while (!stopped_ && !idle_.empty() && (!next_begin_ || *next_begin_ <= now)) {
    auto operation = feed_.next();
    if (!operation) return;
    if (options_.rate > 0) {
      const auto interval =
          std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1.0 / options_.rate));
      next_begin_ = std::max(next_begin_.value_or(now), now - catch_up) + interval;
    }
    const std::uint64_t client = *idle_.begin();
    idle_.erase(idle_.begin());
    Active& active = active_[client];
    active.record.client = client;
    active.record.operation = std::move(*operation);
    active.record.invoked = now;
    active.give_up = after(now, options_.give_up_after);
    active.pause = options_.pause_min;
    active.connection = client % avoid_until_.size();
    ++counts_.begun;
  }
}

/// The first connection from `after` on that is worth a try.
std::size_t WorkloadSchedule::pick(std::size_t after, Time now, const Connected& connected) const {
  const std::size_t count = avoid_until_.size();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = (after + i) % count;
    if (avoid_until_[at] <= now && connected(at)) return at;
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (connected((after + i) % count)) return (after + i) % count;
  }
  return after % count;
}

void WorkloadSchedule::send(Active& active, Time now, const Connected& connected,
                            std::vector<Attempt>& out) {
  // Its last moment came while it waited; a try without time would say nothing.
  const Duration timeout = std::min<Duration>(options_.attempt_timeout, active.give_up - now);
  if (timeout <= Duration::zero()) {
    return end(active, now,
               active.maybe_executed ? OperationOutcome::unknown : OperationOutcome::not_executed);
  }
  active.next_try.reset();
  active.attempt = ++last_attempt_;
  active.connection = pick(active.connection, now, connected);
  active.sent = now;
  if (++active.record.attempts > 1) ++counts_.retries;
  client_of_[active.attempt] = active.record.client;
  out.push_back({active.attempt, active.connection, &active.record.operation, timeout});
}

void WorkloadSchedule::answered(Time now, std::uint64_t attempt, const Answer& answer) {
  const auto client = client_of_.find(attempt);
  if (client == client_of_.end()) return;
  Active& active = active_.find(client->second)->second;
  client_of_.erase(client);
  if (!answer) return take(active, now, answer.error());
  const auto meaning = workload_.answer(active.record.operation, *answer);
  if (meaning) return take(active, now, *meaning);
  // It ran, and nobody knows what it did.
  active.maybe_executed = true;
  active.last_error = "the reply cannot be understood: " + meaning.error();
  end(active, now, OperationOutcome::unknown);
}

void WorkloadSchedule::take(Active& active, Time now, const WorkloadAnswer& answer) {
  if (!answer.accepted && active.maybe_executed && active.sent < active.quiet_from) {
    active.last_error = "refused while an earlier try may still be under way";
    return try_again(active, now, active.quiet_from);
  }
  active.record.answer = answer.bytes;
  if (answer.accepted) existence_[active.record.operation.key] = Existence::exists;
  end(active, now, answer.accepted ? OperationOutcome::acknowledged : OperationOutcome::refused);
}

void WorkloadSchedule::take(Active& active, Time now, const CallError& error) {
  active.last_error = to_string(error);
  if (error.maybe_executed()) {
    active.maybe_executed = true;
    // Whatever is still on its way carries the try's own deadline with it.
    active.quiet_from = std::max(
        active.quiet_from,
        active.sent + std::min<Duration>(options_.attempt_timeout, active.give_up - active.sent) +
            slack);
  }
  if (on_the_way(error.code())) {
    avoid_until_[active.connection] = now + avoid_for;
    active.connection = (active.connection + 1) % avoid_until_.size();
  }
  if (is_final(error.code()) && !error.maybe_executed()) {
    return end(active, now,
               active.maybe_executed ? OperationOutcome::unknown : OperationOutcome::not_executed);
  }
  if (error.code() == CallError::Code::noproc && !error.maybe_executed()) {
    if (auto absent = workload_.absent(active.record.operation)) {
      const auto known = existence_.find(active.record.operation.key);
      const bool exists = known != existence_.end() && known->second == Existence::exists;
      const bool absent_before = known != existence_.end() && known->second == Existence::absent;
      if (!active.absent_since) active.absent_since = now;
      if (!exists && (absent_before || now - *active.absent_since >= options_.absent_after)) {
        existence_[active.record.operation.key] = Existence::absent;
        return take(active, now, *absent);
      }
    }
  } else {
    active.absent_since.reset();
  }
  const Duration pause = active.pause;
  active.pause = std::min(2 * active.pause, options_.pause_max);
  try_again(active, now, now + pause);  // last: it may end the command
}

void WorkloadSchedule::try_again(Active& active, Time now, Time at) {
  if (at >= active.give_up) {
    return end(active, now,
               active.maybe_executed ? OperationOutcome::unknown : OperationOutcome::not_executed);
  }
  active.next_try = at;
}

void WorkloadSchedule::end(Active& active, Time now, OperationOutcome outcome) {
  active.record.completed = now;
  active.record.outcome = outcome;
  switch (outcome) {
    case OperationOutcome::acknowledged:
      ++counts_.acknowledged;
      break;
    case OperationOutcome::refused:
      ++counts_.refused;
      break;
    case OperationOutcome::not_executed:
      ++counts_.not_executed;
      active.record.error = active.last_error;
      break;
    case OperationOutcome::unknown:
      ++counts_.unknown;
      active.record.error = active.last_error;
      // It may have brought the key into being.
      if (const auto known = existence_.find(active.record.operation.key);
          known != existence_.end() && known->second == Existence::absent) {
        existence_.erase(known);
      }
      break;
  }
  const std::uint64_t client = active.record.client;
  feed_.ended(active.record.operation.key);
  records_.push_back(std::move(active.record));
  active_.erase(client);
  idle_.insert(client);
}

Time WorkloadSchedule::next_due(Time now) const {
  Time due = Time::max();
  for (const auto& [client, active] : active_) {
    if (active.next_try) due = std::min(due, *active.next_try);
  }
  // With an idle client and no rate step() has taken what the feed had. A begin that has come due
  // since then is not lost: it is due now.
  if (!stopped_ && !idle_.empty() && next_begin_ && *next_begin_ > stepped_ && !feed_.finished()) {
    due = std::min(due, std::max(*next_begin_, now));
  }
  return due;
}

}  // namespace coterie
