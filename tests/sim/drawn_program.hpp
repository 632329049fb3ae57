#pragma once
// The program whose nodes drawn runs simulate: the stock one's contracts.

#include <coterie/program.hpp>

#include "examples/contracts/contracts.hpp"

namespace coterie::test {

inline const Program& program() {
  static const Program stock{
      .name = "test", .description = "", .applications = {contracts::application()}};
  return stock;
}

}  // namespace coterie::test
