// The program: the commands of node/ and those of sim/, above both, because node/ must not know
// sim/.

#include <coterie/program.hpp>

#include "node/command_line.hpp"

namespace coterie {

int run_program(int argc, char** argv, const Program& program) {
  return run_command_line(argc, argv, program, node_commands());
}

}  // namespace coterie
