#pragma once
// In which order a node starts its applications. Pure.

#include <expected>
#include <string>
#include <vector>

#include <coterie/application.hpp>

namespace coterie {

/// Each after those that it needs, else as given. The error is one line for people: a name twice, a
/// need that no application of the program has, a cycle with all its members.
std::expected<std::vector<Application>, std::string> application_order(
    std::vector<Application> applications);

}  // namespace coterie
