#include "node/command_voter.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include <coterie/pack.hpp>

#include "node/command_config.hpp"
#include "node/exit_codes.hpp"
#include "node/security.hpp"
#include "node/status.hpp"
#include "node/status_question.hpp"
#include "process/system_clock.hpp"
#include "process/system_random.hpp"
#include "transport/client.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;

constexpr Duration answers_within = 5s;
constexpr Duration votes_within = 15s;
constexpr Duration asks_every = 200ms;

struct AdmitOptions {
  ConfigOptions config;
  std::string name;
  std::string confirm;
};

std::string vouching(const std::string& name) { return "the old disk of " + name + " is gone"; }

std::expected<std::string, std::string> ask_to_admit(const ClusterConfig& config,
                                                     const NodeSection& node, ClientKeys keys) {
  const SystemClock clock;
  SystemRandom random;
  ClientOptions options;
  options.addresses = {node.client_advertise};
  options.cluster_id = config.cluster.id;
  options.label = "coterie voter";
  options.keys = std::move(keys);
  options.connect_timeout = answers_within;
  auto client = Client::connect(std::move(options), clock, random);
  if (!client) return std::unexpected(client.error());
  Client::Request request;
  request.to = LocalName{"coterie.node"};
  request.type = std::string(AdmitVoterRequest::type_name);
  request.payload = pack(AdmitVoterRequest{});
  request.timeout = answers_within;
  request.named = false;
  const auto answer = (*client)->call(std::move(request));
  if (!answer) return std::unexpected(to_string(answer.error()));
  auto reply = unpack<std::string>(*answer);
  if (!reply) return std::unexpected(to_string(reply.error()));
  return *std::move(reply);
}

/// Waits for the others' answers. Returns what is missing; empty: it votes.
std::string await_vote(const ClusterConfig& config, const NodeSection& node, ClientKeys keys) {
  ClusterConfig only = config;
  only.nodes = {node};
  StatusQuestion question(only, 2s, std::move(keys));
  std::string missing;
  for (Duration waited{}; waited < votes_within; waited += asks_every) {
    const NodeAnswer answer = question.ask().front();
    if (answer.status && answer.status->vote == "votes") return {};
    missing = answer.status ? "it asks the other voters, and not enough of them have answered"
                            : answer.error;
    question.pause(asks_every);
  }
  return missing;
}

int admit(const std::string& who, const AdmitOptions& options) {
  const auto config = read_config(options.config);
  if (!config) return complain("", config.error(), exit_code::usage);
  const auto& voters = config->cluster.voters;
  if (config->cluster.agreement != AgreementEngine::voters) {
    return complain(who, "agreement is \"store\" in " + config->file + ": nobody votes",
                    exit_code::usage);
  }
  const NodeSection* node = config->find(options.name);
  if (node == nullptr || std::ranges::find(voters, options.name) == voters.end()) {
    return complain(who, "node \"" + options.name + "\" is not among the voters of " + config->file,
                    exit_code::usage);
  }
  if (node->client_advertise.empty()) {
    return complain(who,
                    "node \"" + options.name + "\" takes no clients: " + config->file +
                        " gives it no client_listen",
                    exit_code::usage);
  }
  if (voters.size() < 3) {
    return complain(who,
                    "a voter can be admitted only by a majority of the others, and of " +
                        std::to_string(voters.size()) + " voters they are none",
                    exit_code::usage);
  }
  if (options.confirm != vouching(options.name)) {
    complain(
        who,
        "whatever " + options.name +
            " voted for with its old disk is forgotten here. If that "
            "disk, or a copy of it, ever votes again, two views of one number can be chosen and a "
            "name can run twice. Destroy it first; then say so: --confirm \"" +
            vouching(options.name) + '"',
        0);
    return exit_code::usage;
  }
  const auto keys = client_keys(*config);
  if (!keys) return complain(who, keys.error(), exit_code::usage);
  const auto refused = ask_to_admit(*config, *node, *keys);
  if (!refused) return complain(who, refused.error(), exit_code::failure);
  if (!refused->empty()) return complain(who, *refused, exit_code::failure);
  if (const std::string missing = await_vote(*config, *node, *keys); !missing.empty()) {
    return complain(who,
                    "node " + node->name + " does not vote yet: " + missing +
                        "; it goes on asking until it is stopped",
                    exit_code::failure);
  }
  return print("node " + node->name + " votes again\n") ? exit_code::ok : exit_code::failure;
}

}  // namespace

Command voter_command() {
  return {"voter", "Gives a voter whose disk was lost its vote back",
          "Example:\n"
          "  coterie voter admit b --config cluster.toml --confirm \"the old disk of b is gone\"\n"
          "The node runs already, with an empty state directory, and waits (docs/failover.md).\n"
          "Exit codes: 0 it votes; 1 it does not, and why; 2 wrong arguments or cluster file",
          [](CLI::App& app, Invocation& invocation) -> std::function<int()> {
            auto options = std::make_shared<AdmitOptions>();
            CLI::App* own = app.add_subcommand("admit", "Lets a voter with an empty disk vote");
            app.require_subcommand(1);
            own->add_option("NAME", options->name, "The voter")->required();
            add_config_options(*own, options->config);
            own->add_option("--confirm", options->confirm, "What you vouch for, word by word")
                ->type_name("WORDS");
            return [options, &invocation] {
              return admit(invocation.program.name + " voter admit", *options);
            };
          }};
}

}  // namespace coterie
