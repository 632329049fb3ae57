#include <coterie/task.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "process/runtime.hpp"
#include "process/task_link.hpp"

namespace coterie::detail {
namespace {

Time now() { return current_process().runtime().clock().now(); }

bool traps_exits() {
  Process& self = current_process();
  const bool trapping = self.set_trap_exit(true);
  self.set_trap_exit(trapping);
  return trapping;
}

}  // namespace

TaskStarter linked_starter() { return {&start_task, true}; }

StreamTasks::StreamTasks(const StreamOptions& options, TaskStarter starter)
    : options_(options),
      starter_(std::move(starter)),
      max_(options.max_concurrency.value_or(
          std::max(1u, current_process().runtime().options().workers))) {
  if (max_ == 0) throw std::invalid_argument("max_concurrency must be greater than zero");
}

StreamTasks::~StreamTasks() {
  for (const auto& [ref, task] : running_) {
    // Also the exit of one that has failed already, and that nobody will ask about.
    if (starter_.linked) drop_link(task.pid);
    exit(task.pid, ExitReason::kill());
    demonitor(ref, true);
    receive_message(
        [ref = ref](Message& message) {
          return message.kind == MessageKind::send && message.ref() == ref;
        },
        Duration::zero());
  }
}

void StreamTasks::start(TaskWork work, const std::type_info& function) {
  const TaskRecord task = starter_.start(std::move(work), function);
  running_.emplace(task.ref,
                   Running{started_++, task.pid, after(now(), options_.timeout), nullptr});
}

std::optional<StreamTasks::Ended> StreamTasks::take() {
  if (done_.empty() || done_.begin()->first != taken_) return std::nullopt;
  ++taken_;
  return std::move(done_.extract(done_.begin()).mapped());
}

void StreamTasks::wait() {
  const std::size_t before = ended_;
  while (ended_ == before) {
    Time end = Time::max();
    for (const auto& [ref, task] : running_) end = std::min(end, task.deadline);
    auto task = running_.end();
    MessagePtr message = receive_message(
        [&](Message& candidate) {
          const Down* down = candidate.as<Down>();
          task = running_.find(down != nullptr ? down->ref : candidate.ref());
          return task != running_.end() && (down != nullptr || candidate.kind == MessageKind::send);
        },
        end == Time::max() ? infinity : std::max(end - now(), Duration::zero()));
    if (!message) {
      stop_late_ones();
    } else if (const Down* down = message->as<Down>()) {
      ended(task, down->reason);
    } else {
      // Its process counts until it is gone: never more than max_concurrency of them.
      task->second.reply = std::move(message);
    }
  }
}

void StreamTasks::ended(Entry task, const ExitReason& reason) {
  Running& run = task->second;
  Ended end{run.position, {std::move(run.reply), std::nullopt}};
  if (!end.answer.reply) end.answer.exit = run.timed_out ? ExitReason::term("timeout") : reason;
  const bool linked = starter_.linked && !run.timed_out;
  const bool fatal = linked && reason.kind() != ExitReason::Kind::normal && !traps_exits();
  if (linked) drop_link(run.pid);
  running_.erase(task);
  done_.emplace(options_.ordered ? end.position : ended_, std::move(end));
  ++ended_;
  if (fatal) end_with(reason);
}

void StreamTasks::stop_late_ones() {
  for (auto& [ref, task] : running_) {
    if (task.deadline > now()) continue;
    if (options_.on_timeout == StreamTimeout::exit) end_with(ExitReason::term("timeout"));
    task.timed_out = true;
    task.deadline = Time::max();
    if (starter_.linked) drop_link(task.pid);
    exit(task.pid, ExitReason::kill());
  }
}

void StreamTasks::end_with(const ExitReason& reason) {
  Process& self = current_process();
  if (!self.cannot_park()) self.raise_exit(reason);
  throw std::bad_expected_access<ExitReason>(reason);
}

}  // namespace coterie::detail
