#include "supervision/child_cell.hpp"

#include "supervision/child_shutdown.hpp"

namespace coterie::detail {

void ChildCell::terminate(const ExitReason&) {
  std::vector<Ending> endings;
  endings.reserve(children_.size());
  for (const auto& [pid, key] : children_) {
    endings.push_back({pid, options_.shutdown, Restart::transient, {}});
  }
  shut_down_all(endings);
}

void ChildCell::handle_cast(const cell::Start& request) {
  StartOptions start;
  start.name = via(options_.registry, request.key);
  start.timeout = options_.start_timeout;
  start.label = options_.registry + "/" + request.key;
  StartResult result = options_.kind.start(request.key, request.args, std::move(start));
  if (result) children_.emplace(*result, request.key);
  cast(instance_, cell::Started(options_.index, request.key, std::move(result)));
}

void ChildCell::handle_cast(const cell::Stop& request) {
  // One that has ended meanwhile has been reported, or is about to be: its EXIT is in the mailbox.
  if (!children_.contains(request.child)) return;
  if (options_.shutdown.is_brutal_kill()) {
    exit(request.child, ExitReason::kill());
    return;
  }
  exit(request.child, ExitReason::shutdown());
  if (options_.shutdown.wait() != infinity) {
    send_after(options_.shutdown.wait(), self(), cell::KillLate(request.child));
  }
}

void ChildCell::handle_info(const Exit& exit) {
  auto child = children_.extract(exit.from);
  if (!child.empty()) {
    cast(instance_, cell::Exited(std::move(child.mapped()), exit.from, exit.reason));
  }
}

void ChildCell::handle_info(const cell::KillLate& late) {
  if (children_.contains(late.child)) exit(late.child, ExitReason::kill());
}

}  // namespace coterie::detail
