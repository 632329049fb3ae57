#include "sim/sim_play.hpp"

#include <algorithm>
#include <utility>

#include "process/duration_text.hpp"
#include "sim/failover_workloads.hpp"
#include "sim/sim_guests.hpp"
#include "sim/sim_specs.hpp"
#include "sim/sim_tested_cluster.hpp"

namespace coterie::sim {
namespace {

// Links that lost their sessions again and again dial up to 45 s later (docs/wire.md).
constexpr Duration longest_backoff = std::chrono::seconds(75);

// I9: beyond the lease.
constexpr Duration back_within = std::chrono::milliseconds(1500);
// Rare paths leave a kind to its next look at all rows (ClusterOptions::sweep).
constexpr Duration next_look_within = std::chrono::seconds(3);

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
      // Half are left alone in a run; of the others most are taken often.
      const std::uint64_t one_in = random_.below(2) != 0 ? 0 : random_.below(3) != 0 ? 2 : 20;
      path = paths_.emplace(std::string(name), one_in).first;
    }
    if (path->second == 0 || random_.below(path->second) != 0) return false;
    world_.note(name);
    ++taken_[path->first];
    return true;
  }
  const auto& taken() const noexcept { return taken_; }
  std::uint64_t times(std::string_view name) const {
    const auto path = taken_.find(name);
    return path == taken_.end() ? 0 : path->second;
  }

 private:
  SimWorld& world_;
  SeededRandom random_;
  std::map<std::string, std::uint64_t, std::less<>> paths_;
  std::map<std::string, std::uint64_t, std::less<>> taken_;
};

/// Names that a living node holds and none of its processes has.
class Ghosts {
 public:
  /// The one that has been so the longest, when that is too long. Else empty.
  std::string look(SimCluster& cluster) {
    std::map<std::string, Time> now;
    for (const std::string& row : cluster.held_by_nobody()) {
      const auto before = seen_.find(row);
      now[row] = before != seen_.end() ? before->second : cluster.world().now();
    }
    seen_ = std::move(now);
    for (const auto& [row, since] : seen_) {
      if (cluster.world().now() >= after(since, given_back_within)) {
        return "I4 a name is held by nobody: " + row;
      }
    }
    // One that may still be given back is waited for.
    return seen_.empty() ? std::string() : std::string(waiting);
  }
  static constexpr std::string_view waiting = "names are being given back";

 private:
  static constexpr Duration given_back_within = std::chrono::seconds(3);
  std::map<std::string, Time> seen_;
};

/// What the checkers saw, as a line of the verdict and as its first violation, if it is the first.
void judge_violations(SimPlayed& played, Time begin) {
  Check check;
  check.name = "I1 to I6 and I8 to I11 at every step";
  if (played.violations.empty()) {
    check.seen = std::to_string(played.callbacks) + " callbacks of strict names, " +
                 std::to_string(played.moves) + " moves of names, " + std::to_string(played.views) +
                 " views, " + std::to_string(played.appends) + " appends and " +
                 std::to_string(played.pings) + " pings and " + std::to_string(played.effects) +
                 " messages of strict names checked";
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
    SimCluster* told = nullptr;
    SimGuests guests(
        world, plan.nodes, options.seed ^ 0x3C6EF372FE94F82Bull,
        [&told](std::string text) { told->violation(std::move(text)); },
        [&told](std::string_view name) { return told->owners().newest(name); });
    std::vector<Application> applications = program.applications;
    if (options.guests) applications.push_back(guests.application());
    SimCluster cluster(world, plan.config, std::move(applications));
    told = &cluster;
    if (options.rare_paths) cluster.set_rare(&rare);
    std::vector<std::pair<Time, std::string>> logged;
    if (options.logs) {
      cluster.on_log = [&](Time at, const std::string& node, const LogRecord& record) {
        logged.emplace_back(at, node + " " + std::string(record.message));
      };
    }
    if (options.prepare) options.prepare(cluster);
    SimTestedCluster tested(cluster);
    SimExecutor clients(world);
    SimSpecs specs(cluster,
                   plan.config.lease.length + back_within +
                       (options.rare_paths ? next_look_within : Duration::zero()),
                   [&rare] { return rare.times("supervision.rows_unread"); });
    const auto wait = [&world, &cluster, &specs](Duration duration) {
      world.run_for(duration);
      cluster.judge_bounds();
      specs.look();
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
    run_options.quiet_wait = options.quiet_wait.value_or(longest_backoff);
    run_options.clocks_left = [&cluster] { return cluster.clocks_left(); };
    run_options.faults_over = [&specs] { specs.faults_over(); };
    std::optional<Time> quiet_from;
    Ghosts ghosts;
    std::string unsettled;
    run_options.settled = [&] {
      if (!options.guests) return specs.all_run();
      if (!quiet_from) quiet_from = world.now();
      unsettled = guests.unsettled(*quiet_from);
      if (unsettled.empty()) unsettled = ghosts.look(cluster);
      return unsettled.empty() && specs.all_run();
    };
    FailoverRun run(world.clock(), plan.scenario, tested, **load, wait, std::move(run_options));
    auto verdict = run.run();
    if (!unsettled.empty() && unsettled != Ghosts::waiting) cluster.violation(unsettled);
    if (!verdict) {
      // What came of it may be why.
      if (!cluster.violations().empty()) {
        verdict.error().violation = cluster.violations().front().text;
        verdict.error().message += "; " + verdict.error().violation;
      }
      return std::unexpected(std::move(verdict.error()));
    }
    played.verdict = std::move(*verdict);
    played.violations = cluster.violations();
    played.callbacks = cluster.owners().callbacks();
    played.moves = cluster.owners().moves();
    played.views = cluster.views().views();
    played.pings = guests.pings();
    played.appends = cluster.store().appends;
    played.effects = cluster.effects();
    played.without_spec = specs.longest();
    played.rare = rare.taken();
    played.digest = world.digest();
    played.steps = world.steps();
    played.simulated = world.now() - start;
    for (auto& [at, line] : logged) {
      played.verdict.events.push_back({at - run.began(), "log", std::move(line)});
    }
    judge_violations(played, run.began());
  }
  return played;
}

}  // namespace coterie::sim
