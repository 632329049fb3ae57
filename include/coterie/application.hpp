#pragma once
// Application: what a program adds to every node that runs it. Elixir's Application, as a value:
// the children of its own supervisor, the kinds of servers that may start on any node, and the
// workloads with which it is replayed and tested. A node starts its applications after those that
// they need and stops them in reverse.
//
//   int main(int argc, char** argv) {
//     return coterie::run_program(argc, argv, {.name = "shop", .applications = {shop()}});
//   }
//
// In a program without a cluster (<coterie/node.hpp>) ensure_all_started does the same.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <coterie/application_env.hpp>
#include <coterie/child_spec.hpp>
#include <coterie/erpc.hpp>
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
  /// Called once on each node that starts, in the application's supervisor. What it and the
  /// functions below throw ends the start, or is logged at the stop.
  std::function<std::vector<ChildSpec>()> children{};
  std::vector<ClusterKind> kinds{};
  std::vector<std::shared_ptr<const Workload>> workloads{};
  /// What processes of other nodes may call here (<coterie/erpc.hpp>), and which servers they may
  /// start here (<coterie/remote_start.hpp>), if the cluster file lets them.
  std::vector<erpc::Function> functions{};
  std::vector<Kind> startable{};
  /// Names of those that it needs: started before it, stopped after it.
  std::vector<std::string> applications{};
  /// Defaults of its environment; the cluster file's [applications.NAME] goes over them.
  ApplicationEnv env{};
  /// With what end of its supervisor the node ends too: permanent, any; transient, any but normal;
  /// temporary, none. It is never restarted, as in OTP.
  Restart restart_type = Restart::permanent;
  /// In this order, each once, when its children run and before the next application starts.
  std::vector<std::string> start_phases{};
  std::function<void(std::string_view phase)> start_phase{};
  /// Before its children are stopped, and after.
  std::function<void()> prep_stop{};
  std::function<void()> stop{};
  /// How long its stop may take, these two included, before it is killed.
  Duration stop_timeout = std::chrono::seconds(10);
};

/// Starts them on the calling process's node, under a supervisor linked to the calling process, in
/// the order of their needs, else in the given one. If one fails, those started are stopped. A need
/// that is not there, or a cycle of needs, is a start error that says so. One such set per node:
/// another answers already_started. Stopping the pid stops them all.
StartResult ensure_all_started(std::vector<Application> applications,
                               std::map<std::string, ApplicationEnv> env = {});

/// As for children of a supervisor: not_found, running, ... Stopping one leaves those that need it.
ChildResult<void> stop_application(const std::string& name);
ChildResult<Pid> start_application(const std::string& name);
/// In the order in which they started.
std::vector<std::string> started_applications();

}  // namespace coterie
