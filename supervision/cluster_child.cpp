// The functions with which any process starts and ends children of cluster scope.

#include <coterie/dynamic_supervisor.hpp>

#include <algorithm>

#include "process/process.hpp"
#include "process/runtime.hpp"
#include "supervision/ask.hpp"

namespace coterie {

namespace {

constexpr Duration pause_min = std::chrono::milliseconds(5);
constexpr Duration pause_max = std::chrono::milliseconds(200);

/// Not done, and worth another try: the name is on its way up, or moving, or its node is.
bool passing(ChildError::Code code) {
  return code == ChildError::Code::starting || code == ChildError::Code::unavailable;
}

template <Request R>
auto insist(const ServerRef& supervisor, const R& request, Duration timeout) {
  const Clock& clock = detail::current_process().runtime().clock();
  const Time end = after(clock.now(), timeout);
  Duration pause = pause_min;
  while (true) {
    const Duration left =
        end == Time::max() ? infinity : std::max(end - clock.now(), Duration::zero());
    auto answer = detail::ask(supervisor, request, left);
    if (answer || !passing(answer.error().code)) return answer;
    if (end != Time::max() && clock.now() + pause >= end) return answer;
    sleep(pause);
    pause = std::min(pause * 2, pause_max);
  }
}

}  // namespace

ChildResult<Pid> DynamicSupervisor::start_child(const ServerRef& supervisor, ClusterChild child,
                                                Duration timeout) {
  return insist(supervisor, cluster::StartChild{std::move(child), false}, timeout);
}

ChildResult<void> DynamicSupervisor::terminate_child(const ServerRef& supervisor,
                                                     const std::string& key, Duration timeout) {
  return insist(supervisor, cluster::TerminateChild{key, false}, timeout);
}

ChildResult<void> DynamicSupervisor::release_child(const ServerRef& supervisor,
                                                   const std::string& key, Duration timeout) {
  return insist(supervisor, cluster::ReleaseChild{key}, timeout);
}

}  // namespace coterie
