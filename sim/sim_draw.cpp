#include "sim/sim_draw.hpp"

#include <algorithm>
#include <array>
#include <functional>

#include "process/seeded_random.hpp"
#include "sim/sim_draw_actions.hpp"
#include "sim/sim_draw_cluster.hpp"
#include "sim/sim_troubles.hpp"

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;

struct Kind {
  std::string_view word;
  std::function<Action(Draw&)> make;
  /// Instead of one action: what belongs together.
  std::function<void(Scenario&, Draw&)> arrange{};
  /// Its nodes die, and only their guardians bring them back.
  bool kills = false;
  /// Clocks leave the bound, so that from then on less is promised: seldom.
  bool beyond = false;
};

constexpr Duration faults_begin = 2s;
// Of more nodes each second costs seconds.
constexpr std::size_t usual_nodes_max = 50;
constexpr Duration usual_faults = 23s;
constexpr Duration large_faults = 6s;
constexpr Duration quiet_after = 5s;
constexpr Duration once = 1000s;
constexpr double rate_max = 1.0099;
constexpr double rate_min = 0.9901;
constexpr std::size_t keys = 20;
constexpr std::size_t crashes_max = 8;
constexpr std::size_t poisons_max = 3;

/// How long faults begin, from faults_begin on.
Duration faults_last(std::size_t nodes) {
  return nodes <= usual_nodes_max ? usual_faults : large_faults;
}

Action of_name(FaultKind kind) {
  Action action;
  action.kind = kind;
  return action;  // its name is drawn for each time that it happens
}

FaultEvery once_of(Action action, const std::string& node, Duration at, std::size_t nodes) {
  action.node = NodeSelector{NodeSelector::Kind::name, node, {}};
  FaultEvery fault;
  fault.every = {once, once};
  fault.after = at;
  fault.until = at + 1s;
  fault.max_down = static_cast<unsigned>(nodes);
  fault.pick.push_back(std::move(action));
  return fault;
}

void power_lost_everywhere(Scenario& scenario, Draw& draw) {
  const bool large = draw.nodes().size() > usual_nodes_max;
  const Duration at =
      faults_begin + std::chrono::milliseconds(draw.random().below(large ? 5'000 : 20'000));
  for (const std::string& node : draw.nodes()) {
    scenario.faults.push_back(
        {once_of(draw.down(FaultKind::power_off, 100ms, 3s), node, at, draw.nodes().size()), {}});
  }
}

/// Each clock has a rate of its own, from the first to the last fault.
void clocks_apart(Scenario& scenario, Draw& draw) {
  for (const std::string& node : draw.nodes()) {
    const bool at_the_bound = draw.random().below(3) != 0;
    const double share = at_the_bound ? static_cast<double>(draw.random().below(2))
                                      : static_cast<double>(draw.random().below(1000)) / 1000;
    Action action = draw.clock_rate(rate_min + (rate_max - rate_min) * share);
    const Duration end = faults_begin + faults_last(draw.nodes().size());
    action.lasts = Range{end, end};
    scenario.faults.push_back({once_of(std::move(action), node, 1ms, draw.nodes().size()), {}});
  }
}

Action trouble_of(const TroubleKind& kind, const Draw& draw) {
  Action action = kind.of == TroubleOf::link ? draw.on_link(FaultKind::trouble) : Action{};
  action.kind = FaultKind::trouble;
  if (kind.of == TroubleOf::node) action.node = draw.any();
  action.name = std::string(kind.word);
  action.lasts = Range{300ms, 6s};
  return action;
}

std::vector<Kind> usual_kinds() {
  return {
      {"kill back soon", [](Draw& d) { return d.down(FaultKind::kill, 100ms, 2s); }},
      {"kill back late", [](Draw& d) { return d.down(FaultKind::kill, 3s, 8s); }},
      {"kill the busiest",
       [](Draw& d) {
         Action action = d.down(FaultKind::kill, 500ms, 4s);
         action.node = d.most_names();
         return action;
       }},
      {"power off", [](Draw& d) { return d.down(FaultKind::power_off, 200ms, 6s); }},
      {"stop", [](Draw& d) { return d.down(FaultKind::stop, 200ms, 3s); }},
      {"pause within the lease",
       [](Draw& d) { return d.on_node(FaultKind::pause, 20ms, d.lease() / 2); }},
      {"pause around the lease",
       [](Draw& d) { return d.on_node(FaultKind::pause, d.lease() * 4 / 5, d.lease() * 6 / 5); }},
      {"pause beyond the lease",
       [](Draw& d) { return d.on_node(FaultKind::pause, d.lease() * 3 / 2, d.lease() * 3); }},
      {"pause beyond the session", [](Draw& d) { return d.on_node(FaultKind::pause, 6s, 9s); }},
      {"cut one node off", [](Draw& d) { return d.partition(1, 500ms, 8s); }},
      {"cut a minority off",
       [](Draw& d) { return d.partition((d.nodes().size() - 1) / 2, 500ms, 8s); }},
      {"one way",
       [](Draw& d) {
         Action action;
         action.kind = FaultKind::one_way;
         action.from = d.any();
         action.to = d.any();
         action.lasts = Range{300ms, 7s};
         return action;
       }},
      {"reset", [](Draw& d) { return d.on_link(FaultKind::reset); }},
      {"flapping link",
       [](Draw& d) {
         Action action = d.on_link(FaultKind::reset);
         action.times = 12;
         action.over = 4s;
         return action;
       }},
      {"slow link", [](Draw& d) { return d.slow_link(20ms, 30ms); }},
      {"very slow link", [](Draw& d) { return d.slow_link(300ms, 600ms); }},
      {"throttled link",
       [](Draw& d) {
         Action action = d.on_link(FaultKind::throttle);
         action.bytes_per_second = 2'000 + static_cast<std::int64_t>(d.random().below(60'000));
         action.lasts = Range{500ms, 6s};
         return action;
       }},
      {"large frames swallowed",
       [](Draw& d) {
         Action action = d.on_link(FaultKind::blackhole_large);
         action.bytes = 200 + static_cast<std::int64_t>(d.random().below(1'400));
         action.lasts = Range{500ms, 6s};
         return action;
       }},
      {"slow disk", [](Draw& d) { return d.slow_disk(60ms); }},
      {"disk slower than a renewal", [](Draw& d) { return d.slow_disk(d.lease() * 2 / 5); }},
      {"full disk", [](Draw& d) { return d.on_node(FaultKind::full_disk, 200ms, 4s); }},
      // Whose processes crash too often for their supervisor ends, as in OTP.
      {"answers of the disk lost",
       [](Draw& d) { return d.on_node(FaultKind::failing_fsync, 500ms, 6s); },
       {},
       true},
      {"crash of a name", [](Draw&) { return of_name(FaultKind::crash_name); }, {}, true},
      {"poisonous command", [](Draw&) { return of_name(FaultKind::poison); }, {}, true},
      {"slow node",
       [](Draw& d) {
         Action action = d.on_node(FaultKind::slow_node, 500ms, 6s);
         action.factor = 0.1;
         return action;
       }},
      {"fast clock within the bound", [](Draw& d) { return d.clock_rate(rate_max); }},
      {"slow clock within the bound", [](Draw& d) { return d.clock_rate(rate_min); }},
      {"clocks apart", {}, clocks_apart},
      {"power lost everywhere", {}, power_lost_everywhere},
      {"clock far too fast", [](Draw& d) { return d.clock_rate(1.5); }, {}, false, true},
      {"clock far too slow", [](Draw& d) { return d.clock_rate(0.6); }, {}, false, true},
      {"clock stopped",
       [](Draw& d) { return d.on_node(FaultKind::clock_stop, 300ms, 6s); },
       {},
       false,
       true},
      {"clock set forward",
       [](Draw& d) {
         Action action = d.of_node(FaultKind::clock_jump);
         action.by = d.lease() / 2 + std::chrono::milliseconds(d.random().below(20'000));
         return action;
       },
       {},
       false,
       true},
      {"state directory lost", [](Draw& d) { return d.of_node(FaultKind::replace); }},
      {"wall clock set back",
       [](Draw& d) {
         Action action = d.of_node(FaultKind::clock_jump);
         action.by = -1h;
         return action;
       }},
  };
}

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> table = [] {
    std::vector<Kind> list = usual_kinds();
    for (const TroubleKind& trouble : trouble_kinds()) {
      list.push_back({trouble.word,
                      [trouble](Draw& draw) { return trouble_of(trouble, draw); },
                      {},
                      trouble.kills});
    }
    return list;
  }();
  return table;
}

/// Each name at most once in all: one that crashes again and again is given up, and one that kills
/// two nodes is quarantined, rightly.
void strike_names(Scenario& scenario, const FailoverPlan& plan, const Action& action, Draw& draw) {
  std::size_t struck = 0;
  for (const Fault& fault : scenario.faults) {
    if (std::holds_alternative<FaultAt>(fault.when)) ++struck;
  }
  const std::size_t most = action.kind == FaultKind::poison ? poisons_max : crashes_max;
  const std::size_t end = std::min(keys, struck + 1 + draw.random().below(most));
  const auto& workload = *plan.workloads.begin();
  const auto source = workload.second->source(1, {});
  for (; struck < end; ++struck) {
    FaultAt fault;
    const auto last =
        std::chrono::duration_cast<std::chrono::milliseconds>(faults_last(draw.nodes().size()));
    fault.at = faults_begin + std::chrono::milliseconds(
                                  draw.random().below(static_cast<std::uint64_t>(last.count())));
    fault.action = action;
    fault.action.name = workload.first + "/" + source->start(struck).key;
    scenario.faults.push_back({std::move(fault), {}});
  }
}

const Kind& draw_kind(const std::vector<const Kind*>& from, SeededRandom& random) {
  const Kind* kind = from[random.below(from.size())];
  if (kind->beyond && random.below(4) != 0) kind = from[random.below(from.size())];
  return *kind;
}

/// One to three streams of faults. Which there are, and how often, is the seed's choice too: few
/// kinds at a time go deeper.
void draw_faults(FailoverPlan& plan, const std::vector<const Kind*>& from, Draw& draw,
                 AgreementEngine agreement) {
  Scenario& scenario = plan.scenario;
  SeededRandom& random = draw.random();
  const std::size_t streams = 1 + random.below(3);
  // Seldom without regard to what a majority needs: nothing may be lost by that either.
  const bool spares_majority = random.below(6) != 0;
  for (std::size_t i = 0; i < streams; ++i) {
    FaultEvery every;
    every.after = faults_begin;
    every.until = faults_begin + faults_last(plan.nodes.size());
    if (!spares_majority) every.max_down = static_cast<unsigned>(plan.nodes.size());
    const Duration pace = std::array<Duration, 3>{700ms, 2s, 5s}[random.below(3)];
    every.every = {pace / 2, pace * 2};
    const std::size_t count = 1 + random.below(5);
    for (std::size_t j = 0; j < count; ++j) {
      const Kind& kind = draw_kind(from, random);
      if (kind.arrange) {
        kind.arrange(scenario, draw);
        continue;
      }
      Action action = kind.make(draw);
      // A voter whose disk is lost votes no more: one is all that three can lose.
      if (action.kind == FaultKind::replace && agreement == AgreementEngine::voters) {
        action.node->kind = NodeSelector::Kind::name;
        action.node->text = plan.nodes.front();
      }
      if (action.kind == FaultKind::poison || action.kind == FaultKind::crash_name) {
        strike_names(scenario, plan, action, draw);
      } else {
        every.pick.push_back(std::move(action));
      }
    }
    if (!every.pick.empty()) scenario.faults.push_back({std::move(every), {}});
  }
}

std::expected<std::vector<const Kind*>, std::string> kinds_of(const DrawChoice& choice,
                                                              bool respawn) {
  std::vector<const Kind*> list;
  for (const Kind& kind : kinds()) {
    const bool chosen =
        choice.kinds.empty() || std::ranges::find(choice.kinds, kind.word) != choice.kinds.end();
    // Who dies of it comes back by its guardian only.
    if (chosen && (respawn || !kind.kills)) list.push_back(&kind);
  }
  for (const std::string& word : choice.kinds) {
    if (std::ranges::find(kinds(), word, &Kind::word) != kinds().end()) continue;
    std::string text = "--faults: no kind of fault is called \"" + word + "\"; there are ";
    for (const Kind& kind : kinds()) {
      text += (&kind == &kinds().front() ? "" : ", ") + std::string(kind.word);
    }
    return std::unexpected(text);
  }
  return list;
}

}  // namespace

std::span<const std::string_view> drawn_kinds() {
  static const std::vector<std::string_view> words = [] {
    std::vector<std::string_view> list;
    for (const Kind& kind : kinds()) list.push_back(kind.word);
    return list;
  }();
  return words;
}

std::expected<FailoverPlan, std::string> draw_plan(const Program& program, std::size_t nodes,
                                                   std::uint64_t seed, const DrawChoice& choice) {
  if (nodes < 3 || nodes > drawn_nodes_max) {
    return std::unexpected("--nodes: expected 3 to " + std::to_string(drawn_nodes_max) +
                           ", found " + std::to_string(nodes));
  }
  SeededRandom random(seed ^ 0xD1B54A32D192ED03ull);
  const Lease& lease = leases[random.below(leases.size())];
  FailoverPlan plan;
  std::string hosted;
  for (const Application& application : program.applications) {
    for (const auto& workload : application.workloads) {
      plan.workloads.emplace(workload->kind(), workload.get());
    }
    for (const ClusterKind& kind : application.kinds) {
      hosted += (hosted.empty() ? "\"" : ", \"") + kind.kind.name + "\"";
    }
  }
  if (plan.workloads.empty()) return std::unexpected("this program has no workload to simulate");
  const bool respawn = random.below(2) == 0 || !choice.kinds.empty();
  const auto from = kinds_of(choice, respawn);
  if (!from) return std::unexpected(from.error());
  auto config =
      parse_config(cluster_text(nodes, lease, hosted, respawn, choice.agreement, choice.names),
                   "simulated cluster");
  if (!config) return std::unexpected(to_string(config.error()));
  plan.config = *std::move(config);
  for (const NodeSection& node : plan.config.nodes) plan.nodes.push_back(node.name);

  Scenario& scenario = plan.scenario;
  scenario.name = "drawn by seed " + std::to_string(seed);
  scenario.duration = faults_begin + faults_last(nodes) + quiet_after;
  scenario.engines = {Engine::sim};
  scenario.seed = seed;
  WorkloadChoice workload;
  workload.kind.text = plan.workloads.begin()->first;
  workload.keys = keys;
  workload.clients = 6;
  workload.rate = static_cast<std::int64_t>(20 + random.below(80));
  scenario.workloads.push_back(std::move(workload));
  Draw draw(plan.nodes, random.split(), lease.length_max);
  draw_faults(plan, *from, draw, choice.agreement);
  // A store whose answers are lost leaves outcomes unknown, rightly.
  scenario.verdict.unknown_max = 1;
  scenario.verdict.reason = "faults are drawn without regard to what they cost";
  return plan;
}

}  // namespace coterie::sim
