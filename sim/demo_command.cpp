#include "sim/demo_command.hpp"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <memory>

#include "node/exit_codes.hpp"
#include "node/interruption.hpp"
#include "node/run_directory.hpp"
#include "node/workload_file.hpp"
#include "process/system_clock.hpp"
#include "process/system_random.hpp"
#include "process/thread_executor.hpp"
#include "sim/demo_run.hpp"

namespace coterie::sim {
namespace {

namespace fs = std::filesystem;

constexpr int interrupted_code = 130;
constexpr std::string_view shipped_config = "cluster-configs/local-3.toml";
constexpr std::size_t tail_lines = 25;

struct DemoArguments {
  std::string config, keep;
  DemoPlan plan;
};

/// The shipped cluster file: from here, or beside the folder of the program that was built.
std::string find_config(const std::string& wanted) {
  if (!wanted.empty()) return wanted;
  std::error_code error;
  if (fs::exists(shipped_config, error)) return std::string(shipped_config);
  for (fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
       !folder.empty() && folder != folder.root_path(); folder = folder.parent_path()) {
    if (fs::exists(folder / shipped_config, error)) return (folder / shipped_config).string();
  }
  return std::string(shipped_config);
}

const Workload* first_workload(const Program& program) {
  for (const Application& application : program.applications) {
    if (!application.workloads.empty()) return application.workloads.front().get();
  }
  return nullptr;
}

/// Written to a file and read back, as `replay` would get it.
std::expected<std::vector<WorkloadOperation>, std::string> workload_file(const Workload& workload,
                                                                         const DemoPlan& plan,
                                                                         const fs::path& path) {
  std::ofstream out(path, std::ios::binary);
  workload.write(demo_operations(workload, plan), out);
  if (!out.flush()) return std::unexpected(path.string() + ": cannot be written");
  return read_workload_file(workload, path.string());
}

void print_logs(const LocalCluster& cluster) {
  for (const std::string& node : cluster.nodes()) {
    print("---- the end of " + cluster.log_file(node).string() + '\n' +
          cluster.log_tail(node, tail_lines));
  }
}

int run(const Invocation& invocation, const DemoArguments& arguments) {
  Interruption interruption;  // before any thread, so that all of them leave the signals to it
  const std::string who = invocation.program.name + " demo";
  const Workload* workload = first_workload(invocation.program);
  if (workload == nullptr) return complain(who, "this program has no workload", exit_code::usage);
  auto directory = RunDirectory::make(arguments.keep, "demo");
  if (!directory) return complain(who, directory.error(), exit_code::usage);
  SystemClock clock;
  SystemRandom random;
  ThreadExecutor executor(clock);
  const auto wait = [&](Duration duration) { return interruption.wait(duration); };
  LocalClusterOptions local;
  local.config_file = find_config(arguments.config);
  local.directory = directory->path();
  local.wait = wait;
  auto cluster = LocalCluster::make(clock, random, std::move(local));
  if (!cluster) return complain(who, cluster.error(), exit_code::usage);
  auto operations = workload_file(*workload, arguments.plan, directory->path() / "workload.jsonl");
  if (!operations) return complain(who, operations.error(), exit_code::failure);

  std::expected<DemoFacts, std::string> facts;
  {
    TerminalProgress progress;
    progress.say("a cluster of " + std::to_string((*cluster)->nodes().size()) +
                 " nodes; look at it with: " + invocation.program.name + " status --config " +
                 (*cluster)->config_file().string());
    DemoRun demo(clock, random, executor, *workload, **cluster, arguments.plan, wait, progress);
    facts = demo.run(*std::move(operations));
  }
  if (interruption.asked()) return complain(who, "interrupted", interrupted_code);
  const auto fail = [&](const std::string& why) {
    print_logs(**cluster);
    directory->keep();
    print("state and logs are in " + directory->path().string() + '\n');
    return complain(who, why, exit_code::failure);
  };
  if (!facts) return fail(facts.error());
  const auto checks = judge(*facts, *workload);
  const bool written = print(to_text(*facts, checks));
  if (!passed(checks)) return fail("not every promise was kept");
  if (auto stopped = (*cluster)->stop_all(std::chrono::seconds(20)); !stopped) {
    return fail(stopped.error());
  }
  return written ? exit_code::ok : exit_code::failure;
}

}  // namespace

Command demo_command() {
  return {
      "demo", "Shows a cluster of this machine keep its names through the kill -9 of a node",
      "Starts nodes of its own on free ports, in a directory of its own, drives a workload,\n"
      "kills the node that runs the most names in the middle of it, and checks every promise.\n"
      "Nothing is left behind, but state and logs when it fails.\n"
      "Exit codes: 0 every promise was kept; 1 not so; 2 wrong arguments; 130 interrupted",
      [](CLI::App& app, Invocation& invocation) -> std::function<int()> {
        auto arguments = std::make_shared<DemoArguments>();
        app.add_option("--config", arguments->config,
                       "Cluster file; default: " + std::string(shipped_config))
            ->type_name("FILE");
        app.add_option("--keep", arguments->keep, "Keeps state and logs there")->type_name("DIR");
        app.add_option("--names", arguments->plan.names, "Names that are started")
            ->check(CLI::Range(1, 1'000'000));
        app.add_option("--commands", arguments->plan.commands, "Commands besides the starts")
            ->check(CLI::Range(1, 10'000'000));
        app.add_option("--rate", arguments->plan.rate, "Commands per second; 0: as fast as they go")
            ->check(CLI::Range(0.0, 1e6));
        app.add_option("--clients", arguments->plan.clients, "Each with one command at a time")
            ->check(CLI::Range(1, 4096));
        app.add_option("--seed", arguments->plan.seed, "Of the workload");
        return [arguments, &invocation] { return run(invocation, *arguments); };
      }};
}

}  // namespace coterie::sim
