// Plain threads as processes, and the questions that one process asks of all.

#include <algorithm>
#include <iterator>
#include <utility>

#include "process/context.hpp"
#include "process/runtime.hpp"

namespace coterie::detail {

AttachedThread::AttachedThread(Runtime& runtime, std::string label) : runtime_(runtime) {
  SpawnRequest request;
  request.options.trap_exit = true;  // nobody can end the thread, so it hears of exits instead
  request.options.label = std::move(label);
  request.attached = this;
  pid_ = runtime.spawn(std::move(request));
  process_ = runtime.find(pid_);
  outer_ = set_running_process(process_);
  if (process_ != nullptr) process_->drain();  // what came too late for the slot's predecessor
}

AttachedThread::~AttachedThread() {
  if (process_ == nullptr) return;
  use();
  process_->exit_later(ExitReason::normal());
  process_->drain();
  process_->finish();
  process_->bounce_late();
  runtime_.free_slot(*process_);
  set_running_process(outer_);
}

void AttachedThread::use() noexcept { set_running_process(process_); }

void AttachedThread::wait(Process& process, Duration timeout) {
  const auto ready = [&process] {
    process.drain();
    return process.woken_ || process.exit_.has_value();
  };
  const Time until = timeout == infinity ? Time::max() : after(runtime_.clock().now(), timeout);
  runtime_.executor().wait(&process, ready, until);
}

std::vector<ProcessInfo> Runtime::snapshot(Duration timeout, bool (*wanted)(const Process&)) {
  std::vector<ProcessInfo> infos;
  const Process& self = current_process();
  if (wanted == nullptr || wanted(self)) infos.push_back(self.info());
  const Time end = after(clock().now(), timeout);
  const std::vector<Pid> pids = list();
  // So many at a time that a million processes are no million messages.
  constexpr std::size_t at_once = 4096;
  for (std::size_t begin = 0; begin < pids.size(); begin += at_once) {
    const Duration left = end == Time::max() ? infinity : end - clock().now();
    if (left <= Duration::zero()) break;
    const auto some = std::span(pids).subspan(begin, std::min(at_once, pids.size() - begin));
    auto answers = ask_all(some, left, wanted);
    std::ranges::move(answers, std::back_inserter(infos));
  }
  return infos;
}

/// Each process speaks for itself between two callbacks; the last one to answer wakes the asker.
std::vector<ProcessInfo> Runtime::ask_all(std::span<const Pid> pids, Duration timeout,
                                          bool (*wanted)(const Process&)) {
  Process& self = current_process();
  struct Answers {
    std::mutex lock;
    std::vector<ProcessInfo> infos;
    std::size_t open = 1;
  };
  auto answers = std::make_shared<Answers>();
  const Ticket ticket{self.pid(), make_ref()};
  auto settle = [this, ticket, answers](const ProcessInfo* info) {
    bool last = false;
    {
      std::lock_guard guard(answers->lock);
      if (info != nullptr) answers->infos.push_back(*info);
      last = --answers->open == 0;
    }
    if (last) complete(ticket, make_message(MessageKind::reply, true));
  };
  for (const Pid& pid : pids) {
    if (pid == self.pid() || is_thread(pid)) continue;  // a thread may not look for long
    {
      std::lock_guard guard(answers->lock);
      ++answers->open;
    }
    auto ask = make_message(MessageKind::signal, RunInside{[settle, wanted](Process* process) {
                              if (process == nullptr || (wanted && !wanted(*process))) {
                                settle(nullptr);
                                return;
                              }
                              const ProcessInfo info = process->info(true);
                              settle(&info);
                            }});
    if (push(pid, ask) != PushResult::pushed) settle(nullptr);
  }
  settle(nullptr);
  bool refused = false;
  self.wait_answer(ticket.ref, timeout, refused);
  std::lock_guard guard(answers->lock);
  return std::move(answers->infos);
}

std::optional<ProcessInfo> Runtime::info_of(const Pid& pid, Duration timeout) {
  /// Not a message of its own: nobody else takes it.
  struct Told {
    explicit Told(std::optional<ProcessInfo> i) noexcept : info(std::move(i)) {}
    std::optional<ProcessInfo> info;
  };
  Process& self = current_process();
  if (pid == self.pid()) return self.info();
  const Process* process = find(pid);
  if (process == nullptr) return std::nullopt;
  if (!is_thread(pid)) {
    auto told = await<Told>(
        [&](const Completer& done) {
          auto ask = make_message(
              MessageKind::signal, RunInside{[done](Process* asked) {
                done(Told(asked == nullptr ? std::nullopt : std::optional(asked->info(true))));
              }});
          if (push(pid, ask) != PushResult::pushed) done(Told(std::nullopt));
        },
        timeout);
    if (told) return std::move(told->info);
  }
  if (find(pid) != process) return std::nullopt;
  ProcessInfo info = process->info_from_outside();
  info.registered_name = name_of(pid);
  if (is_thread(pid)) info.initial_call = "attached";
  return info;
}

}  // namespace coterie::detail
