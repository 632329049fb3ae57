// What signals do to a process, and what its end does to others.

#include <algorithm>
#include <utility>

#include <coterie/requests.hpp>

#include "process/idle_tick.hpp"
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
      add_link(message.from);
      return;
    case Signal::unlink:
      remove_link(message.from);
      return;
    case Signal::monitor:
      relations().monitored_by.insert({message.from, message.ref()});
      return;
    case Signal::demonitor:
      if (relations_) relations_->monitored_by.erase({message.from.node, message.ref()});
      return;
    case Signal::down: {
      if (!relations_ || !relations_->monitors.erase(message.ref())) return;
      close_alias_of_monitor(message.ref());
      auto down = make_message(MessageKind::send, Down{message.ref(), message.from, body.reason});
      down->from = message.from;
      enqueue_own(std::move(down));
      return;
    }
    case Signal::cancel:
      cancel(message.from, message.ref(), body.link);
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
    if (!remove_link(from)) return;
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

void Process::put_back(MessagePtr message) {
  in_queue_.store(in_queue_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (!message->in_slot()) large_bytes_.fetch_add(message->bytes(), std::memory_order_relaxed);
  --taken_;
  queue_.push_front(std::move(message));
}

/// Down to the bound. What the runtime itself has put there stays: it is told once.
void Process::drop_oldest() {
  const MailboxLimits bound = limits();
  const auto above = [&] {
    const std::size_t messages = in_queue_.load(std::memory_order_relaxed);
    return messages > bound.messages ||
           large_bytes_.load(std::memory_order_relaxed) + messages * Message::slot_bytes >
               bound.bytes;
  };
  Message* previous = nullptr;
  while (above()) {
    Message* oldest = previous == nullptr ? queue_.front() : previous->next;
    if (oldest == nullptr) return;
    if (oldest->kind == MessageKind::system || oldest->as<Down>() != nullptr ||
        oldest->as<Exit>() != nullptr || oldest->as<Response>() != nullptr ||
        oldest->as<NodeUp>() != nullptr || oldest->as<NodeDown>() != nullptr ||
        oldest->as<IdleTick>() != nullptr) {
      previous = oldest;
      continue;
    }
    MessagePtr dropped = queue_.remove_after(previous);
    uncount(*dropped);
    note_refused();
    runtime_.counters().refused_messages.fetch_add(1, std::memory_order_relaxed);
    if (dropped->kind != MessageKind::call) continue;
    runtime_.fail({dropped->from, dropped->ref(), false, pid()},
                  CallError(CallError::Code::overloaded, CallError::Execution::not_executed, {},
                            "newer messages took its place in the server's mailbox"));
  }
}

/// The caller is gone or does not wait any more: a request still queued is not run. `tell`: it
/// wants to hear whether that was in time. Of a request that is neither queued nor taken there is
/// nothing to say: its answer is on the way.
void Process::cancel(const Pid& caller, Ref ref, bool tell) {
  const auto say = [&](CallError::Execution execution, std::string_view what) {
    if (!tell) return;
    runtime_.fail({caller, ref, false, pid()},
                  CallError(CallError::Code::timeout, execution, ExitReason::term("timeout"),
                            std::string(what)));
  };
  if (forget_caller(caller, ref)) {
    return say(CallError::Execution::unknown, "the server had begun with it");
  }
  Message* previous = nullptr;
  for (Message* message = queue_.front(); message != nullptr;
       previous = message, message = message->next) {
    if (message->kind != MessageKind::call || message->ref() != ref || message->from != caller)
      continue;
    uncount(*queue_.remove_after(previous));
    runtime_.counters().expired_requests.fetch_add(1, std::memory_order_relaxed);
    return say(CallError::Execution::not_executed, "it was taken back from the server's mailbox");
  }
}

bool Process::forget_caller(const Pid& caller, Ref ref) noexcept {
  if (serving_ != nullptr && serving_->caller() != nullptr && serving_->caller()->ref == ref &&
      serving_->caller()->pid == caller) {
    serving_->answered();
    return true;
  }
  if (!relations_) return false;
  std::vector<Caller>& callers = relations_->callers;
  for (std::size_t i = callers.size(); i-- > 0;) {
    if (callers[i].ref != ref || callers[i].pid != caller) continue;
    callers[i] = callers.back();
    callers.pop_back();
    return true;
  }
  return false;
}

void Process::finish() {
  finishing_ = true;
  const ExitReason reason = *exit_;
  // As proc_lib: who is ended by a signal has not crashed; whoever sent it has its reasons.
  if (!reason.is_clean() && !exit_by_signal_) report_crash(reason);
  runtime_.note_exit();

  Behaviour::LastWord last;
  if (behaviour_) last = behaviour_->ended(*this, reason);
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
  if (const Names* mine = names_if_any()) {
    if (!mine->name.empty()) runtime_.unregister_name(mine->name, pid());
    if (mine->registration.id != 0 && runtime_.names() != nullptr) {
      runtime_.names()->release(mine->via.registry, mine->via.key, pid(), mine->registration);
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
  if (last.message) runtime_.complete(last.to, std::move(last.message));
  reset();
}

void Process::fail_callers(const CallError& error) {
  if (serving_ != nullptr && serving_->caller() != nullptr) {
    const Caller caller = *serving_->caller();
    serving_->answered();
    runtime_.fail(caller, error);
  }
  if (!relations_) return;
  for (const Caller& caller : std::exchange(relations_->callers, {})) runtime_.fail(caller, error);
}

void Process::tell_relations(const Pid& self, const ExitReason& reason) {
  // Links first: whoever has seen DOWN and asks the supervisor finds that it knows.
  for_each_link([&](const Pid& linked) {
    runtime_.signal(self, linked, Signal::exit, Ref::none, reason, true);
  });
  const auto relations = std::move(relations_);
  if (!relations) return;
  for (const auto& [watcher, ref] : relations->monitored_by) {
    runtime_.signal(self, watcher, Signal::down, ref, reason);
  }
  for (const auto& [ref, target] : relations->monitors) {
    runtime_.signal(self, target, Signal::demonitor, ref);
  }
  for (const auto& [ref, target] : relations->requests) {
    runtime_.cancel_request(self, target, ref);
  }
}

void Process::reset() {
  exit_.reset();
  ancestors_.reset();
  awaited_ = nullptr;
  serving_ = nullptr;
  wait_ = Wait::none;
  attached_ = nullptr;
  alarmed_.store(false, std::memory_order_relaxed);
  refused_.store(0, std::memory_order_relaxed);
  taken_ = 0;
  exit_by_signal_ = registered_ = woken_ = timed_out_ = started_ = trap_exit_ = thrown_ =
      finishing_ = abandoned_ = outlived_thread_ = strict_ = has_parent_ = linked_to_parent_ =
          false;
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
  crash.name = own_name();
  if (const Names* mine = names_if_any(); mine != nullptr && crash.name.empty()) {
    crash.name = mine->label;
  }
  for_each_link([&crash](const Pid& linked) { crash.links.push_back(linked); });
  if (ancestors_) {
    for (const Pid& ancestor : *ancestors_) {
      crash.ancestors.push_back(to_string(ancestor, runtime_.node()));
    }
  }
  report(runtime_.log(), crash);
}

}  // namespace coterie::detail
