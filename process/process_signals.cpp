// What signals do to a process, and what its end does to others.

#include <algorithm>
#include <utility>

#include "process/process.hpp"
#include "process/report.hpp"
#include "process/runtime.hpp"

namespace coterie::detail {

void Process::accept_signal(Message& message, SignalBody& body) {
  switch (body.signal) {
    case Signal::exit:
      handle_exit_signal(message.from, body.reason, body.link);
      return;
    case Signal::link:
      relations().links.insert(message.from);
      return;
    case Signal::unlink:
      if (relations_) relations_->links.erase(message.from);
      return;
    case Signal::monitor:
      relations().monitored_by.emplace(message.from, message.ref());
      return;
    case Signal::demonitor:
      if (relations_) relations_->monitored_by.erase({message.from, message.ref()});
      return;
    case Signal::down: {
      if (!relations_ || relations_->monitors.erase(message.ref()) == 0) return;
      auto down = make_message(MessageKind::send, Down{message.ref(), message.from, body.reason});
      down->from = message.from;
      enqueue_own(std::move(down));
      return;
    }
    case Signal::cancel:
      cancel(message.from, message.ref());
      return;
    case Signal::fence:
      if (strict()) exit_later(body.reason);
      return;
    default:
      return;
  }
}

/// OTP's table: link x reason x trap_exit x self.
void Process::handle_exit_signal(const Pid& from, const ExitReason& reason, bool link) {
  if (link) {
    // An exit of a link that is not active any more is dropped.
    if (!relations_ || !relations_->links.erase(from)) return;
    if (from.node == runtime_.node() && runtime_.is_thread(from)) outlived_thread_ = true;
  } else if (reason.kind() == ExitReason::Kind::kill) {
    exit_by_signal_ = true;
    exit_later(ExitReason::killed());
    return;
  }
  if (trap_exit_) {
    auto exit = make_message(MessageKind::send, Exit{from, reason});
    exit->from = from;
    enqueue_own(std::move(exit));
    return;
  }
  if (reason.kind() == ExitReason::Kind::normal && (link || from != pid())) return;
  exit_by_signal_ = true;
  exit_later(reason);
}

/// DOWN and EXIT messages join the queue past the mailbox's bound: they must not be lost.
void Process::enqueue_own(MessagePtr message) {
  message->generation = generation();
  in_queue_.store(in_queue_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (!message->in_slot()) large_bytes_.fetch_add(message->bytes(), std::memory_order_relaxed);
  queue_.push_back(std::move(message));
  if (wait_ == Wait::message) woken_ = true;
}

/// The caller is gone or has its answer: a request still queued is not run.
void Process::cancel(const Pid& caller, Ref ref) {
  forget_caller(caller, ref);
  Message* previous = nullptr;
  for (Message* message = queue_.front(); message != nullptr;
       previous = message, message = message->next) {
    if (message->kind != MessageKind::call || message->ref() != ref || message->from != caller)
      continue;
    uncount(*queue_.remove_after(previous));
    runtime_.counters().expired_requests.fetch_add(1, std::memory_order_relaxed);
    return;
  }
}

void Process::forget_caller(const Pid& caller, Ref ref) noexcept {
  if (serving_ != nullptr && serving_->ref == ref && serving_->pid == caller) {
    serving_ = nullptr;
    return;
  }
  for (std::size_t i = callers_.size(); i-- > 0;) {
    if (callers_[i].ref != ref || callers_[i].pid != caller) continue;
    callers_[i] = callers_.back();
    callers_.pop_back();
    return;
  }
}

void Process::finish() {
  finishing_ = true;
  const ExitReason reason = *exit_;
  // As proc_lib: who is ended by a signal has not crashed; whoever sent it has its reasons.
  if (!reason.is_clean() && !exit_by_signal_) report_crash(reason);
  runtime_.counters().exited.fetch_add(1, std::memory_order_relaxed);

  if (behaviour_) behaviour_->ended(*this, reason);
  if (abandoned_) {
    static_cast<void>(behaviour_.release());  // its frames are on the stack that was left
  } else {
    try {
      behaviour_.reset();
    } catch (...) {
      runtime_.log().error(LogModule::process, "a destructor threw while its process ended",
                           {{"pid", pid()}});
    }
  }

  // Names go before anybody can see the end: a restart never meets its own old name.
  if (relations_) {
    if (!relations_->name.empty()) runtime_.unregister_name(relations_->name, pid());
    if (relations_->registration.id != 0 && runtime_.names() != nullptr) {
      runtime_.names()->release(relations_->via.registry, relations_->via.key, pid(),
                                relations_->registration);
    }
  }
  if (registered_ && runtime_.names() != nullptr) runtime_.names()->process_ended(pid());
  drain();
  const Pid self = pid();
  // Release pairs with alive(): who finds it dead sees that its names are free.
  life_.store((std::uint64_t{generation()} + 1) << 1, std::memory_order_release);

  fail_callers(CallError(
      CallError::Code::exited,
      reason.is_clean() ? CallError::Execution::unknown : CallError::Execution::executed, reason));
  while (MessagePtr message = queue_.pop_front()) {
    uncount(*message);
    bounce(std::move(message), reason);
  }
  tell_relations(self, reason);
  reset();
}

void Process::fail_callers(const CallError& error) {
  if (const Caller* caller = std::exchange(serving_, nullptr)) runtime_.fail(*caller, error);
  for (const Caller& caller : std::exchange(callers_, {})) runtime_.fail(caller, error);
}

void Process::tell_relations(const Pid& self, const ExitReason& reason) {
  if (!relations_) return;
  auto relations = std::move(relations_);
  // Links first: whoever has seen DOWN and asks the supervisor finds that it knows.
  for (const Pid& linked : relations->links) {
    runtime_.signal(self, linked, Signal::exit, Ref::none, reason, true);
  }
  for (const auto& [watcher, ref] : relations->monitored_by) {
    runtime_.signal(self, watcher, Signal::down, ref, reason);
  }
  for (const auto& [ref, target] : relations->monitors) {
    runtime_.signal(self, target, Signal::demonitor, ref);
  }
}

void Process::reset() {
  epoch_ = {};
  parent_ = {};
  exit_.reset();
  awaited_ = nullptr;
  serving_ = nullptr;
  request_id_ = nullptr;
  wait_ = Wait::none;
  attached_ = nullptr;
  alarmed_.store(false, std::memory_order_relaxed);
  exit_by_signal_ = registered_ = woken_ = timed_out_ = started_ = trap_exit_ = thrown_ =
      finishing_ = abandoned_ = outlived_thread_ = false;
}

void Process::report_crash(const ExitReason& reason) {
  runtime_.counters().crashed.fetch_add(1, std::memory_order_relaxed);
  if (!crash_wanted(runtime_.log())) return;
  CrashReport crash;
  crash.initial_call = behaviour_ ? behaviour_->initial_call() : "attached";
  crash.pid = pid();
  crash.mailbox_length = queued();
  crash.reason = reason;
  for (const Pid& caller : callers()) crash.callers.push_back(to_string(caller, runtime_.node()));
  if (behaviour_ && !abandoned_) behaviour_->describe(crash);
  if (relations_) {
    crash.name = relations_->name;
    if (crash.name.empty() && relations_->registration.id != 0) {
      crash.name = to_string(ServerRef(relations_->via));
    }
    crash.links = relations_->links.list();
    for (const Pid& ancestor : relations_->ancestors) {
      crash.ancestors.push_back(to_string(ancestor, runtime_.node()));
    }
  }
  report(runtime_.log(), crash);
}

ProcessInfo Process::info() const {
  ProcessInfo info;
  info.pid = pid();
  info.initial_call = behaviour_ ? std::string(behaviour_->initial_call()) : "attached";
  info.status = exit_                                     ? Status::exiting
                : behaviour_ && behaviour_->suspended()   ? Status::suspended
                : behaviour_ && behaviour_->hibernating() ? Status::hibernating
                                                          : Status::running;
  info.message_queue_length = queued();
  info.trap_exit = trap_exit_;
  info.epoch = epoch_;
  if (relations_) {
    info.registered_name = relations_->name;
    if (info.registered_name.empty() && relations_->registration.id != 0) {
      info.registered_name = to_string(ServerRef(relations_->via));
    }
    info.label = relations_->label;
    info.links = relations_->links.list();
    info.monitors = relations_->monitors.size();
    info.monitored_by = relations_->monitored_by.size();
    info.ancestors = relations_->ancestors;
  }
  return info;
}

}  // namespace coterie::detail
