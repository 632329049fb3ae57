// The stock program `coterie`: the command line with the contracts application linked in.

#include <coterie/program.hpp>

#include "examples/contracts/contracts.hpp"

int main(int argc, char** argv) {
  return coterie::run_program(argc, argv,
                              {.name = "coterie",
                               .description = "Nodes of a cluster that keeps contracts",
                               .applications = {contracts::application()}});
}
