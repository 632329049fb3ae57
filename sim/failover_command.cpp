#include "sim/failover_command.hpp"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <expected>
#include <fstream>
#include <memory>

#include "node/exit_codes.hpp"
#include "node/interruption.hpp"
#include "node/local_cluster.hpp"
#include "node/run_directory.hpp"
#include "process/system_clock.hpp"
#include "process/system_random.hpp"
#include "process/thread_executor.hpp"
#include "sim/failover_plan.hpp"
#include "sim/failover_run.hpp"
#include "sim/failover_workloads.hpp"
#include "sim/fault_kinds.hpp"
#include "sim/real_cluster.hpp"
#include "sim/scenario_reader.hpp"

namespace coterie::sim {
namespace {

constexpr std::string_view who = "failover";

void tell(const std::string& line) { std::fputs(("failover: " + line + "\n").c_str(), stderr); }

int play(const FailoverPlan& plan, const FailoverOptions& options, std::uint64_t seed,
         std::ofstream& json, Interruption& interruption, RunDirectory& directory) {
  SystemClock clock;
  SystemRandom random;
  const auto wait = [&interruption](Duration duration) { return interruption.wait(duration); };
  LocalClusterOptions local;
  local.config_file = plan.config_file;
  local.directory = directory.path();
  local.overrides = plan.overrides;
  local.program = options.program;
  local.proxied = has_fault(plan.scenario, is_of_links);
  local.faulty = has_fault(plan.scenario, is_inside);
  local.wait = wait;
  auto cluster = LocalCluster::make(clock, random, std::move(local));
  if (!cluster) return complain(who, cluster.error(), exit_code::usage);
  ThreadExecutor executor(clock);
  const auto connect = [&](std::span<const std::string> through)
      -> std::expected<std::unique_ptr<WorkloadCaller>, std::string> {
    auto caller = ClusterCaller::connect((*cluster)->config(), through, clock, random);
    if (!caller) return std::unexpected(std::move(caller.error()));
    return std::move(*caller);
  };
  auto load = FailoverWorkloads::make(clock, executor, plan, connect, seed, wait);
  if (!load) return complain("", load.error(), exit_code::usage);

  FailoverRunOptions run_options;
  run_options.nodes = plan.nodes;
  run_options.seed = seed;
  run_options.replay_command =
      "coterie failover " + options.scenario + " --seed " + std::to_string(seed);
  run_options.progress = tell;
  RealCluster tested(clock, random, **cluster, plan.nodes);
  FailoverRun run(clock, plan.scenario, tested, **load, wait, std::move(run_options));
  const auto verdict = run.run();
  if (!verdict) {
    if (interruption.asked()) return complain(who, verdict.error().message, 130);
    directory.keep();
    tell("the nodes' logs are in " + directory.path().string());
    return complain(who, verdict.error().message, verdict.error().exit_code);
  }
  if (!passed(*verdict)) directory.keep();
  bool written = print(to_text(*verdict));
  if (!passed(*verdict) || !options.keep.empty()) {
    written = print("The nodes' logs are in " + directory.path().string() + "\n") && written;
  }
  if (!options.json.empty() && !(json << to_json_text(*verdict) << std::flush)) {
    return complain(who, options.json + ": cannot be written", exit_code::failure);
  }
  return written ? exit_code(*verdict) : exit_code::failure;
}

}  // namespace

int play_failover(const FailoverOptions& options, const Program& program) {
  // Before any thread, so that all of them leave these signals to it.
  Interruption interruption;
  const auto plan = plan_failover(options.scenario, program);
  if (!plan) return complain("", plan.error(), exit_code::usage);
  std::ofstream json;
  if (!options.json.empty()) {
    json.open(options.json, std::ios::binary | std::ios::trunc);
    if (!json) {
      return complain(who, "--json " + options.json + ": cannot be written", exit_code::usage);
    }
  }
  auto directory = RunDirectory::make(options.keep, "failover");
  if (!directory) return complain(who, directory.error(), exit_code::usage);
  return play(*plan, options, options.seed.value_or(plan->scenario.seed), json, interruption,
              *directory);
}

Command failover_command() {
  return {"failover",
          "Plays a scenario of faults with real nodes of its own and judges what the clients saw",
          "Example:\n"
          "  coterie failover cluster-configs/scenarios/kill-owner.toml --json verdict.json\n"
          "The nodes run on free ports of this machine, in a directory of their own; the logs of\n"
          "a run that fails stay there.\n"
          "Exit codes: 0 everything that the file expects held; 1 not so; 2 the file or its\n"
          "cluster is wrong; 130 interrupted",
          [](CLI::App& app, Invocation& invocation) -> std::function<int()> {
            auto options = std::make_shared<FailoverOptions>();
            app.add_option("SCENARIO", options->scenario, "Scenario file (TOML)")->required();
            app.add_option("--json", options->json, "Also writes the verdict as JSON")
                ->type_name("FILE");
            app.add_option("--seed", options->seed,
                           "Draws the workload and the drawn faults from it, instead of from the "
                           "scenario's seed");
            app.add_option("--keep", options->keep,
                           "Keeps state, configuration and logs of the nodes there, whatever the "
                           "verdict")
                ->type_name("DIR");
            return [options, &invocation] { return play_failover(*options, invocation.program); };
          }};
}

}  // namespace coterie::sim
