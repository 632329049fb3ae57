#pragma once
// How a server is addressed: by pid, by local name, by name on a node, by via name, globally.
// One type everywhere, as in Elixir: call(local("counter"), ...), call(via("contracts", id), ...).

#include <string>
#include <utility>
#include <variant>

#include <coterie/pid.hpp>

namespace coterie {

struct LocalName {
  std::string name;
  friend bool operator==(const LocalName&, const LocalName&) = default;
};
struct RemoteName {
  std::string name;
  std::string node;  // the node's name, as in the cluster file
  friend bool operator==(const RemoteName&, const RemoteName&) = default;
};
struct ViaName {
  std::string registry;
  std::string key;
  friend bool operator==(const ViaName&, const ViaName&) = default;
};

using ServerRef = std::variant<Pid, LocalName, RemoteName, ViaName>;

inline LocalName local(std::string name) { return {std::move(name)}; }
inline RemoteName at(std::string name, std::string node) {
  return {std::move(name), std::move(node)};
}
inline ViaName via(std::string registry, std::string key) {
  return {std::move(registry), std::move(key)};
}
/// A cluster-wide name outside any registry of the user's: via("global", name).
inline ViaName global(std::string name) { return {"global", std::move(name)}; }

std::string to_string(const ServerRef& ref);

}  // namespace coterie
