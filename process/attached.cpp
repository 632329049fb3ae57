// Plain threads as processes, and the questions that one process asks of all.

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

std::vector<ProcessInfo> Runtime::snapshot(Duration timeout) {
  Process& self = current_process();
  // Each process speaks for itself between two callbacks; the last one to answer wakes the asker.
  struct Answers {
    std::mutex lock;
    std::vector<ProcessInfo> infos;
    std::size_t open = 1;
  };
  auto answers = std::make_shared<Answers>();
  const std::vector<Pid> pids = list();
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
    auto ask = make_message(MessageKind::signal, RunInside{[settle](Process* process) {
                              if (process == nullptr) {
                                settle(nullptr);
                                return;
                              }
                              const ProcessInfo info = process->info();
                              settle(&info);
                            }});
    if (push(pid, ask) != PushResult::pushed) settle(nullptr);
  }
  const ProcessInfo own = self.info();
  settle(&own);
  bool refused = false;
  self.wait_answer(ticket.ref, timeout, refused);
  std::lock_guard guard(answers->lock);
  return std::move(answers->infos);
}

}  // namespace coterie::detail
