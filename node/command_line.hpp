#pragma once
// The command line: a table of subcommands behind one program, parsed by CLI11. Commands of node/
// are listed here; sim/program.cpp adds its own and is the program. One thread: main's, which may
// fork as long as no command has started threads.

#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <coterie/program.hpp>

#include "node/child_process.hpp"

namespace CLI {
class App;
}

namespace coterie {

/// How the program was started.
struct Invocation {
  const Program& program;
  std::vector<std::string> arguments;      // its name first, without the guardian's
  std::optional<GuardianLink> guardian{};  // of the node under it
  std::string guardian_key{};              // by which other nodes know that guardian
};

struct Command {
  std::string name;
  std::string summary;  // one line
  std::string footer;   // examples and exit codes, under its --help
  /// Adds the command's options to its own App; returns what runs once they are read. The
  /// invocation outlives both.
  std::function<std::function<int()>(CLI::App& app, Invocation& invocation)> declare;
};

/// node, call, status, replay, keygen, voter, recover, journal.
std::vector<Command> node_commands();

/// Parses and runs. Returns the program's exit code; whatever goes wrong is one line on standard
/// error.
int run_command_line(int argc, char** argv, const Program& program,
                     std::span<const Command> commands);

/// Prints "who: line" to standard error, always one line, and returns `code`.
int complain(std::string_view who, std::string_view line, int code);

/// Prints to standard output. False, and a line on standard error: it could not be written.
bool print(std::string_view text);
/// Whether standard output is a terminal.
bool prints_to_terminal();

/// The argument by which the guardian hands its key to the node.
inline constexpr std::string_view guardian_key_argument = "--guardian-key=";

}  // namespace coterie
