#pragma once
// A user's own program with coterie's command line: node, call, status, replay, failover. One call
// in main; docs in README.md, "Your own program".

#include <string>
#include <vector>

#include <coterie/application.hpp>

namespace coterie {

struct Program {
  std::string name = "coterie";  // in --help
  std::string description{};
  std::vector<Application> applications{};
};

/// Parses the command line, runs the command and returns the program's exit code
/// (node/exit_codes.hpp, docs). Call it first in main, before any thread is made: `node` forks.
int run_program(int argc, char** argv, const Program& program);

}  // namespace coterie
