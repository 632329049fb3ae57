#pragma once
// The contracts application: what a program links to host Murabaha contracts on its nodes.
// examples/contracts/main.cpp is the stock program that does.

#include <coterie/application.hpp>

namespace contracts {

coterie::Application application();

}  // namespace contracts
