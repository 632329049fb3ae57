#include "node/command_replay.hpp"

#include <CLI/CLI.hpp>
#include <chrono>
#include <fstream>
#include <memory>

#include <coterie/nearest_word.hpp>

#include "node/command_config.hpp"
#include "node/exit_codes.hpp"
#include "node/interruption.hpp"
#include "node/replay_account.hpp"
#include "node/terminal_progress.hpp"
#include "node/workload_driver.hpp"
#include "node/workload_file.hpp"
#include "process/duration_text.hpp"
#include "process/json.hpp"
#include "process/system_clock.hpp"
#include "process/system_random.hpp"
#include "process/thread_executor.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;

struct ReplayArguments {
  ConfigOptions config;
  std::string file, json, workload;
  std::string give_up = "30s";
  double rate = 0;
  std::size_t clients = 16;
};

std::expected<const Workload*, std::string> find_workload(const Program& program,
                                                          const std::string& wanted) {
  std::vector<std::string_view> known;
  for (const Application& application : program.applications) {
    for (const auto& workload : application.workloads) {
      if (wanted.empty() || workload->kind() == wanted) return workload.get();
      known.push_back(workload->kind());
    }
  }
  if (wanted.empty()) return std::unexpected("this program has no workload that could be replayed");
  return std::unexpected("--workload: no workload \"" + wanted + '"' + suggest(wanted, known));
}

struct Question {
  ClusterConfig config;
  const Workload* workload = nullptr;
  std::vector<WorkloadOperation> operations;
  DriveOptions options;
};

std::expected<Question, std::string> read_question(const Invocation& invocation,
                                                   const ReplayArguments& arguments) {
  Question question;
  auto config = read_config(arguments.config);
  if (!config) return std::unexpected(config.error());
  question.config = *std::move(config);
  const auto workload = find_workload(invocation.program, arguments.workload);
  if (!workload) return std::unexpected(workload.error());
  question.workload = *workload;
  auto operations = read_workload_file(**workload, arguments.file);
  if (!operations) return std::unexpected(operations.error());
  question.operations = *std::move(operations);
  const auto give_up = parse_duration(arguments.give_up);
  if (!give_up || *give_up <= Duration::zero()) {
    return std::unexpected("--give-up-after: expected a duration such as 30s, found " +
                           arguments.give_up);
  }
  question.options.give_up_after = *give_up;
  question.options.rate = arguments.rate;
  question.options.clients = arguments.clients;
  return question;
}

std::string note(const DriveCounts& counts) {
  std::string text = std::to_string(counts.acknowledged) + " acknowledged, " +
                     std::to_string(counts.refused) + " refused";
  if (counts.not_executed > 0) text += ", " + std::to_string(counts.not_executed) + " not executed";
  if (counts.unknown > 0) text += ", " + std::to_string(counts.unknown) + " unknown";
  if (counts.retries > 0) text += ", " + std::to_string(counts.retries) + " tries again";
  return text;
}

int run(const Invocation& invocation, const ReplayArguments& arguments) {
  Interruption interruption;
  const std::string who = invocation.program.name + " replay";
  auto question = read_question(invocation, arguments);
  if (!question) return complain(who, question.error(), exit_code::usage);
  std::ofstream json;
  if (!arguments.json.empty()) {
    json.open(arguments.json, std::ios::binary | std::ios::trunc);
    if (!json) {
      return complain(who, "--json " + arguments.json + ": cannot be written", exit_code::usage);
    }
  }
  const SystemClock clock;
  SystemRandom random;
  auto caller = ClusterCaller::connect(question->config, {}, clock, random);
  if (!caller) return complain(who, caller.error(), exit_code::failure);

  const std::uint64_t all = question->operations.size();
  RecordedFeed feed(std::move(question->operations));
  ThreadExecutor executor(clock);
  WorkloadDriver driver(*question->workload, feed, **caller, clock, executor, question->options);
  const Time begin = clock.now();
  driver.start();
  {
    TerminalProgress progress;
    do {
      const DriveCounts counts = driver.progress();
      progress.show(clock.now(), counts.ended(), all, note(counts));
      if (!interruption.asked() && !interruption.wait(Duration::zero())) {
        progress.say("interrupted: no more commands are begun, those under way are finished");
        driver.stop();
      }
    } while (!driver.wait_for(50ms));
    const DriveCounts counts = driver.progress();
    progress.show(clock.now(), counts.ended(), all, note(counts));
  }
  const auto records = driver.wait();
  const ReplayAccount account = account_of(records, all, clock.now() - begin);
  bool written = print(to_text(account));
  if (json.is_open() && !(json << to_json(account) << '\n' << std::flush)) {
    return complain(who, arguments.json + ": cannot be written", exit_code::failure);
  }
  return written && account.complete() ? exit_code::ok : exit_code::failure;
}

}  // namespace

Command replay_command() {
  return {
      "replay", "Drives the commands of a workload file against a running cluster",
      "Example:\n"
      "  coterie replay --config cluster-configs/local-3.toml one-day.jsonl --rate 500\n"
      "Commands of one name keep their order. What failed is tried again with the same request\n"
      "id, so it runs at most once.\n"
      "Exit codes: 0 every command ended acknowledged or refused; 1 not so, and the account\n"
      "says which; 2 wrong arguments, cluster file or workload file",
      [](CLI::App& app, Invocation& invocation) -> std::function<int()> {
        auto arguments = std::make_shared<ReplayArguments>();
        add_config_options(app, arguments->config);
        app.add_option("WORKLOAD", arguments->file, "Workload file (JSON lines)")->required();
        app.add_option("--rate", arguments->rate,
                       "Commands begun per second, all clients together; 0: as fast as they go")
            ->check(CLI::Range(0.0, 1e6));
        app.add_option("--clients", arguments->clients, "Each with one command at a time")
            ->check(CLI::Range(1, 4096));
        app.add_option("--give-up-after", arguments->give_up,
                       "Time for one command, all tries together")
            ->type_name("DURATION");
        app.add_option("--workload", arguments->workload,
                       "Kind of the workload; default: the program's first")
            ->type_name("KIND");
        app.add_option("--json", arguments->json, "Also writes the account as JSON")
            ->type_name("FILE");
        return [arguments, &invocation] { return run(invocation, *arguments); };
      }};
}

}  // namespace coterie
