// How a node ends: it drains, leaves, and takes its parts down in order.

#include <algorithm>
#include <chrono>
#include <utility>

#include <coterie/cluster_child.hpp>
#include <coterie/supervisor.hpp>

#include "node/exit_codes.hpp"
#include "node/node_parts.hpp"
#include "process/orphans.hpp"

namespace coterie {
namespace {

// With stop_max (node_parts.cpp) less than the time that the guardian gives after
// `guardian.drain_max`.
constexpr Duration link_drain = std::chrono::seconds(1);

}  // namespace

void NodeParts::request_stop() {
  stop_requested_.store(true);
  out_.executor.notify(this);
}

void NodeParts::halt() {
  halted_.store(true);
  request_stop();
}

NodeEnd NodeParts::wait() {
  thread_->use();
  for (;;) {
    // The attached main process hears when the top supervisor gives up; it polls for that alone.
    out_.executor.wait(
        this, [this] { return stop_requested_.load() || over_.load(); },
        after(out_.clock.now(), std::chrono::milliseconds(200)));
    if (stop_requested_.load() || over_.load()) break;
    if (!is_alive(*top_)) break;
  }
  if (!over_.load() && stop_requested_.load() && !halted_.load()) drain();
  const auto departure = agreement_->departure();
  NodeEnd end;
  if (departure) {
    end = end_of(*departure);
  } else if (!stop_requested_.load()) {
    end = {exit_code::failure, "the node's supervisor gave up: see its reports in the log"};
  }
  return stopped(std::move(end));
}

NodeEnd NodeParts::stopped(NodeEnd end) {
  if (stop_parts()) return end;
  end.stuck = true;
  if (end.exit_code == exit_code::ok) end.exit_code = exit_code::failure;
  if (!end.message.empty()) end.message += "; ";
  end.message += "a callback does not return, and the program ended without it: see the log";
  return end;
}

NodeEnd NodeParts::end_of(const Departure& departure) {
  switch (departure.kind) {
    case Departure::Kind::left:
      return {exit_code::ok, "left the cluster"};
    case Departure::Kind::removed:
      return {exit_code::fenced, departure.why};
    case Departure::Kind::raise_counter:
      if (auto raised = out_.state.raise_to(departure.counter); !raised) {
        return {exit_code::failure, raised.error().message};
      }
      return {exit_code::fenced, departure.why};
    case Departure::Kind::name_taken:
      return {exit_code::name_taken, departure.why};
    case Departure::Kind::config_differs:
      return {exit_code::usage, departure.why};
  }
  return {exit_code::failure, departure.why};
}

void NodeParts::drain() {
  out_.log.info(LogModule::node, "draining");
  const Time end = after(out_.clock.now(), config_.guardian.drain_max);
  const auto left = [&] { return std::max(end - out_.clock.now(), Duration::zero()); };
  // Without time for it the children are found by who takes them over.
  if (state_.load() == NodeState::active && !rare(out_.rare, "node.undrained")) {
    agreement_->drain();
    const auto budget = std::chrono::duration_cast<std::chrono::milliseconds>(left() * 3 / 4);
    std::vector<Pid> drains;
    for (const ClusterKind* kind : hosted_) {
      // Side by side: each hands its own children over.
      drains.push_back(spawn_link(
          [name = kind->kind.name, budget] {
            static_cast<void>(call(local(name), cluster::Drain{budget.count()},
                                   Duration(budget) + std::chrono::seconds(1)));
          },
          {.label = "drain"}));
    }
    for (const Pid& pid : drains) {
      receive(when([pid](const Exit& exit) { return exit.from == pid; }, [](const Exit&) {}),
              after(left(), [] {}));
    }
  }
  // Children first, in reverse order; then the lease, so that nothing strict outlives it.
  unlink(*top_);
  static_cast<void>(GenServer::stop(*top_, ExitReason::shutdown(), left()));
  const Time names_end =
      after(out_.clock.now(), std::min<Duration>(left(), std::chrono::seconds(2)));
  while (names_driver_->changes_pending() > 0 && out_.clock.now() < names_end) {
    sleep(std::chrono::milliseconds(5));
  }
  if (runtime_->strict_running()) {
    // Its name may run elsewhere only once this node has stopped: its death says so, not its word.
    out_.log.error(LogModule::node, "a callback does not return: the node ends without leaving");
    return;
  }
  agreement_->leave();
  out_.executor.wait(
      this, [this] { return over_.load(); },
      after(out_.clock.now(),
            std::clamp<Duration>(left(), std::chrono::seconds(1), config_.lease.length)));
  out_.page.acknowledge_frozen(agreement_->lease_end());
}

bool NodeParts::stop_parts() {
  if (thread_) {
    thread_->use();
    detail::warn_of_orphans(*runtime_, std::chrono::seconds(1));
  }
  keys_strand_.reset();
  if (links_) links_->stop(link_drain);
  if (runtime_) {
    thread_.reset();
    if (!runtime_->stop()) return false;
  }
  lease_strand_.reset();  // until here the guardian sees that the lease is kept
  clients_.reset();       // after the last process that answers a client
  gateway_.reset();
  // The strands first: a batch that is being written is waited for here, not under a lock.
  appends_.reset();
  opens_.reset();
  journal_.reset();
  {
    std::unique_ptr<NamesDriver> names;
    {
      std::lock_guard guard(mutex_);
      directory_ = nullptr;
      names = std::move(names_driver_);
    }
  }
  agreement_.reset();
  links_.reset();
  runtime_.reset();
  storage_ = {};
  return true;
}

}  // namespace coterie
