#include <coterie/task.hpp>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

#include "process/exit_cause.hpp"
#include "process/resolve.hpp"
#include "process/runtime.hpp"
#include "process/task_link.hpp"

namespace coterie::detail {
namespace {

/// What a task has to do, for whom.
struct TaskOrder {
  TaskWork work;
  const std::type_info* function = nullptr;
  Alias result_to;  // none: nobody waits
  std::vector<Pid> callers;
};

/// The order of a task that its owner could not start itself.
struct HandOver {
  explicit HandOver(TaskOrder o) noexcept : order(std::move(o)) {}
  TaskOrder order;
};

class TaskBehaviour final : public Behaviour {
 public:
  explicit TaskBehaviour(TaskOrder order) noexcept : order_(std::move(order)) {}
  explicit TaskBehaviour(const Pid& owner) noexcept : waits_for_(owner) {}

  void start() override {
    if (waits_for_) wait_for_order();
    MessagePtr result = order_.work(order_.result_to.ref);
    if (result) send_to_alias(order_.result_to, std::move(result));
    current_process().exit_later(ExitReason::normal());
  }
  void handle(MessagePtr) override {}
  std::string_view initial_call() const noexcept override {
    if (name_.empty() && order_.function != nullptr) name_ = demangled(*order_.function);
    return name_.empty() ? std::string_view("task") : name_;
  }
  std::span<const Pid> callers() const noexcept override { return order_.callers; }

 private:
  void wait_for_order() {
    const Ref owner = monitor(waits_for_);
    receive([this](HandOver&& given) { order_ = std::move(given.order); },
            when([owner](const Down& down) { return down.ref == owner; },
                 [](const Down& down) { exit(ExitReason::shutdown(to_string(down.reason))); }));
    demonitor(owner);
  }

  TaskOrder order_;
  Pid waits_for_;
  mutable std::string name_;
};

Pid spawn_task(Process& parent, std::unique_ptr<Behaviour> behaviour, bool link, Ref monitor) {
  SpawnRequest request;
  request.behaviour = std::move(behaviour);
  request.options.link = link;
  request.parent = parent.pid();
  request.ancestors = parent.ancestors_of_children();
  request.link = link;
  request.monitor = monitor;
  const Pid pid = parent.spawn_child(std::move(request));
  if (link && pid) parent.add_link(pid);
  return pid;
}

bool is_result(const Message& message, Ref task) {
  return message.kind == MessageKind::send && message.ref() == task;
}
const Down* end_of(Message& message, Ref task) {
  const Down* down = message.as<Down>();
  return down != nullptr && down->ref == task ? down : nullptr;
}

MessagePtr take_result(Ref task) {
  return receive_message([task](Message& message) { return is_result(message, task); },
                         Duration::zero());
}

/// Nothing more of it arrives; a result that came in the meantime is not lost.
MessagePtr forget(const TaskRecord& task) {
  demonitor(task.ref, true);
  if (!task.pid) unalias(Alias{task.owner, task.ref});
  return take_result(task.ref);
}

void check_owner(const TaskRecord& task) {
  const Pid me = self();
  if (task.owner == me) return;
  throw std::invalid_argument("task " + to_string(task.pid, me.node) +
                              " must be queried from its owner " + to_string(task.owner, me.node) +
                              ", but was queried from " + to_string(me, me.node));
}

Time deadline_of(Duration timeout) {
  return timeout == infinity ? Time::max()
                             : after(current_process().runtime().clock().now(), timeout);
}
Duration left_until(Time end) {
  if (end == Time::max()) return infinity;
  return std::max(end - current_process().runtime().clock().now(), Duration::zero());
}

/// Sorts a message of a task into its answer; with a result the monitor has done its work.
void take_in(MessagePtr message, const TaskRecord& task, TaskAnswer& answer) {
  if (const Down* down = end_of(*message, task.ref)) {
    answer.exit = down->reason;
  } else {
    answer.reply = std::move(message);
    forget(task);
  }
  // A thread traps exits without having asked for it: an Exit of each task would pile up there.
  if (task.pid && current_process().attached()) drop_link(task.pid);
}

}  // namespace

void drop_link(const Pid& task) {
  unlink(task);
  receive_message(
      [&task](Message& message) {
        const Exit* exit = message.as<Exit>();
        return exit != nullptr && exit->from == task;
      },
      Duration::zero());
}

std::vector<Pid> callers_for_task() {
  const Process& me = current_process();
  std::vector<Pid> callers{me.pid()};
  callers.insert(callers.end(), me.callers().begin(), me.callers().end());
  return callers;
}

TaskRecord start_task(TaskWork work, const std::type_info& function) {
  Process& self = current_process();
  const Ref ref = self.runtime().make_ref();
  TaskOrder order{std::move(work), &function, {self.pid(), ref}, callers_for_task()};
  const Pid pid = spawn_task(self, std::make_unique<TaskBehaviour>(std::move(order)), true, ref);
  self.relations().monitors.insert({ref, pid});
  if (!pid) {
    self.runtime().signal(pid, self.pid(), Signal::down, ref, ExitReason::term("system_limit"));
  }
  return {pid, ref, self.pid()};
}

TaskRecord complete_task() {
  const Alias open = alias(AliasUse::once);
  return {{}, open.ref, open.pid};
}

Pid start_unwatched_task(TaskWork work, const std::type_info& function, bool link) {
  TaskOrder order{std::move(work), &function, {}, callers_for_task()};
  return spawn_task(current_process(), std::make_unique<TaskBehaviour>(std::move(order)), link,
                    Ref::none);
}

Pid start_child_task(TaskWork work, const std::type_info& function, std::vector<Pid> callers) {
  TaskOrder order{std::move(work), &function, {}, std::move(callers)};
  return spawn_task(current_process(), std::make_unique<TaskBehaviour>(std::move(order)), true,
                    Ref::none);
}

Pid spawn_task_for(const Pid& owner) {
  return spawn_task(current_process(), std::make_unique<TaskBehaviour>(owner), true, Ref::none);
}

TaskRecord hand_over(const Pid& task, TaskWork work, const std::type_info& function, bool linked) {
  if (linked) link(task);
  const TaskRecord record{task, monitor(task), self()};
  send(task,
       HandOver({std::move(work), &function, {record.owner, record.ref}, callers_for_task()}));
  return record;
}

TaskAnswer wait_for_task(const TaskRecord& task, Duration timeout, bool forget_it) {
  check_owner(task);
  TaskAnswer answer;
  MessagePtr message = receive_message(
      [&task](Message& candidate) {
        return is_result(candidate, task.ref) || end_of(candidate, task.ref) != nullptr;
      },
      timeout);
  if (message) {
    take_in(std::move(message), task, answer);
  } else if (forget_it) {
    answer.reply = forget(task);
  }
  return answer;
}

TaskAnswers wait_for_tasks(const std::vector<TaskRecord>& tasks, Duration timeout,
                           std::size_t limit, bool until_exit) {
  TaskAnswers waited;
  waited.answers.resize(tasks.size());
  std::map<Ref, std::size_t> open;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    check_owner(tasks[i]);
    open.emplace(tasks[i].ref, i);
  }
  const Time end = deadline_of(timeout);
  for (std::size_t ended = 0; ended < limit && !open.empty(); ++ended) {
    auto found = open.end();
    MessagePtr message = receive_message(
        [&](Message& candidate) {
          const Down* down = candidate.as<Down>();
          found = open.find(down != nullptr ? down->ref : candidate.ref());
          return found != open.end() && (down != nullptr || candidate.kind == MessageKind::send);
        },
        left_until(end));
    if (!message) {
      waited.timed_out = true;
      break;
    }
    TaskAnswer& answer = waited.answers[found->second];
    take_in(std::move(message), tasks[found->second], answer);
    open.erase(found);
    if (until_exit && answer.exit) break;
  }
  return waited;
}

std::expected<std::vector<MessagePtr>, CallError> await_tasks(const std::vector<TaskRecord>& tasks,
                                                              Duration timeout) {
  TaskAnswers waited = wait_for_tasks(tasks, timeout, tasks.size(), true);
  std::vector<MessagePtr> replies;
  replies.reserve(tasks.size());
  const TaskRecord* missing = nullptr;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    TaskAnswer& answer = waited.answers[i];
    if (answer.exit) {
      for (const TaskRecord& task : tasks) forget(task);
      return std::unexpected(await_error(tasks[i], answer.exit));
    }
    if (!answer.reply) missing = &tasks[i];
    replies.push_back(std::move(answer.reply));
  }
  if (missing == nullptr) return replies;
  for (const TaskRecord& task : tasks) forget(task);
  return std::unexpected(await_error(*missing, std::nullopt));
}

TaskAnswer ignore_task(const TaskRecord& task) {
  TaskAnswer answer = wait_for_task(task, Duration::zero(), true);
  if (task.pid && !answer.exit) unlink(task.pid);
  return answer;
}

TaskAnswer shut_down_task(const TaskRecord& task, std::optional<Duration> wait) {
  if (!task.pid) return ignore_task(task);
  check_owner(task);
  const ExitReason told = wait ? ExitReason::shutdown() : ExitReason::killed();
  const Ref watch = monitor(task.pid);
  unlink(task.pid);
  exit(task.pid, wait ? ExitReason::shutdown() : ExitReason::kill());
  const auto end = [watch](Duration timeout) {
    return receive_message([watch](Message& message) { return end_of(message, watch) != nullptr; },
                           timeout);
  };
  MessagePtr down = end(wait.value_or(infinity));
  if (!down) {
    exit(task.pid, ExitReason::kill());
    down = end(infinity);
  }
  TaskAnswer answer;
  ExitReason reason = down ? down->as<Down>()->reason : ExitReason::killed();
  if (reason.kind() == ExitReason::Kind::noproc) {
    // It had ended before: its own monitor knows how, unless that was heard of already.
    const MessagePtr earlier =
        receive_message([&task](Message& message) { return end_of(message, task.ref) != nullptr; },
                        Duration::zero());
    if (earlier) reason = earlier->as<Down>()->reason;
  }
  answer.reply = forget(task);
  if (!answer.reply && reason != told) answer.exit = std::move(reason);
  return answer;
}

CallError await_error(const TaskRecord& task, const std::optional<ExitReason>& exit) {
  const std::string what = "await of task " + to_string(task.pid, task.owner.node);
  if (!exit) {
    return {CallError::Code::timeout, CallError::Execution::unknown, ExitReason::term("timeout"),
            what};
  }
  return {CallError::Code::exited, CallError::Execution::executed, *exit, what};
}

}  // namespace coterie::detail

namespace coterie {

std::vector<Pid> callers() {
  const auto callers = detail::current_process().callers();
  return {callers.begin(), callers.end()};
}

}  // namespace coterie
