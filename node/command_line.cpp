#include "node/command_line.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <system_error>

#include <coterie/nearest_word.hpp>

#include "node/command_call.hpp"
#include "node/command_journal.hpp"
#include "node/command_keygen.hpp"
#include "node/command_node.hpp"
#include "node/command_replay.hpp"
#include "node/command_status.hpp"
#include "node/command_voter.hpp"
#include "node/exit_codes.hpp"

namespace coterie {
namespace {

std::expected<Invocation, std::string> read_invocation(int argc, char** argv,
                                                       const Program& program) {
  Invocation invocation{program, {argv, argv + argc}};
  if (invocation.arguments.empty()) invocation.arguments.push_back(program.name);
  auto link = GuardianLink::take(invocation.arguments);
  if (!link) return std::unexpected(std::move(link.error()));
  invocation.guardian = std::move(*link);
  const auto key = std::ranges::find_if(invocation.arguments, [](const std::string& argument) {
    return argument.starts_with(guardian_key_argument);
  });
  if (invocation.guardian && key != invocation.arguments.end()) {
    invocation.guardian_key = key->substr(guardian_key_argument.size());
    invocation.arguments.erase(key);
  }
  return invocation;
}

/// A first word that is no command is most often a slip of the fingers.
std::string wrong_command(const Invocation& invocation, std::span<const Command> commands) {
  if (invocation.arguments.size() < 2 || invocation.arguments[1].starts_with('-')) return {};
  const std::string& word = invocation.arguments[1];
  std::vector<std::string_view> known;
  for (const Command& command : commands) {
    if (command.name == word) return {};
    known.push_back(command.name);
  }
  return "there is no command \"" + word + '"' + suggest(word, known);
}

/// The examples call the program by the name that it has.
std::string examples(std::string footer, const std::string& name) {
  constexpr std::string_view shown = "\n  coterie ";
  for (std::size_t at = 0; (at = footer.find(shown, at)) != std::string::npos;) {
    footer.replace(at + 3, shown.size() - 4, name);
    at += 3;
  }
  return footer;
}

int run(Invocation& invocation, std::span<const Command> commands) {
  const std::string& name = invocation.program.name;
  CLI::App app(invocation.program.description, name);
  app.require_subcommand(0, 1);
  app.set_version_flag("--version", name + " " COTERIE_VERSION);
  std::map<const CLI::App*, std::function<int()>> runs;
  for (const Command& command : commands) {
    CLI::App* own = app.add_subcommand(command.name, command.summary);
    own->footer(examples(command.footer, name));
    runs[own] = command.declare(*own, invocation);
  }
  if (const std::string wrong = wrong_command(invocation, commands); !wrong.empty()) {
    return complain(name, wrong, exit_code::usage);
  }
  try {
    // CLI11 wants the last argument first.
    app.parse(std::vector<std::string>(invocation.arguments.rbegin(),
                                       std::prev(invocation.arguments.rend())));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    std::string who = name;
    for (const CLI::App* own : app.get_subcommands()) who += ' ' + own->get_name();
    return complain(who, std::string(error.what()) + "; see " + who + " --help", exit_code::usage);
  }
  const auto chosen = app.get_subcommands();
  if (chosen.empty()) {
    std::fputs(app.help().c_str(), stderr);
    return exit_code::usage;
  }
  return runs.at(chosen.front())();
}

}  // namespace

std::vector<Command> node_commands() {
  return {node_command(),   call_command(),  status_command(),  replay_command(),
          keygen_command(), voter_command(), recover_command(), journal_command()};
}

int run_command_line(int argc, char** argv, const Program& program,
                     std::span<const Command> commands) {
  try {
    auto invocation = read_invocation(argc, argv, program);
    if (!invocation) return complain(program.name, invocation.error(), exit_code::usage);
    return run(*invocation, commands);
  } catch (const std::exception& error) {
    return complain(program.name, error.what(), exit_code::failure);
  } catch (...) {
    return complain(program.name, "an exception of an unknown type", exit_code::failure);
  }
}

int complain(std::string_view who, std::string_view line, int code) {
  std::string text(who);
  if (!text.empty()) text += ": ";
  text += line;
  std::ranges::replace(text, '\n', ' ');
  text += '\n';
  std::fputs(text.c_str(), stderr);
  return code;
}

bool print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) {
    return true;
  }
  complain("cannot write to standard output", std::generic_category().message(errno), 0);
  return false;
}

bool prints_to_terminal() { return ::isatty(STDOUT_FILENO) == 1; }

}  // namespace coterie
