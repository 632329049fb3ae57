#include "node/command_node.hpp"

#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include <coterie/nearest_word.hpp>

#include "node/address_lookup.hpp"
#include "node/cluster_node.hpp"
#include "node/command_config.hpp"
#include "node/config_watch.hpp"
#include "node/exit_codes.hpp"
#include "node/faulty_outside.hpp"
#include "node/guardian.hpp"
#include "node/node_log.hpp"
#include "node/notice_reporter.hpp"
#include "node/security.hpp"
#include "node/signals.hpp"
#include "node/state_directory.hpp"
#include "process/system_clock.hpp"
#include "process/system_random.hpp"
#include "process/thread_executor.hpp"

namespace coterie {
namespace {

struct NodeOptions {
  ConfigOptions config;
  std::string name;
  std::string faults;  // the page of a failover test; empty: none
};

/// Before anything is started: the kinds that the file gives this node are in this program.
std::expected<void, ConfigError> check_kinds(const NodeSection& own, const Program& program) {
  std::vector<std::string_view> known;
  for (const Application& application : program.applications) {
    for (const ClusterKind& kind : application.kinds) known.push_back(kind.kind.name);
  }
  for (const std::string& kind : own.kinds) {
    if (std::ranges::find(known, kind) != known.end()) continue;
    return std::unexpected(
        ConfigError{own.place, "node \"" + own.name + "\" lists the kind \"" + kind +
                                   "\", which is not in this program" +
                                   (known.empty() ? "; it has none" : suggest(kind, known))});
  }
  return {};
}

int run_guardian(const Invocation& invocation, const std::string& who, const ClusterConfig& config,
                 const NodeSection& own, const std::shared_ptr<Admission>& admission) {
  const SystemClock clock;
  // The node may fail on the directory with a better reason; here it only has to hold the log.
  std::error_code ignored;
  std::filesystem::create_directories(own.state_dir, ignored);
  auto sink = open_node_log(config.log, own.state_dir, "guardian-");
  if (!sink) return complain(who, sink.error(), exit_code::failure);
  Log log(**sink, clock, own.name);
  set_levels(log, config.log);

  GuardianSecret secret = make_guardian_secret();
  GuardianOptions options;
  options.state_directory = own.state_dir;
  options.arguments = invocation.arguments;
  options.arguments.push_back(std::string(guardian_key_argument) + secret.key);
  options.policy.lease_grace = config.guardian.lease_grace;
  options.policy.backoff_min = config.guardian.backoff_min;
  options.policy.backoff_max = config.guardian.backoff_max;
  options.policy.drain_max = config.guardian.drain_max;
  options.policy.respawn = own.respawn;
  ClientKeys keys;
  if (admission) keys = {admission->own(), listener_keys(config)};
  NoticeReporter reporter(config, own, std::move(secret.token), std::move(keys), clock);
  return Guardian(clock, log, reporter, std::move(options)).run();
}

void warn_of_strangers(Log& log, const NodeSection& own) {
  log.warning(LogModule::node,
              "insecure = true: whoever reaches these addresses is trusted as a member",
              {{"listen", own.listen},
               {"clients", own.client_listen.empty() ? "none" : own.client_listen}});
}

/// What a failover test does inside of this node.
struct InnerFaults {
  InnerFaults(std::unique_ptr<FaultPage> opened, NodeOutside& outside, const std::string& node,
              const Clock& clock)
      : page(std::move(opened)), faulty(outside, *page, node, clock), poison(*page) {}
  const std::unique_ptr<FaultPage> page;
  FaultyOutside faulty;
  PoisonWatch poison;
};

int run_node(Invocation& invocation, const std::string& who, const NodeOptions& options,
             const ClusterConfig& config, const NodeSection& own,
             std::shared_ptr<Admission> admission) {
  // Blocks the signals first: threads inherit that, and none may arrive while the directory is
  // written.
  SignalSource signals({SIGTERM, SIGINT, SIGHUP});
  const SystemClock clock;
  SystemRandom random;
  const auto state = StateDirectory::open(own.state_dir, random, MachineIdentity::read());
  if (!state) return complain(who, state.error().message, exit_code::failure);
  GuardianLink& guardian = *invocation.guardian;
  guardian.page().set_incarnation((*state)->incarnation());

  const auto sink = open_node_log(config.log, own.state_dir, "");
  if (!sink) return complain(who, sink.error(), exit_code::failure);
  Log log(**sink, clock, own.name);
  set_levels(log, config.log);
  if (const std::string& remark = (*state)->remark(); !remark.empty()) {
    log.warning(LogModule::node, remark);
  }
  if (config.cluster.insecure) warn_of_strangers(log, own);

  ThreadExecutor executor(clock, {.blocking_threads_max = config.limits.blocking_threads});
  SystemOutside outside(clock, random, log);
  std::optional<InnerFaults> faults;
  if (!options.faults.empty()) {
    auto page = FaultPage::attach(options.faults);
    if (!page) return complain(who, "--faults: " + page.error(), exit_code::usage);
    faults.emplace(*std::move(page), outside, own.name, clock);
    log.warning(LogModule::node, "--faults: this node fails as a test tells it to");
  }
  NodeOutside& reached = faults ? static_cast<NodeOutside&>(faults->faulty) : outside;
  NodeSurroundings out{clock, random, executor, log, reached, **state, guardian.page()};
  if (faults) out.watch = &faults->poison;
  out.faulty = faults.has_value();
  out.guardian_alive = [&guardian] { return guardian.guardian_alive(); };
  out.processors = static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  out.os_pid = ::getpid();
  out.guardian_key = invocation.guardian_key;
  out.admission = std::move(admission);
  // The same words were taken when the file was first read.
  ConfigWatch watch(options.config.file, parse_settings(options.config.settings).value());
  out.changed_config = [&watch] { return watch.changed(); };
  ClusterNode node(config, own, invocation.program.applications, std::move(out));
  const StopSignals stop(
      signals, guardian.descriptor(), [&node] { node.request_stop(); },
      [&log] {
        log.error(LogModule::node,
                  "the guardian is gone: nobody starts this node again, and its death is seen by "
                  "its lease only; stop the node and start it again");
      });
  const auto started = node.start();
  const NodeEnd end = started ? node.wait() : started.error();
  if (end.exit_code == exit_code::ok) return end.exit_code;
  // The reason belongs into the log, and before the eyes of whoever started the node.
  if (!config.log.file.empty()) {
    log.error(LogModule::node, "the node ended", {{"why", end.message}, {"code", end.exit_code}});
  }
  const int code = complain(who, end.message, end.exit_code);
  // A thread of the node still runs in it: nothing can be destroyed.
  if (end.stuck) std::_Exit(code);
  return code;
}

int run(Invocation& invocation, const NodeOptions& options) {
  // Whoever reads this program's output may go away; that is no reason to die.
  ::signal(SIGPIPE, SIG_IGN);
  const std::string who = invocation.program.name + " node";
  const auto config = read_config(options.config);
  if (!config) return complain("", config.error(), exit_code::usage);
  const NodeSection* own = config->find(options.name);
  if (invocation.guardian && own != nullptr) {
    auto admission = open_admission(*config, *own);
    if (!admission) return complain("", admission.error(), exit_code::usage);
    return run_node(invocation, who, options, *config, *own, std::move(*admission));
  }
  // Not asked again by a node that is restarted: its name server may be away for a while.
  SystemResolver resolver;
  auto checked = check_own_node(*config, options.name, resolver);
  if (checked) checked = check_kinds(*own, invocation.program);
  if (!checked) return complain("", to_string(checked.error()), exit_code::usage);
  const auto admission = open_admission(*config, *own);
  if (!admission) return complain("", admission.error(), exit_code::usage);
  return run_guardian(invocation, who, *config, *own, *admission);
}

}  // namespace

Command node_command() {
  return {"node", "Runs a node of a cluster until SIGTERM or SIGINT, then drains and leaves",
          "Example:\n"
          "  coterie node --config cluster-configs/local-3.toml --name a\n"
          "Exit codes: 0 left as asked; 1 failed, with the reason; 2 wrong arguments or cluster\n"
          "file; 75 excluded by the others; 76 a living node has this name; 128+n died by signal n",
          [](CLI::App& app, Invocation& invocation) -> std::function<int()> {
            auto options = std::make_shared<NodeOptions>();
            add_config_options(app, options->config);
            app.add_option("--name", options->name, "Which node of the cluster file this is")
                ->required()
                ->type_name("NAME");
            // Not in the help: `coterie failover` gives it to the nodes of a test.
            app.add_option("--faults", options->faults)->type_name("FILE")->group("");
            return [options, &invocation] { return run(invocation, *options); };
          }};
}

}  // namespace coterie
