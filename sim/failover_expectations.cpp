#include "sim/failover_expectations.hpp"

#include <algorithm>

#include "process/duration_text.hpp"
#include "sim/failover_claims.hpp"

namespace coterie::sim {

FailoverExpectations::FailoverExpectations(std::span<const Expectation> expectations,
                                           ExpectationPolicy policy)
    : policy_(policy) {
  for (const Expectation& expectation : expectations) {
    pending_.push_back({&expectation, expectation.at, {}, {}});
  }
}

std::vector<std::string> FailoverExpectations::wants_status(Duration now) const {
  std::vector<std::string> nodes;
  for (const Pending& pending : pending_) {
    if (!due(pending, now)) continue;
    if (const auto* state = std::get_if<ExpectState>(&pending.expectation->what)) {
      nodes.push_back(state->node.text);
    }
  }
  return nodes;
}

std::optional<Duration> FailoverExpectations::wants_sighting(Duration now) const {
  std::optional<Duration> latest;
  for (const Pending& pending : pending_) {
    if (!due(pending, now)) continue;
    if (!std::holds_alternative<ExpectRunning>(pending.expectation->what)) continue;
    latest = std::max(latest.value_or(Duration::min()), pending.sighted_from);
  }
  return latest;
}

bool FailoverExpectations::holds(Duration now) const {
  return std::ranges::any_of(pending_, [&](const Pending& pending) {
    return due(pending, now) && now < pending.expectation->at + policy_.precedence;
  });
}

void FailoverExpectations::step(Duration now, const FailoverWatch& watch,
                                const PausedSince& paused_since, const Sighting* sighting) {
  for (Pending& pending : pending_) {
    if (!due(pending, now)) continue;
    if (const auto* state = std::get_if<ExpectState>(&pending.expectation->what)) {
      look_at_state(pending, *state, now, watch, paused_since);
    } else {
      look_at_names(pending, std::get<ExpectRunning>(pending.expectation->what), now, sighting);
    }
  }
}

void FailoverExpectations::look_at_state(Pending& pending, const ExpectState& expected,
                                         Duration now, const FailoverWatch& watch,
                                         const PausedSince& paused_since) {
  const std::string& node = expected.node.text;
  const Duration at = pending.expectation->at;
  const bool must_answer = watch.runs(node) && !paused_since(node);
  if (must_answer && !watch.answered_since(node, at) && now < at + policy_.answer_wait) return;
  const StateSeen seen = watch.state(node, now, paused_since(node), at);
  pending.seen = Observation{seen.state == expected.state, seen.text};
}

void FailoverExpectations::look_at_names(Pending& pending, const ExpectRunning& expected,
                                         Duration now, const Sighting* sighting) {
  if (sighting == nullptr || sighting->asked < pending.sighted_from) {
    if (now < pending.expectation->at + policy_.sighting_wait) return;
    pending.seen =
        pending.first.value_or(Observation{false, "the nodes were not all heard in time"});
    return;
  }
  Observation seen = running(expected, *sighting);
  if (!seen.met && !pending.first) {
    // Names may have moved between two answers: only what the next sighting shows too is wrong.
    pending.first = std::move(seen);
    pending.sighted_from = std::max(sighting->answered, now);
    return;
  }
  if (seen.met && pending.first) {
    seen.seen += ", at the second look " +
                 format_duration(std::chrono::floor<std::chrono::milliseconds>(
                     sighting->asked - pending.expectation->at)) +
                 " later";
  }
  pending.seen = std::move(seen);
}

bool FailoverExpectations::finished() const noexcept {
  return std::ranges::all_of(pending_,
                             [](const Pending& pending) { return pending.seen.has_value(); });
}

std::vector<Observation> FailoverExpectations::observations() const {
  std::vector<Observation> list;
  for (const Pending& pending : pending_) {
    if (!pending.seen) break;
    list.push_back(*pending.seen);
  }
  return list;
}

}  // namespace coterie::sim
