#pragma once
// Tasks without the types of their results: how they start and how their owner waits. Included by
// <coterie/task.hpp>.

#include <expected>
#include <functional>
#include <optional>
#include <typeinfo>
#include <utility>
#include <vector>

#include <coterie/alias.hpp>
#include <coterie/call.hpp>

namespace coterie::detail {

template <class Function>
void a_task_is_a_function_without_parameters() = delete;
template <class Function, class Input>
void this_function_does_not_take_the_inputs_of_this_stream_as_const() = delete;

/// `pid` is none for a task that had its result from the start.
struct TaskRecord {
  Pid pid;
  Ref ref = Ref::none;  // of the owner's monitor, and of the result
  Pid owner;
};

template <class F, class... Args>
using TaskValue = std::conditional_t<std::is_void_v<std::invoke_result_t<F&, Args...>>, Nothing,
                                     std::decay_t<std::invoke_result_t<F&, Args...>>>;

/// What a task does: its result as a message, which needs the reference; null if nobody waits.
using TaskWork = std::move_only_function<MessagePtr(Ref)>;

/// Work whose result is sent as Reply<T>.
template <template <class> class Reply, class F>
TaskWork task_work(F work) {
  return [work = std::move(work)](Ref ref) mutable {
    using T = TaskValue<F>;
    if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
      work();
      return make_message(MessageKind::send, Reply<T>{ref, Nothing()});
    } else {
      return make_message(MessageKind::send, Reply<T>{ref, work()});
    }
  };
}
/// Work that nobody waits for.
template <class F>
TaskWork task_work(F work) {
  if constexpr (!std::is_invocable_v<F&>) {
    a_task_is_a_function_without_parameters<F>();
    return nullptr;
  } else {
    return [work = std::move(work)](Ref) mutable -> MessagePtr {
      work();
      return nullptr;
    };
  }
}

/// Linked to and monitored by the caller.
TaskRecord start_task(TaskWork work, const std::type_info& function);
/// An open reference of the caller's, for a task that needs no process.
TaskRecord complete_task();
Pid start_unwatched_task(TaskWork work, const std::type_info& function, bool link);

/// A process that waits until its owner says what to do; for supervisors, which are its parent.
/// It ends if the owner does before.
Pid spawn_task_for(const Pid& owner);
/// Its owner's part: monitors it, links to it if told, and says what to do.
TaskRecord hand_over(const Pid& task, TaskWork work, const std::type_info& function, bool link);
/// As start_unwatched_task with a link, asked for by others than the caller.
Pid start_child_task(TaskWork work, const std::type_info& function, std::vector<Pid> callers);
/// The caller and its own callers: $callers of what it starts now.
std::vector<Pid> callers_for_task();

/// The result, or how it ended without one, or neither.
struct TaskAnswer {
  MessagePtr reply;
  std::optional<ExitReason> exit;
};
struct TaskAnswers {
  std::vector<TaskAnswer> answers;
  bool timed_out = false;
};

/// `forget`: after the timeout nothing of it may arrive any more.
TaskAnswer wait_for_task(const TaskRecord& task, Duration timeout, bool forget);
/// Until `limit` of them have ended; with `until_exit`, or one has without a result.
TaskAnswers wait_for_tasks(const std::vector<TaskRecord>& tasks, Duration timeout,
                           std::size_t limit, bool until_exit = false);
std::expected<std::vector<MessagePtr>, CallError> await_tasks(const std::vector<TaskRecord>& tasks,
                                                              Duration timeout);
TaskAnswer ignore_task(const TaskRecord& task);
/// Without a wait it is killed at once.
TaskAnswer shut_down_task(const TaskRecord& task, std::optional<Duration> wait);
CallError await_error(const TaskRecord& task, const std::optional<ExitReason>& exit);

/// To a task that takes longer than its timeout: the reader of the stream exits with `timeout`, or
/// the task is killed and its result is that reason. On a thread that is attached, where nothing
/// can exit, std::bad_expected_access<ExitReason> is thrown instead.
enum class StreamTimeout : std::uint8_t { exit, kill_task };

struct StreamOptions {
  std::optional<std::size_t> max_concurrency{};  // default: the node's workers
  bool ordered = true;  // results in the order of their inputs; those that are early are kept
  Duration timeout = default_call_timeout;  // of each task
  StreamTimeout on_timeout = StreamTimeout::exit;
  bool zip_input_on_exit = false;  // a result without a value carries its input
};

/// A result, or how its task ended without one; then also its input, with zip_input_on_exit.
template <class T, class Input>
struct StreamResult : std::expected<T, ExitReason> {
  using std::expected<T, ExitReason>::expected;
  std::optional<Input> input;
};

struct TaskStarter {
  /// Starts a task of the calling process.
  std::function<TaskRecord(TaskWork, const std::type_info&)> start;
  bool linked = true;
};
TaskStarter linked_starter();

}  // namespace coterie::detail
