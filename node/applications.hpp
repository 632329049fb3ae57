#pragma once
// The applications of one node: a supervisor of their masters, in the order of their needs, beside
// a registry that keeps their environments. A permanent application that ends ends it, and who
// started it decides what that means.

#include <expected>
#include <map>
#include <string>
#include <vector>

#include <coterie/application.hpp>

namespace coterie {

/// The supervisor's local name, and the registry's.
inline constexpr const char* applications_name = "coterie.applications";

/// What the cluster file says of the whole node is kept in the environment as well, as OTP's kernel
/// keeps its own keys: under this name.
inline constexpr const char* node_env = "coterie";
/// Before the keys of a [[distributed]].
inline std::string distributed_env(const std::string& name) { return "distributed." + name + '.'; }

/// A spec that starts them; the error as of application_order().
std::expected<ChildSpec, std::string> applications_spec(std::vector<Application> applications,
                                                        std::map<std::string, ApplicationEnv> env);

}  // namespace coterie
