#include "node/command_call.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include <coterie/nearest_word.hpp>

#include "node/call_outcome.hpp"
#include "node/call_target.hpp"
#include "node/command_config.hpp"
#include "node/exit_codes.hpp"
#include "node/security.hpp"
#include "process/duration_text.hpp"
#include "process/json.hpp"
#include "process/system_clock.hpp"
#include "process/system_random.hpp"
#include "process/thread_executor.hpp"
#include "transport/client.hpp"

namespace coterie {
namespace {

struct CallArguments {
  ConfigOptions config;
  std::string target, type;
  std::string json = "{}";
  std::string timeout = "5s";
  std::string request_id;
  std::string node;
  bool raw = false;
};

/// Everything that is wrong before anybody is asked, or what to ask.
struct Question {
  Client::Request request;
  ClientOptions client;
  std::string preferred;  // node; empty: any
};

std::expected<std::vector<std::string>, std::string> addresses(const ClusterConfig& config,
                                                               const std::string& only,
                                                               const std::string& preferred) {
  std::vector<std::string> found;
  for (const std::string& name : {only, preferred}) {
    if (name.empty()) continue;
    std::vector<std::string_view> known;
    for (const NodeSection& node : config.nodes) known.push_back(node.name);
    const NodeSection* node = config.find(name);
    if (node == nullptr) {
      return std::unexpected("no node \"" + name + "\" in " + config.file + suggest(name, known));
    }
    if (node->client_advertise.empty()) {
      return std::unexpected("node \"" + name + "\" takes no clients: " + config.file +
                             " gives it no client_listen");
    }
    found.push_back(node->client_advertise);
    if (!only.empty()) return found;
  }
  for (const NodeSection& node : config.nodes) {
    if (!node.client_advertise.empty() && node.name != preferred) {
      found.push_back(node.client_advertise);
    }
  }
  if (found.empty()) {
    return std::unexpected("no node takes clients: " + config.file + " gives none a client_listen");
  }
  return found;
}

std::expected<Question, std::string> read_question(const CallArguments& arguments, Random& random) {
  const auto config = read_config(arguments.config);
  if (!config) return std::unexpected(config.error());
  const auto target = parse_call_target(arguments.target);
  if (!target) return std::unexpected("TARGET: " + target.error());
  if (!target->node.empty() && !arguments.node.empty() && target->node != arguments.node) {
    return std::unexpected("TARGET names node \"" + target->node + "\" and --node \"" +
                           arguments.node + "\"; give one of them");
  }
  // A local name is one of the node that is asked.
  const bool local = std::holds_alternative<LocalName>(target->to);
  const std::string only = !target->node.empty() ? target->node : local ? arguments.node : "";
  auto where = addresses(*config, only, arguments.node);
  if (!where) return std::unexpected(where.error());
  const auto timeout = parse_duration(arguments.timeout);
  if (!timeout) return std::unexpected("--timeout: " + timeout.error());
  if (*timeout <= Duration::zero()) {
    return std::unexpected("--timeout: expected more than 0, found " + arguments.timeout);
  }
  auto payload = packed_from_json(arguments.json);
  if (!payload) return std::unexpected("JSON: " + payload.error());

  auto keys = client_keys(*config);
  if (!keys) return std::unexpected(keys.error());

  Question question;
  question.client.keys = std::move(*keys);
  question.preferred = arguments.node;
  question.client.addresses = std::move(*where);
  question.client.cluster_id = config->cluster.id;
  question.client.label = "coterie call";
  question.client.connect_timeout = std::min<Duration>(*timeout, std::chrono::seconds(2));
  question.request.to = target->to;
  question.request.type = full_type(*target, arguments.type);
  question.request.payload = std::move(*payload);
  question.request.timeout = *timeout;
  // Also where nobody gave one, so that a call whose outcome is unknown can be made again.
  question.request.request_id = arguments.request_id.empty()
                                    ? "call-" + to_string(NodeId{random.next()})
                                    : arguments.request_id;
  return question;
}

/// Calls until there is an answer, or an error that another try would not mend. A request without
/// an id of the caller's own is never sent again once it may have run.
Client::Answer ask(Client& client, const Question& question, bool repeatable, const Clock& clock,
                   Time end) {
  ThreadExecutor executor(clock);
  Duration pause = std::chrono::milliseconds(20);
  bool maybe = false;
  for (;;) {
    Client::Request request = question.request;
    request.timeout = end - clock.now();
    Client::Answer answer = client.call(std::move(request));
    if (answer) return answer;
    const Time next = clock.now() + pause;
    if (!worth_another_try(answer.error(), repeatable) || next >= end) {
      return std::unexpected(after_attempts(std::move(answer.error()), maybe));
    }
    maybe = maybe || answer.error().maybe_executed();
    executor.wait(
        &executor, [] { return false; }, next);
    pause = std::min<Duration>(pause * 2, std::chrono::milliseconds(500));
  }
}

int run(const Invocation& invocation, const CallArguments& arguments) {
  const std::string who = invocation.program.name + " call";
  const SystemClock clock;
  SystemRandom random;
  const auto question = read_question(arguments, random);
  if (!question) return complain(who, question.error(), exit_code::usage);
  const Time end = after(clock.now(), question->request.timeout);
  auto client = Client::connect(question->client, clock, random);
  if (!client) {
    return complain(who, "it did not run: " + client.error() + "; is the cluster running?",
                    exit_code::not_executed);
  }
  if (!question->preferred.empty() && (*client)->node() != question->preferred) {
    complain(who, "node " + question->preferred + " is not reachable, asking " + (*client)->node(),
             0);
  }
  const Client::Answer answer = ask(**client, *question, !arguments.request_id.empty(), clock, end);
  const CallOutcome outcome =
      answer ? read_reply(*answer) : read_failure(answer.error(), question->request.request_id);
  if (!outcome.error.empty()) return complain(who, outcome.error, outcome.exit_code);
  const bool pretty = prints_to_terminal() && !arguments.raw;
  if (!print((pretty ? pretty_json(outcome.json) : outcome.json) + '\n')) return exit_code::failure;
  return outcome.exit_code;
}

}  // namespace

Command call_command() {
  return {"call", "Calls a server of a running cluster and prints its reply as JSON",
          "Examples:\n"
          "  coterie call --config cluster-configs/local-3.toml contracts/contract-123 approve\n"
          "  coterie call --config FILE contracts/contract-123 pay '{\"amount\": 500000}'\n"
          "  coterie call --config FILE coterie.node@b coterie.status\n"
          "Exit codes: 0 answered; 2 wrong arguments or cluster file; 3 refused by the server's\n"
          "rules, with its answer; 4 certainly did not run; 5 may have run",
          [](CLI::App& app, Invocation& invocation) -> std::function<int()> {
            auto options = std::make_shared<CallArguments>();
            add_config_options(app, options->config);
            app.add_option("TARGET", options->target,
                           "REGISTRY/KEY, a name that any node finds; or NAME[@NODE], a name of "
                           "one node's own")
                ->required();
            app.add_option("TYPE", options->type,
                           "The message's type_name; without a dot the registry's name stands "
                           "before it: approve is contracts.approve")
                ->required();
            app.add_option("JSON", options->json,
                           "The message's fields; those left out keep their defaults")
                ->capture_default_str();
            app.add_option("--timeout", options->timeout, "How long to wait altogether")
                ->capture_default_str()
                ->type_name("DURATION");
            app.add_option("--request-id", options->request_id,
                           "A server that keeps request ids runs all calls with one id once. "
                           "Default: a new one")
                ->type_name("ID");
            app.add_option("--node", options->node,
                           "The node to ask first (default: in the file's order)")
                ->type_name("NAME");
            app.add_flag("--raw", options->raw, "One line even on a terminal");
            return [options, &invocation] { return run(invocation, *options); };
          }};
}

}  // namespace coterie
