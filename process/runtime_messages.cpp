// How messages, signals and answers find their process, here or on another node, and the timers
// that send them later.

#include <algorithm>
#include <utility>

#include "process/runtime.hpp"

namespace coterie::detail {

PushResult Runtime::push(const Pid& to, MessagePtr& message, bool& crowded) {
  Process* process = find(to);
  if (process == nullptr) return PushResult::no_process;
  message->generation = static_cast<std::uint32_t>(to.serial >> 32);
  return process->push(message, crowded);
}

PushResult Runtime::push(const Pid& to, MessagePtr& message) {
  bool crowded = false;
  return push(to, message, crowded);
}

void Runtime::signal(const Pid& from, const Pid& to, Signal signal, Ref ref, ExitReason reason,
                     bool link) {
  if (to.node != node()) {
    Envelope envelope;
    envelope.signal = signal;
    envelope.from = from;
    envelope.to = to;
    envelope.ref = ref;
    envelope.reason = std::move(reason);
    envelope.link = link;
    signal_remote(to.node, std::move(envelope));
    return;
  }
  auto message = make_message(MessageKind::signal, SignalBody{signal, link, std::move(reason)});
  message->from = from;
  message->set_ref(ref);
  if (push(to, message) == PushResult::pushed) return;
  // There is no such process any more: links and monitors say so at once.
  if (signal == Signal::link) {
    this->signal(to, from, Signal::exit, Ref::none, ExitReason::noproc(), true);
  } else if (signal == Signal::monitor) {
    this->signal(to, from, Signal::down, ref, ExitReason::noproc());
  }
}

void Runtime::answer(const Caller& caller, MessagePtr answer) {
  if (caller.pid.node == node()) {
    complete({caller.pid, caller.ref}, std::move(answer));
    return;
  }
  Envelope envelope;
  envelope.signal = Signal::reply;
  envelope.from = caller.server;
  envelope.to = caller.pid;
  envelope.ref = caller.ref;
  if (answer->type->pack == nullptr) {
    fail(caller, CallError(CallError::Code::undecodable, CallError::Execution::executed, {},
                           "the reply's type cannot be packed, so it cannot leave its node"));
    return;
  }
  envelope.type = answer->type->name;
  envelope.payload =
      answer->type->pack(answer->payload(), caller.named ? Form::named : Form::positional);
  signal_remote(caller.pid.node, std::move(envelope));
}

void Runtime::fail(const Caller& caller, CallError error) {
  if (caller.pid.node == node()) {
    complete({caller.pid, caller.ref}, make_message(MessageKind::failed, std::move(error)));
    return;
  }
  Envelope envelope;
  envelope.signal = Signal::call_failed;
  envelope.from = caller.server;
  envelope.to = caller.pid;
  envelope.ref = caller.ref;
  envelope.code = error.code();
  envelope.execution = error.execution();
  envelope.reason = error.reason();
  envelope.detail = error.detail();
  signal_remote(caller.pid.node, std::move(envelope));
}

/// A cast or send to a name where it was: its sender waits for no answer and would go on for ever.
void Runtime::refuse_location(const Envelope& late) {
  if (!late.epoch) return;
  Envelope envelope;
  envelope.signal = Signal::call_failed;
  envelope.to = late.from;
  envelope.epoch = late.epoch;
  envelope.code = CallError::Code::stale;
  envelope.execution = CallError::Execution::not_executed;
  signal_remote(late.from.node, std::move(envelope));
}

void Runtime::location_refused(const Epoch& epoch) {
  if (names_ != nullptr && epoch) names_->forget_epoch(epoch);
}

void Runtime::complete(const Ticket& ticket, MessagePtr answer) {
  answer->set_ref(ticket.ref);
  if (push(ticket.pid, answer) != PushResult::pushed) {
    counters_.late_replies.fetch_add(1, std::memory_order_relaxed);
  }
}

// ---- timers that outlive a callback

TimerEntry::TimerEntry(Runtime& owner, Ref name, ServerRef target, MessagePtr content)
    : Timer([](Timer& timer) {
        auto& entry = static_cast<TimerEntry&>(timer);
        entry.runtime.fire(entry);
      }),
      runtime(owner),
      ref(name),
      to(std::move(target)),
      message(std::move(content)) {}

Ref Runtime::start_timer(Duration delay, ServerRef to, MessagePtr message) {
  Ref ref = make_ref();
  auto entry = std::make_unique<TimerEntry>(*this, ref, std::move(to), std::move(message));
  entry->at = after(clock().now(), delay);
  TimerEntry* timer = entry.get();
  Worker* here = running_worker();
  if (here != nullptr && &here->runtime() != this) here = nullptr;
  timer->worker = here != nullptr ? here : workers_.front().get();
  {
    std::lock_guard guard(timers_.lock);
    if (timers_.entries.size() >= options_.timers) return Ref::none;
    timers_.entries.emplace(ref, std::move(entry));
  }
  if (here != nullptr) {
    here->timers().set(*timer, delay);
  } else {
    timer->worker->adopt(*timer, delay);
  }
  return ref;
}

void Runtime::fire(TimerEntry& entry) {
  std::unique_ptr<TimerEntry> owned;
  MessagePtr message;
  {
    std::lock_guard guard(timers_.lock);
    message = std::move(entry.message);
    if (!message) return;  // cancelled by another thread, which has it dropped
    auto found = timers_.entries.find(entry.ref);
    owned = std::move(found->second);
    timers_.entries.erase(found);
  }
  if (message) send_late(entry.to, std::move(message));
}

void Runtime::forget_timer(TimerEntry& entry) {
  std::unique_ptr<TimerEntry> owned;
  std::lock_guard guard(timers_.lock);
  auto found = timers_.entries.find(entry.ref);
  owned = std::move(found->second);
  timers_.entries.erase(found);
}

std::size_t Runtime::timer_count() {
  std::lock_guard guard(timers_.lock);
  return timers_.entries.size();
}

std::optional<Duration> Runtime::cancel_timer(Ref timer) {
  MessagePtr message;  // freed after the lock: its destructor is the user's
  TimerEntry* entry = nullptr;
  {
    std::lock_guard guard(timers_.lock);
    auto found = timers_.entries.find(timer);
    if (found == timers_.entries.end() || !found->second->message) return std::nullopt;
    entry = found->second.get();
    message = std::move(entry->message);
  }
  // Whoever took the message out owns the entry from here on: fire() leaves it alone.
  const Duration left = std::max(entry->at - clock().now(), Duration::zero());
  if (entry->worker == running_worker() && entry->pending()) {
    entry->worker->timers().cancel(*entry);
    forget_timer(*entry);
  } else {
    entry->worker->drop(*entry);
  }
  return left;
}

}  // namespace coterie::detail
