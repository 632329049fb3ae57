#pragma once
// The expectations of a scenario while its timeline is played: which of them are due, what they
// need to be asked, and what was seen. Pure; one thread.

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/failover_facts.hpp"
#include "sim/failover_watch.hpp"
#include "sim/scenario.hpp"
#include "sim/verdict.hpp"

namespace coterie::sim {

struct ExpectationPolicy {
  Duration answer_wait = std::chrono::seconds(1);    // for one status
  Duration sighting_wait = std::chrono::seconds(5);  // for the names of all nodes
  /// A fault planned for the same moment waits so long for the expectation to be seen first.
  Duration precedence = std::chrono::milliseconds(250);
};

class FailoverExpectations {
 public:
  explicit FailoverExpectations(std::span<const Expectation> expectations,
                                ExpectationPolicy policy = {});

  /// Nodes whose status is to be asked now.
  std::vector<std::string> wants_status(Duration now) const;
  /// A sighting is needed that is asked at this moment or later.
  std::optional<Duration> wants_sighting(Duration now) const;
  /// Faults are not to be played yet.
  bool holds(Duration now) const;

  using PausedSince = std::function<std::optional<Duration>(const std::string& node)>;
  void step(Duration now, const FailoverWatch& watch, const PausedSince& paused_since,
            const Sighting* sighting);

  bool finished() const noexcept;
  /// Of those that were reached, in the scenario's order; stops at the first that was not.
  std::vector<Observation> observations() const;

 private:
  struct Pending {
    const Expectation* expectation = nullptr;
    Duration sighted_from{};           // a sighting before it does not count
    std::optional<Observation> first;  // of `running`: not met at the first look
    std::optional<Observation> seen;
  };
  bool due(const Pending& pending, Duration now) const {
    return !pending.seen && pending.expectation->at <= now;
  }
  void look_at_state(Pending& pending, const ExpectState& expected, Duration now,
                     const FailoverWatch& watch, const PausedSince& paused_since);
  void look_at_names(Pending& pending, const ExpectRunning& expected, Duration now,
                     const Sighting* sighting);

  ExpectationPolicy policy_;
  std::vector<Pending> pending_;
};

}  // namespace coterie::sim
