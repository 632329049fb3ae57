#pragma once
// Task: one piece of work in a process of its own. The counterpart of Elixir's Task
// (lib/elixir/lib/task.ex).
//
//   auto price = Task::async([id] { return fetch_price(id); });   // runs beside us
//   auto stock = Task::async([id] { return fetch_stock(id); });
//   show(Task::await(price).value(), Task::await(stock, 1s).value());
//
//   for (auto& page : Task::async_stream(urls, fetch, {.max_concurrency = 10})) {
//     store(page.value());          // in the order of urls, ten at a time
//   }
//
// A task is linked to who started it, its owner, and monitored by it: each ends with the other, and
// one result comes back. Only the owner may wait for it; anybody else who tries gets
// std::invalid_argument. Await or yield every task of async; what nobody waits for is start().
//
// await answers an expected: `.value()` lets it crash, with the reason that OTP's caller would exit
// with (timeout, or the task's own). A server that must not wait takes the answer as a message: its
// Infos list Task::Reply<T> and Down, both with the task's `ref`; it calls demonitor(ref) then.
// A task that is stopped ends where it next waits; a running function cannot be interrupted.
// Tasks below a supervisor, and such as may fail alone: <coterie/task_supervisor.hpp>.

#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <coterie/call.hpp>
#include <coterie/detail/task_wait.hpp>

namespace coterie {

struct ChildSpec;  // <coterie/child_spec.hpp>

namespace detail {
template <class Inputs, class F>
class TaskStream;
}

/// Elixir's $callers: who asked for what the calling process runs, nearest first. Empty unless it
/// is a task. Crash reports of tasks show it.
std::vector<Pid> callers();

class Task {
 public:
  /// A task whose result is a T. A value: copies are the same task.
  template <class T>
  struct Of : detail::TaskRecord {};

  /// The result, as its owner's mailbox receives it.
  template <class T>
  struct Reply {
    static constexpr std::string_view type_name = "coterie.task.reply";
    Ref ref = Ref::none;
    T value;
  };

  /// A result, or how the task ended without one.
  template <class T>
  using Result = std::expected<T, ExitReason>;

  /// A function without parameters, in a process linked to the caller. Nothing stands for void.
  template <class F>
  static auto async(F work) {
    if constexpr (!std::is_invocable_v<F&>) {
      detail::a_task_is_a_function_without_parameters<F>();
    } else {
      return Of<detail::TaskValue<F>>{
          detail::start_task(detail::task_work<Reply>(std::move(work)), typeid(F))};
    }
  }
  /// A task that has its result from the start, where one is asked for.
  template <class T>
  static Of<T> completed(T value) {
    Of<T> task{detail::complete_task()};
    send(Alias{task.owner, task.ref}, Reply<T>{task.ref, std::move(value)});
    return task;
  }

  /// Work that nobody waits for. start_link is for supervisors: see child_spec.
  template <class F>
  static Pid start(F work) {
    return detail::start_unwatched_task(detail::task_work(std::move(work)), typeid(F), false);
  }
  template <class F>
  static Pid start_link(F work) {
    return detail::start_unwatched_task(detail::task_work(std::move(work)), typeid(F), true);
  }
  /// Below a Supervisor: temporary, so it is not started again; change `restart` if it shall be.
  static ChildSpec child_spec(std::string id, std::function<void()> work);

  /// After the timeout the task is forgotten, and a late result dropped; but it runs on.
  template <class T>
  static std::expected<T, CallError> await(const Of<T>& task,
                                           Duration timeout = default_call_timeout) {
    auto answer = detail::wait_for_task(task, timeout, true);
    if (answer.reply) return std::move(answer.reply->template as<Reply<T>>()->value);
    return std::unexpected(detail::await_error(task, answer.exit));
  }
  /// All results in the order of the tasks, or the first error; one timeout for all. With an error
  /// all are forgotten.
  template <class T>
  static std::expected<std::vector<T>, CallError> await_many(
      const std::vector<Of<T>>& tasks, Duration timeout = default_call_timeout) {
    auto answers = detail::await_tasks({tasks.begin(), tasks.end()}, timeout);
    if (!answers) return std::unexpected(std::move(answers.error()));
    std::vector<T> values;
    values.reserve(tasks.size());
    for (auto& reply : *answers) {
      values.push_back(std::move(reply->template as<Reply<T>>()->value));
    }
    return values;
  }

  /// Nothing after the timeout: the task can be asked again.
  template <class T>
  static std::optional<Result<T>> yield(const Of<T>& task,
                                        Duration timeout = default_call_timeout) {
    return result<T>(detail::wait_for_task(task, timeout, false));
  }
  enum class YieldTimeout : std::uint8_t { nothing, ignore, kill_task };
  struct YieldOptions {
    Duration timeout = default_call_timeout;          // for all of them together
    std::optional<std::size_t> limit{};               // return once so many have ended
    YieldTimeout on_timeout = YieldTimeout::nothing;  // to those that have not
  };
  /// In the order of the tasks; nothing for those that have not ended.
  template <class T>
  static std::vector<std::optional<Result<T>>> yield_many(const std::vector<Of<T>>& tasks,
                                                          YieldOptions options) {
    auto waited = detail::wait_for_tasks({tasks.begin(), tasks.end()}, options.timeout,
                                         options.limit.value_or(tasks.size()));
    std::vector<std::optional<Result<T>>> results;
    results.reserve(tasks.size());
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      results.push_back(result<T>(std::move(waited.answers[i])));
      if (results.back() || !waited.timed_out) continue;
      if (options.on_timeout == YieldTimeout::kill_task) {
        results.back() = shutdown(tasks[i], brutal_kill);
      } else if (options.on_timeout == YieldTimeout::ignore) {
        results.back() = ignore(tasks[i]);
      }
    }
    return results;
  }
  template <class T>
  static std::vector<std::optional<Result<T>>> yield_many(const std::vector<Of<T>>& tasks,
                                                          Duration timeout = default_call_timeout) {
    return yield_many(tasks, YieldOptions{.timeout = timeout});
  }

  /// Unlinks and forgets the task, which runs on; its result if it is here already.
  template <class T>
  static std::optional<Result<T>> ignore(const Of<T>& task) {
    return result<T>(detail::ignore_task(task));
  }

  struct BrutalKill {};
  static constexpr BrutalKill brutal_kill{};
  /// Unlinks the task and asks it to end, kills it after the timeout, waits for its end. A result
  /// that came meanwhile is returned; nothing if it ended as it was told.
  template <class T>
  static std::optional<Result<T>> shutdown(const Of<T>& task,
                                           Duration timeout = default_call_timeout) {
    return result<T>(detail::shut_down_task(task, timeout));
  }
  template <class T>
  static std::optional<Result<T>> shutdown(const Of<T>& task, BrutalKill) {
    return result<T>(detail::shut_down_task(task, std::nullopt));
  }

  using StreamTimeout = detail::StreamTimeout;
  using StreamOptions = detail::StreamOptions;
  template <class T, class Input>
  using StreamResult = detail::StreamResult<T, Input>;

  /// A range of StreamResult<T, Input>, to be read once: `work(input)` of every input, each in a
  /// task of its own, at most max_concurrency at a time. Lazy: reads an input when there is room
  /// for its task. Destroying it ends the tasks that still run. `inputs` is kept by value if it is
  /// a temporary, else referred to. `work` is shared by all tasks, so it is called as const. Tasks
  /// are linked to who reads the range: unless it traps exits, it ends with the first that fails.
  template <class Inputs, class F>
  static detail::TaskStream<Inputs, F> async_stream(Inputs&& inputs, F work,
                                                    StreamOptions options = {}) {
    return {std::forward<Inputs>(inputs), std::move(work), options, detail::linked_starter()};
  }

 private:
  template <class T>
  static std::optional<Result<T>> result(detail::TaskAnswer answer) {
    if (answer.reply) return std::move(answer.reply->template as<Reply<T>>()->value);
    if (answer.exit) return std::unexpected(std::move(*answer.exit));
    return std::nullopt;
  }
};

}  // namespace coterie

#include <coterie/detail/task_stream.hpp>
