#include "sim/sim_play.hpp"

#include <algorithm>
#include <utility>

#include "process/duration_text.hpp"
#include "sim/failover_workloads.hpp"
#include "sim/sim_tested_cluster.hpp"

namespace coterie::sim {
namespace {

std::string at_text(Duration at) {
  return format_duration(std::chrono::floor<std::chrono::milliseconds>(at));
}

/// Which rare paths a seed takes, and how often. Its draws shift those of nobody else.
class SeededRarePaths final : public RarePaths {
 public:
  SeededRarePaths(SimWorld& world, std::uint64_t seed) : world_(world), random_(seed) {}

  bool take(std::string_view name) noexcept override {
    auto path = paths_.find(name);
    if (path == paths_.end()) {
      // Most are left alone in a run; of the others some are taken often.
      const std::uint64_t one_in = random_.below(3) != 0 ? 0 : random_.below(2) == 0 ? 2 : 20;
      path = paths_.emplace(std::string(name), one_in).first;
    }
    if (path->second == 0 || random_.below(path->second) != 0) return false;
    world_.note(name);
    ++taken_[path->first];
    return true;
  }
  const auto& taken() const noexcept { return taken_; }

 private:
  SimWorld& world_;
  SeededRandom random_;
  std::map<std::string, std::uint64_t, std::less<>> paths_;
  std::map<std::string, std::uint64_t, std::less<>> taken_;
};

/// What the checkers saw, as a line of the verdict and as its first violation, if it is the first.
void judge_violations(SimPlayed& played, Time begin) {
  Check check;
  check.name = "I1 I2 I3 at every step";
  if (played.violations.empty()) {
    check.seen = std::to_string(played.callbacks) + " callbacks of strict names, " +
                 std::to_string(played.moves) + " moves of names and " +
                 std::to_string(played.appends) + " appends checked";
  } else {
    check.result = Check::Result::fail;
    const SimViolation& first = played.violations.front();
    const Duration at = first.at - begin;
    check.seen = std::to_string(played.violations.size()) + " violations, the first at " +
                 at_text(at) + ": " + first.text;
    auto& known = played.verdict.first_violation;
    if (!known || at < known->at) known = FirstViolation{at, first.text};
  }
  played.verdict.checks.push_back(std::move(check));
  for (const SimViolation& violation : played.violations) {
    played.verdict.events.push_back({violation.at - begin, "violation", violation.text});
  }
  std::ranges::stable_sort(played.verdict.events, {}, &Event::at);
}

}  // namespace

std::expected<SimPlayed, FailoverRunError> play_simulated(const FailoverPlan& plan,
                                                          const Program& program,
                                                          const SimPlayOptions& options) {
  SimWorld world(options.seed);
  const Time start = world.now();
  SimPlayed played;
  SeededRarePaths rare(world, options.seed ^ 0x9E6C63D0876A9A35ull);
  {
    SimCluster cluster(world, plan.config, program.applications);
    if (options.rare_paths) cluster.set_rare(&rare);
    if (options.prepare) options.prepare(cluster);
    SimTestedCluster tested(cluster);
    SimExecutor clients(world);
    const auto wait = [&world](Duration duration) {
      world.run_for(duration);
      return true;
    };
    const auto connect = [&](std::span<const std::string> through)
        -> std::expected<std::unique_ptr<WorkloadCaller>, std::string> {
      return tested.caller(through);
    };
    auto load = FailoverWorkloads::make(world.clock(), clients, plan, connect, options.seed, wait);
    if (!load) return std::unexpected(FailoverRunError{2, load.error()});
    FailoverRunOptions run_options;
    run_options.nodes = plan.nodes;
    run_options.engine = Engine::sim;
    run_options.seed = options.seed;
    run_options.faults = options.faults;
    run_options.replay_command = options.replay_command;
    if (options.quiet_wait) run_options.quiet_wait = *options.quiet_wait;
    FailoverRun run(world.clock(), plan.scenario, tested, **load, wait, std::move(run_options));
    auto verdict = run.run();
    if (!verdict) return std::unexpected(std::move(verdict.error()));
    played.verdict = std::move(*verdict);
    played.violations = cluster.violations();
    played.callbacks = cluster.owners().callbacks();
    played.moves = cluster.owners().moves();
    played.appends = cluster.store().appends;
    played.rare = rare.taken();
    played.digest = world.digest();
    played.steps = world.steps();
    played.simulated = world.now() - start;
    judge_violations(played, run.began());
  }
  return played;
}

}  // namespace coterie::sim
