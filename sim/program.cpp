// The program: the commands of node/ and those of sim/, above both, because node/ must not know
// sim/.

#include <coterie/program.hpp>

#include "node/command_line.hpp"
#include "sim/demo_command.hpp"
#include "sim/failover_command.hpp"
#include "sim/simulate_command.hpp"

namespace coterie {

int run_program(int argc, char** argv, const Program& program) {
  std::vector<Command> commands = node_commands();
  commands.push_back(sim::failover_command());
  commands.push_back(sim::simulate_command());
  commands.push_back(sim::demo_command());
  return run_command_line(argc, argv, program, commands);
}

}  // namespace coterie
