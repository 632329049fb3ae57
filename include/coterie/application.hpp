#pragma once
// Application: what a program adds to every node that runs it. Elixir's Application, as a value:
// the children of its own supervisor, the kinds of servers that may start on any node, and the
// workloads with which it is replayed and tested. A node starts its applications in order and stops
// them in reverse.
//
//   int main(int argc, char** argv) {
//     return coterie::run_program(argc, argv, {.name = "shop", .applications = {shop()}});
//   }

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <coterie/child_spec.hpp>
#include <coterie/kind.hpp>

namespace coterie {

class Workload;

/// A kind of cluster scope. On every node whose configuration lists it, the node runs the instance
/// of the cluster-wide DynamicSupervisor named as the kind; each child registers as
/// via(kind.name, key).
struct ClusterKind {
  Kind kind;
  /// type_name of the message that brings a child into being: a client's call of it to
  /// kind.name/key starts the child first, if there is none. Empty: children are started by code.
  std::string starting_message{};
  Restart restart = Restart::transient;
};

struct Application {
  std::string name;
  /// Called once on each node that starts, in the application's supervisor.
  std::function<std::vector<ChildSpec>()> children{};
  std::vector<ClusterKind> kinds{};
  std::vector<std::shared_ptr<const Workload>> workloads{};
};

}  // namespace coterie
