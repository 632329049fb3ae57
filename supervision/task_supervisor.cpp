#include <coterie/task_supervisor.hpp>

#include <stdexcept>

namespace coterie {

namespace detail {

ChildResult<TaskRecord> start_supervised_task(const ServerRef& supervisor, TaskWork work,
                                              const std::type_info& function, Shutdown shutdown,
                                              bool link) {
  ChildSpec spec;
  spec.restart = Restart::temporary;
  spec.shutdown = shutdown;
  spec.start = [owner = self()]() -> StartResult { return spawn_task_for(owner); };
  const auto task = DynamicSupervisor::start_child(supervisor, std::move(spec));
  if (!task) return std::unexpected(task.error());
  return hand_over(*task, std::move(work), function, link);
}

ChildResult<Pid> start_supervised_child(const ServerRef& supervisor,
                                        std::function<TaskWork()> make_work,
                                        const std::type_info& function, Restart restart,
                                        Shutdown shutdown) {
  ChildSpec spec;
  spec.restart = restart;
  spec.shutdown = shutdown;
  spec.start = [make_work = std::move(make_work), &function,
                callers = callers_for_task()]() -> StartResult {
    return start_child_task(make_work(), function, callers);
  };
  return DynamicSupervisor::start_child(supervisor, std::move(spec));
}

TaskStarter supervised_starter(ServerRef supervisor, Shutdown shutdown, bool link) {
  return {[supervisor = std::move(supervisor), shutdown, link](TaskWork work,
                                                               const std::type_info& function) {
            auto task =
                start_supervised_task(supervisor, std::move(work), function, shutdown, link);
            if (task) return *task;
            throw std::runtime_error("a task of the stream could not be started: " +
                                     to_string(task.error()));
          },
          link};
}

}  // namespace detail

StartResult TaskSupervisor::start_link(Options options) {
  return DynamicSupervisor::start_link(std::move(options));
}
StartResult TaskSupervisor::start(Options options) {
  return DynamicSupervisor::start(std::move(options));
}
ChildSpec TaskSupervisor::child_spec(std::string id, Options options) {
  return DynamicSupervisor::child_spec(std::move(id), std::move(options));
}

ChildResult<std::vector<Pid>> TaskSupervisor::children(const ServerRef& supervisor) {
  const auto rows = DynamicSupervisor::which_children(supervisor);
  if (!rows) return std::unexpected(rows.error());
  std::vector<Pid> pids;
  for (const ChildInfo& row : *rows) {
    if (row.pid) pids.push_back(row.pid);
  }
  return pids;
}

ChildResult<void> TaskSupervisor::terminate_child(const ServerRef& supervisor, const Pid& task) {
  return DynamicSupervisor::terminate_child(supervisor, task);
}

ChildSpec Task::child_spec(std::string id, std::function<void()> work) {
  ChildSpec spec;
  spec.id = std::move(id);
  spec.restart = Restart::temporary;
  spec.start = [work = std::move(work)]() -> StartResult {
    return detail::start_unwatched_task(detail::task_work(work), work.target_type(), true);
  };
  return spec;
}

}  // namespace coterie
