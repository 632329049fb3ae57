#include "node/start_child.hpp"

#include <coterie/call.hpp>
#include <coterie/cluster_child.hpp>

namespace coterie {
namespace {

CallError::Code code_of(ChildError::Code code) {
  switch (code) {
    case ChildError::Code::failed:
      return CallError::Code::failed;
    case ChildError::Code::quarantined:
      return CallError::Code::quarantined;
    case ChildError::Code::max_children:
      return CallError::Code::overloaded;
    default:
      return CallError::Code::unavailable;
  }
}

}  // namespace

std::expected<void, CallError> start_cluster_child(const ClusterKind& kind, const std::string& key,
                                                   Duration timeout) {
  cluster::StartChild request;
  request.child.key = key;
  request.child.restart = kind.restart;
  auto started = call(local(kind.kind.name), request, timeout);
  if (!started) {
    // Whatever became of the start, the request itself has not been passed on: it did not run.
    const CallError& error = started.error();
    return std::unexpected(
        CallError(error.code(), CallError::Execution::not_executed, error.reason(),
                  "starting " + kind.kind.name + "/" + key + ": " + error.detail()));
  }
  if (*started || started->error().code == ChildError::Code::already_started ||
      started->error().code == ChildError::Code::starting) {
    return {};
  }
  return std::unexpected(CallError(
      code_of(started->error().code), CallError::Execution::not_executed, started->error().reason,
      "starting " + kind.kind.name + "/" + key + ": " + to_string(started->error())));
}

}  // namespace coterie
