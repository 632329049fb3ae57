// `coterie recover --force-voters`.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ctime>
#include <fstream>
#include <memory>

#include "node/command_config.hpp"
#include "node/command_voter.hpp"
#include "node/exit_codes.hpp"
#include "node/security.hpp"
#include "node/state_directory.hpp"
#include "node/status_question.hpp"
#include "process/system_clock.hpp"
#include "process/system_random.hpp"
#include "registry/voter_disk.hpp"

namespace coterie {
namespace {

struct RecoverOptions {
  ConfigOptions config;
  std::string name;
  std::string confirm;
  bool force_voters = false;
};

// Further than any view that the lost majority can have agreed on meanwhile.
constexpr std::uint64_t jump = 1u << 20;

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string giving_up(const std::vector<std::string>& lost) {
  return "give up " + listed(lost) + " for ever";
}

/// Which of the recorded voters the cluster file has given up, or why that cannot be.
std::expected<std::vector<std::string>, std::string> given_up(const VoterState& state,
                                                              const ClusterConfig& config,
                                                              const std::string& own) {
  const std::vector<std::string>& left = config.cluster.voters;
  if (state.voters.empty()) {
    return std::unexpected("this voter never voted: there is nothing to recover; start the nodes");
  }
  std::vector<std::string> lost, recorded;
  for (const auto& [name, disk] : state.voters) {
    recorded.push_back(name);
    if (std::ranges::find(left, name) == left.end()) lost.push_back(name);
  }
  for (const std::string& name : left) {
    if (state.voters.contains(name)) continue;
    return std::unexpected("the cluster file names the voter " + name +
                           ", and so far the voters are " + listed(recorded) +
                           "; leave only those that survive, others cannot be added here");
  }
  if (std::ranges::find(left, own) == left.end()) {
    return std::unexpected("node " + own + " is not among the voters of " + config.file);
  }
  if (lost.empty()) {
    return std::unexpected("the cluster file names all " + std::to_string(recorded.size()) +
                           " voters (" + listed(recorded) +
                           "): take those that are lost for ever out of `voters`, on every host");
  }
  if (2 * left.size() > recorded.size()) {
    return std::unexpected(listed(left) + " are a majority of the voters " + listed(recorded) +
                           ": nothing is lost; put the others back into `voters`, and replace a "
                           "voter's disk with `coterie voter admit`");
  }
  return lost;
}

/// The first of the given-up voters that lives, with where it was found.
std::string living(const ClusterConfig& config, const VoterState& state,
                   const std::vector<std::string>& lost, const ClientKeys& keys) {
  ClusterConfig asked = config;
  asked.nodes.clear();
  for (const std::string& name : lost) {
    NodeSection node;
    node.name = name;
    if (const NodeSection* section = config.find(name)) node = *section;
    const Member* member = state.record.view ? state.record.view->find(name) : nullptr;
    if (node.client_advertise.empty() && member != nullptr) {
      node.client_advertise = member->client_address;
    }
    asked.nodes.push_back(std::move(node));
  }
  StatusQuestion question(asked, std::chrono::seconds(2), keys);
  for (const NodeAnswer& answer : question.ask()) {
    if (answer.status)
      return answer.name + " at " + answer.address + " (" + answer.status->state + ')';
  }
  return {};
}

std::string told(const VoterState& state, const std::vector<std::string>& lost,
                 const std::string& own) {
  const VoterRecord& record = state.record;
  std::string text = "node " + own + ", history " + std::to_string(state.history) + ", voters ";
  std::vector<std::string> recorded;
  for (const auto& [name, disk] : state.voters) recorded.push_back(name);
  text += listed(recorded) + "\nlast vote here: ballot " + std::to_string(record.accepted.counter) +
          "." + std::to_string(record.accepted.voter);
  if (record.view) {
    text += ", view " + std::to_string(record.view->number) + " of";
    for (const auto& [name, member] : record.view->members) {
      text += ' ' + name + '.' + std::to_string(member.incarnation.counter);
    }
  }
  return text + "\ngiven up: " + listed(lost) + '\n';
}

std::string warning(const std::vector<std::string>& lost) {
  return "What this gives up:\n"
         "- every view that " +
         listed(lost) +
         " agreed on without this node: joins, removals and drains after the one above\n"
         "- the promise that nothing of theirs runs any more. If one of them still lives, cut "
         "off,\n"
         "  names can run twice until it is stopped; what it writes to the journal is refused "
         "from\n"
         "  the first write of the new owner on, what it does elsewhere is not\n"
         "- their votes, for ever: with this storage they are refused, also when they come back\n"
         "Names, child specs and journals are in the storage and are not touched.\n";
}

std::string today() {
  const SystemClock clock;
  const std::time_t seconds = std::chrono::system_clock::to_time_t(clock.wall());
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

int recover(const std::string& who, const RecoverOptions& options) {
  const auto fail = [&](const std::string& line) {
    return complain(who, line, exit_code::failure);
  };
  const auto config = read_config(options.config);
  if (!config) return complain("", config.error(), exit_code::usage);
  const NodeSection* own = config->find(options.name);
  if (own == nullptr) {
    return complain(who, "no node \"" + options.name + "\" in " + config->file, exit_code::usage);
  }
  if (config->cluster.agreement != AgreementEngine::voters || !options.force_voters) {
    return complain(who,
                    options.force_voters
                        ? "agreement is \"store\" in " + config->file + ": there are no voters"
                        : std::string("say what to recover: --force-voters"),
                    exit_code::usage);
  }
  const auto keys = client_keys(*config);
  if (!keys) return complain(who, keys.error(), exit_code::usage);

  // Held until the end, so that the node cannot start in between.
  FileVoterDisk disk(own->state_dir);
  const auto content = disk.read();
  if (!content) return fail(content.error().message);
  if (content->empty()) {
    return fail("there is no voter's file in " + own->state_dir +
                ": run this where a voter survives");
  }
  SystemRandom random;
  const auto lock = StateDirectory::open(own->state_dir, random, MachineIdentity::read());
  if (!lock) return fail(lock.error().message + "; stop the node first");
  auto file = VoterFile::open(disk, config->cluster.id, 1);
  if (!file) return fail(file.error().message);
  VoterState state = file->state();
  const auto lost = given_up(state, *config, own->name);
  if (!lost) return fail(lost.error());
  if (const std::string alive = living(*config, state, *lost, *keys); !alive.empty()) {
    return fail("the voter " + alive + " lives: it is not lost; nothing was changed");
  }
  const std::string before = told(state, *lost, own->name);
  if (!print(before + warning(*lost))) return exit_code::failure;
  if (options.confirm != giving_up(*lost)) {
    return fail(
        "nothing was changed; if that is what you want, on every voter that survives: "
        "--confirm \"" +
        giving_up(*lost) + '"');
  }

  state.history += 1;
  for (const std::string& name : *lost) state.voters.erase(name);
  state.record.promised.counter += jump;
  if (state.record.view) {
    View view = *state.record.view;
    view.number += jump;
    state.record.view = std::make_shared<const View>(std::move(view));
  }
  const std::string record = own->state_dir + "/recovered";
  std::ofstream log(record, std::ios::app);
  if (!(log << today() << " history " << state.history << " begins\n" << before << std::flush)) {
    return fail(record + ": cannot be written; nothing was changed");
  }
  if (const auto saved = file->save(state); !saved) return fail(saved.error().message);
  const bool printed =
      print("Done: history " + std::to_string(state.history) +
            " begins; what was given up is recorded in " + record +
            ".\nDo the same on the other voters that survive (" + listed(config->cluster.voters) +
            "), give every host this cluster file, start the voters, then the "
            "other nodes.\n");
  return printed ? exit_code::ok : exit_code::failure;
}

}  // namespace

Command recover_command() {
  return {"recover", "Goes on without a majority of the voters that is lost for good",
          "Example, on each host where a voter survives, with its node stopped and the lost ones "
          "taken\n"
          "out of `voters` in the cluster file:\n"
          "  coterie recover --force-voters --config cluster.toml --name c\n"
          "  coterie recover --force-voters --config cluster.toml --name c --confirm \"give up a, "
          "b for "
          "ever\"\n"
          "The first one changes nothing and tells what would be given up.\n"
          "Exit codes: 0 done; 1 not done, and why; 2 wrong arguments or cluster file",
          [](CLI::App& app, Invocation& invocation) -> std::function<int()> {
            auto options = std::make_shared<RecoverOptions>();
            add_config_options(app, options->config);
            app.add_flag("--force-voters", options->force_voters,
                         "Lets the voters of the cluster file decide without the lost ones");
            app.add_option("--name", options->name, "Which node of the cluster file this is")
                ->required()
                ->type_name("NAME");
            app.add_option("--confirm", options->confirm, "What you give up, word by word")
                ->type_name("WORDS");
            return [options, &invocation] {
              return recover(invocation.program.name + " recover", *options);
            };
          }};
}

}  // namespace coterie
