#pragma once
// TaskSupervisor: tasks as children of a supervisor, so that they are seen, bounded in number and
// stopped with the rest of the tree. The counterpart of Elixir's Task.Supervisor; it is a
// DynamicSupervisor, and answers what that answers.
//
//   TaskSupervisor::start_link({.name = local("mails"), .max_children = 1000});
//   auto sent = TaskSupervisor::async_nolink(local("mails"), [mail] { return deliver(mail); });
//   if (auto result = Task::yield(sent.value())) { ... }          // its crash is not ours
//   TaskSupervisor::start_child(local("mails"), [mail] { deliver(mail); });   // nobody waits
//
// async links the task to the caller as well, async_nolink does not; Task:: waits for both. At
// max_children they answer that error, as start_child does. Functions cannot travel: the supervisor
// must run on this node.

#include <memory>
#include <utility>
#include <vector>

#include <coterie/dynamic_supervisor.hpp>
#include <coterie/task.hpp>

namespace coterie {

namespace detail {
ChildResult<TaskRecord> start_supervised_task(const ServerRef& supervisor, TaskWork work,
                                              const std::type_info& function, Shutdown shutdown,
                                              bool link);
ChildResult<Pid> start_supervised_child(const ServerRef& supervisor,
                                        std::function<TaskWork()> make_work,
                                        const std::type_info& function, Restart restart,
                                        Shutdown shutdown);
TaskStarter supervised_starter(ServerRef supervisor, Shutdown shutdown, bool link);
}  // namespace detail

struct TaskChildOptions {
  Restart restart = Restart::temporary;
  Shutdown shutdown = std::chrono::seconds(5);
};

class TaskSupervisor {
 public:
  using Options = DynamicSupervisorOptions;

  static StartResult start_link(Options options = {});
  static StartResult start(Options options = {});
  /// The spec of a task supervisor below a Supervisor.
  static ChildSpec child_spec(std::string id, Options options = {});

  template <class F>
  static auto async(const ServerRef& supervisor, F work,
                    Shutdown shutdown = std::chrono::seconds(5)) {
    return start_task(supervisor, std::move(work), shutdown, true);
  }
  /// Its failure is seen by who waits for it, and ends nobody.
  template <class F>
  static auto async_nolink(const ServerRef& supervisor, F work,
                           Shutdown shutdown = std::chrono::seconds(5)) {
    return start_task(supervisor, std::move(work), shutdown, false);
  }

  /// Nobody waits for it. With another restart than temporary `work` is called once per start.
  template <class F>
  static ChildResult<Pid> start_child(const ServerRef& supervisor, F work,
                                      TaskChildOptions options = {}) {
    auto shared = std::make_shared<F>(std::move(work));
    return detail::start_supervised_child(
        supervisor, [shared] { return detail::task_work([shared] { (*shared)(); }); }, typeid(F),
        options.restart, options.shutdown);
  }

  static ChildResult<std::vector<Pid>> children(const ServerRef& supervisor);
  static ChildResult<void> terminate_child(const ServerRef& supervisor, const Pid& task);

  /// Task::async_stream with tasks below the supervisor. Keep max_concurrency below what
  /// max_children leaves free: a task that cannot be started is std::runtime_error.
  template <class Inputs, class F>
  static detail::TaskStream<Inputs, F> async_stream(const ServerRef& supervisor, Inputs&& inputs,
                                                    F work, Task::StreamOptions options = {},
                                                    Shutdown shutdown = std::chrono::seconds(5)) {
    return {std::forward<Inputs>(inputs), std::move(work), options,
            detail::supervised_starter(supervisor, shutdown, true)};
  }
  template <class Inputs, class F>
  static detail::TaskStream<Inputs, F> async_stream_nolink(
      const ServerRef& supervisor, Inputs&& inputs, F work, Task::StreamOptions options = {},
      Shutdown shutdown = std::chrono::seconds(5)) {
    return {std::forward<Inputs>(inputs), std::move(work), options,
            detail::supervised_starter(supervisor, shutdown, false)};
  }

 private:
  template <class F>
  static auto start_task(const ServerRef& supervisor, F work, Shutdown shutdown, bool link) {
    if constexpr (!std::is_invocable_v<F&>) {
      detail::a_task_is_a_function_without_parameters<F>();
    } else {
      using Started = Task::Of<detail::TaskValue<F>>;
      auto task = detail::start_supervised_task(
          supervisor, detail::task_work<Task::Reply>(std::move(work)), typeid(F), shutdown, link);
      if (!task) return ChildResult<Started>(std::unexpected(std::move(task.error())));
      return ChildResult<Started>(Started{*task});
    }
  }
};

}  // namespace coterie
