#include "sim/simulate_command.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>

#include "node/exit_codes.hpp"
#include "process/duration_text.hpp"
#include "process/system_clock.hpp"
#include "sim/sim_draw.hpp"
#include "sim/sim_play.hpp"

namespace coterie::sim {
namespace {

constexpr std::string_view who = "simulate";

struct SimulateOptions {
  std::string scenario;  // file; empty: drawn
  std::size_t nodes = 3;
  AgreementEngine agreement = AgreementEngine::store;
  NameKeeper names = NameKeeper::members;
  std::vector<std::string> kinds;     // of faults; empty: all
  std::uint64_t seeds = 0;            // how many, from the first on; 0: one of a file, else 100
  std::optional<std::uint64_t> seed;  // the first
  std::string json;
  std::vector<std::size_t> only;  // numbers of planned faults; empty: all
  bool all_faults = true;
  bool shrink = true;
  bool logs = false;
};

void tell(const std::string& line) { std::fputs(("simulate: " + line + "\n").c_str(), stderr); }

class Simulation {
 public:
  Simulation(const SimulateOptions& options, const Program& program)
      : options_(options), program_(program) {}

  std::expected<FailoverPlan, std::string> plan(std::uint64_t seed) const {
    if (options_.scenario.empty()) {
      return draw_plan(
          program_, options_.nodes, seed,
          {.agreement = options_.agreement, .names = options_.names, .kinds = options_.kinds});
    }
    return plan_failover(options_.scenario, program_, Engine::sim);
  }

  std::string command(std::uint64_t seed, const std::vector<std::size_t>* only) const {
    std::string text = "coterie simulate ";
    text +=
        options_.scenario.empty() ? "--nodes " + std::to_string(options_.nodes) : options_.scenario;
    if (options_.agreement == AgreementEngine::voters) text += " --agreement voters";
    if (options_.names == NameKeeper::store) text += " --names store";
    if (!options_.kinds.empty()) {
      text += " --faults \"";
      for (const std::string& kind : options_.kinds) {
        text += (&kind == &options_.kinds.front() ? "" : ",") + kind;
      }
      text += "\"";
    }
    text += " --seed " + std::to_string(seed) + " --seeds 1";
    if (only == nullptr) return text;
    text += " --only ";
    if (only->empty()) text += "none";
    for (std::size_t i = 0; i < only->size(); ++i) {
      text += (i == 0 ? "" : ",") + std::to_string((*only)[i]);
    }
    return text;
  }

  /// `only`: the planned faults by number; null: all.
  std::expected<SimPlayed, FailoverRunError> play(const FailoverPlan& plan, std::uint64_t seed,
                                                  const std::vector<std::size_t>* only) const {
    SimPlayOptions play;
    play.seed = seed;
    // A file is played as it stands; what is drawn draws these too.
    play.rare_paths = options_.scenario.empty();
    play.guests = options_.scenario.empty();
    play.replay_command = command(seed, only);
    play.logs = options_.logs;
    if (only != nullptr) {
      const auto all = timeline(plan.scenario, plan.nodes, seed);
      play.faults.emplace();
      for (const std::size_t index : *only) {
        if (index < all.size()) play.faults->push_back(all[index]);
      }
    }
    return play_simulated(plan, program_, play);
  }

  /// The fewest planned faults, by number, that still fail: each is left out once, as long as that
  /// changes nothing.
  std::vector<std::size_t> shrink(const FailoverPlan& plan, std::uint64_t seed) const {
    std::vector<std::size_t> kept;
    const std::size_t count = timeline(plan.scenario, plan.nodes, seed).size();
    for (std::size_t i = 0; i < count; ++i) kept.push_back(i);
    const auto fails = [&](const std::vector<std::size_t>& some) {
      const auto played = play(plan, seed, &some);
      return !played || !passed(played->verdict);
    };
    if (!fails(kept)) return kept;
    // Halves first, then one by one.
    for (std::size_t part = std::max<std::size_t>(1, count / 2); part > 0; part /= 2) {
      for (std::size_t at = 0; at < kept.size();) {
        std::vector<std::size_t> without = kept;
        const auto first = without.begin() + static_cast<std::ptrdiff_t>(at);
        without.erase(first,
                      first + static_cast<std::ptrdiff_t>(std::min(part, without.size() - at)));
        if (fails(without)) {
          kept = std::move(without);
        } else {
          at += part;
        }
      }
    }
    return kept;
  }

 private:
  const SimulateOptions& options_;
  const Program& program_;
};

std::string failed_checks(const Verdict& verdict) {
  std::string text;
  for (const Check& check : verdict.checks) {
    if (check.result == Check::Result::fail) {
      text += (text.empty() ? "" : "; ") + check.name + ": " + check.seen;
    }
  }
  return text;
}

int run(const SimulateOptions& options, const Program& program) {
  const SystemClock clock;
  const Simulation simulation(options, program);
  std::uint64_t first = options.seed.value_or(1);
  std::uint64_t seeds = options.seeds;
  if (!options.scenario.empty()) {
    const auto plan = simulation.plan(0);
    if (!plan) return complain("", plan.error(), exit_code::usage);
    first = options.seed.value_or(plan->scenario.seed);
    if (seeds == 0) seeds = 1;
  }
  if (seeds == 0) seeds = 100;
  std::ofstream json;
  if (!options.json.empty()) {
    json.open(options.json, std::ios::binary | std::ios::trunc);
    if (!json) {
      return complain(who, "--json " + options.json + ": cannot be written", exit_code::usage);
    }
  }
  const Time begin = clock.now();
  Duration simulated{};
  std::uint64_t failing = 0;
  std::uint64_t callbacks = 0, appends = 0, moves = 0, steps = 0;
  OutcomeCount outcomes;
  std::optional<Verdict> shown;  // the first failing one, or the last
  std::optional<std::uint64_t> failing_seed;
  std::uint64_t digest = 0;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    const auto plan = simulation.plan(seed);
    if (!plan) return complain("", plan.error(), exit_code::usage);
    auto played = simulation.play(*plan, seed, options.all_faults ? nullptr : &options.only);
    if (!played) {
      ++failing;
      tell("seed " + std::to_string(seed) + ": no verdict: " + played.error().message);
      if (played.error().exit_code == exit_code::usage) return exit_code::usage;
      continue;
    }
    simulated += played->simulated;
    callbacks += played->callbacks;
    appends += played->appends;
    moves += played->moves;
    steps += played->steps;
    digest ^= played->digest;
    const OutcomeCount& count = played->verdict.outcomes;
    outcomes.acknowledged += count.acknowledged;
    outcomes.refused += count.refused;
    outcomes.not_executed += count.not_executed;
    outcomes.unknown += count.unknown;
    const bool failed = !passed(played->verdict);
    if (failed) {
      ++failing;
      tell("seed " + std::to_string(seed) + " fails: " + failed_checks(played->verdict));
      tell("  replay it with: " + played->verdict.replay_command);
    }
    if (failed && !failing_seed) {
      failing_seed = seed;
      shown = std::move(played->verdict);
    } else if (!failing_seed) {
      shown = std::move(played->verdict);
    }
  }
  bool written = true;
  if (failing_seed && options.shrink && options.all_faults) {
    tell("seed " + std::to_string(*failing_seed) +
         ": leaving out the faults that it does not need");
    const auto plan = simulation.plan(*failing_seed);
    const auto kept = simulation.shrink(*plan, *failing_seed);
    if (auto small = simulation.play(*plan, *failing_seed, &kept);
        small && !passed(small->verdict)) {
      shown = std::move(small->verdict);
    }
  }
  if (shown && (failing_seed || seeds == 1)) written = print(to_text(*shown));
  const Duration took = std::max<Duration>(clock.now() - begin, std::chrono::milliseconds(1));
  const double speed = static_cast<double>(simulated.count()) / static_cast<double>(took.count());
  char factor[32];
  std::snprintf(factor, sizeof factor, speed < 10 ? "%.2g" : "%.0f", speed);
  char digest_text[32];
  std::snprintf(digest_text, sizeof digest_text, "%016llx",
                static_cast<unsigned long long>(digest));
  written = print(std::to_string(seeds) + (seeds == 1 ? " seed, " : " seeds, ") +
                  std::to_string(failing) + " failing; " + std::to_string(outcomes.all()) +
                  " commands, " + std::to_string(outcomes.acknowledged) + " acknowledged; " +
                  std::to_string(callbacks) + " callbacks, " + std::to_string(moves) +
                  " moves of names, " + std::to_string(appends) + " appends checked\n" +
                  format_duration(std::chrono::floor<std::chrono::seconds>(simulated)) +
                  " simulated in " +
                  format_duration(std::chrono::floor<std::chrono::milliseconds>(took)) + ", " +
                  factor + " times real time, " + std::to_string(steps) + " steps, digest " +
                  digest_text + "\n") &&
            written;
  if (json.is_open() && shown && !(json << to_json_text(*shown) << std::flush)) {
    return complain(who, options.json + ": cannot be written", exit_code::failure);
  }
  return failing == 0 && written ? exit_code::ok : exit_code::failure;
}

std::string parse_only(const std::string& text, SimulateOptions& options) {
  options.all_faults = false;
  if (text == "none") return {};
  std::size_t at = 0;
  while (at <= text.size()) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + comma, number);
    if (error != std::errc() || end != text.data() + comma) {
      return "expected numbers of faults with commas between them, or none; found " + text;
    }
    options.only.push_back(number);
    at = comma + 1;
  }
  return {};
}

}  // namespace

Command simulate_command() {
  return {
      "simulate", "Runs whole clusters with faults on virtual time, a seed each, and judges them",
      "Examples:\n"
      "  coterie simulate --nodes 5 --seeds 1000\n"
      "  coterie simulate cluster-configs/scenarios/kill-owner.toml --seeds 100\n"
      "Without a file the seed draws work and faults. The same seed is the same run. The first\n"
      "seed that fails is played again without the faults that it does not need, and shown.\n"
      "Exit codes: 0 every seed passed; 1 not so; 2 the file or its cluster is wrong",
      [](CLI::App& app, Invocation& invocation) -> std::function<int()> {
        auto options = std::make_shared<SimulateOptions>();
        app.add_option("SCENARIO", options->scenario,
                       "Scenario file (TOML); without it work and faults are drawn");
        app.add_option("--nodes", options->nodes, "Nodes of a drawn cluster")
            ->check(CLI::Range(std::size_t{3}, drawn_nodes_max));
        app.add_option("--agreement", options->agreement,
                       "Engine of a drawn cluster's agreement: store (default) or voters")
            ->transform(CLI::CheckedTransformer(std::map<std::string, AgreementEngine>{
                {"store", AgreementEngine::store}, {"voters", AgreementEngine::voters}}))
            ->type_name("ENGINE");
        app.add_option("--names", options->names,
                       "Who keeps the names of a drawn cluster: members (default) or store")
            ->transform(CLI::CheckedTransformer(std::map<std::string, NameKeeper>{
                {"members", NameKeeper::members}, {"store", NameKeeper::store}}))
            ->type_name("KEEPER");
        app.add_option("--faults", options->kinds,
                       "Kinds of fault to draw from; default: all (docs/failover-testing.md)")
            ->delimiter(',')
            ->type_name("KIND,KIND,...");
        app.add_option("--seeds", options->seeds,
                       "How many seeds; default: 1 of a file, 100 drawn ones")
            ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{100'000'000}));
        app.add_option("--seed", options->seed, "The first of them; default: the scenario's, or 1");
        app.add_option("--json", options->json, "Also writes the verdict that is shown as JSON")
            ->type_name("FILE");
        app.add_option_function<std::string>(
               "--only",
               [options](const std::string& text) {
                 if (std::string wrong = parse_only(text, *options); !wrong.empty()) {
                   throw CLI::ValidationError("--only", wrong);
                 }
               },
               "Of the planned faults only those with these numbers, or none")
            ->type_name("N,N,...");
        app.add_flag("--logs", options->logs, "The nodes' logs join the time line that is shown");
        app.add_flag("!--no-shrink", options->shrink, "Shows a failing seed as it is");
        return [options, &invocation] { return run(*options, invocation.program); };
      }};
}

}  // namespace coterie::sim
