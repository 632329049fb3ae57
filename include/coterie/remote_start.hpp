#pragma once
// Servers started on another node. The counterpart of Elixir's Node.spawn: what may be started is a
// kind that the node's program has registered, with packed arguments, never a closure; and who may
// start it says the cluster file (security.spawn_from).
//
//   Application{.startable = {kind<Worker, Job>("workers")}};
//   ChildResult<Pid> worker = start_link_on("b", "workers", Job{.id = 7});
//
// A kind of cluster scope (Application::kinds) is another thing: there placement chooses the node,
// and the server survives it. What is started here belongs to the node that was named: it is a
// temporary child of that node's local("coterie.spawned"), a DynamicSupervisor, and ends with it.
// Functions act for the calling process.

#include <string>
#include <vector>

#include <coterie/kind.hpp>

namespace coterie {

struct RemoteStartOptions {
  std::string key{};  // the first argument of the server's constructor
  Duration timeout = default_call_timeout;
};

namespace detail {
ChildResult<Pid> start_on(const std::string& node, const std::string& kind, Bytes arguments,
                          const RemoteStartOptions& options);
}  // namespace detail

/// Starts Server(key, arguments) there and waits until its init has returned. Errors: not_found (no
/// such kind there), start_failed, ignored, max_children; unavailable: certainly not started, also
/// because this node may not; unknown: no answer came, and it may have been started.
template <class Arguments = NoArguments>
ChildResult<Pid> start_on(const std::string& node, const std::string& kind,
                          const Arguments& arguments = {}, const RemoteStartOptions& options = {}) {
  return detail::start_on(node, kind, pack(arguments), options);
}

/// And links the caller to it. If it has ended by then, the exit signal says noproc.
template <class Arguments = NoArguments>
ChildResult<Pid> start_link_on(const std::string& node, const std::string& kind,
                               const Arguments& arguments = {},
                               const RemoteStartOptions& options = {}) {
  auto started = start_on(node, kind, arguments, options);
  if (started) link(*started);
  return started;
}

/// The two processes by which a node lets others start `kinds`: a cluster's node has them by
/// itself. Children of a supervisor of a program without one; `servers_max` at once.
std::vector<ChildSpec> remote_start_children(std::vector<Kind> kinds,
                                             std::size_t servers_max = 100'000);

}  // namespace coterie
