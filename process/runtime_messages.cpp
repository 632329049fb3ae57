// How messages, signals and answers find their process, here or on another node, and the timers
// that send them later.

#include <algorithm>
#include <utility>

#include "process/runtime.hpp"
#include "process/switch.hpp"

namespace coterie::detail {

PushResult Runtime::push(const Pid& to, MessagePtr& message, bool& crowded) {
  return push_here(to, message, crowded);
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

void Runtime::end_monitor(const Pid& watcher, const Pid& target, Ref ref) {
  if (target.node != node()) forget_monitor(target.node, ref);
  signal(watcher, target, Signal::demonitor, ref);
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
  const GivesWay while_packing;
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

Ref Runtime::start_timer(Duration delay, ServerRef to, MessagePtr message) {
  Worker* own = own_worker();
  Worker& worker = own != nullptr ? *own : *workers_.front();
  if (timers_.fetch_add(1, std::memory_order_relaxed) >= options_.timers) {
    timers_.fetch_sub(1, std::memory_order_relaxed);
    return Ref::none;
  }
  // The worker's last clock read will do: this moment only answers what is left of a timer.
  const Time now = own != nullptr ? worker.now() : clock().now();
  const Pid* const pid = std::get_if<Pid>(&to);
  auto name = pid == nullptr ? std::make_unique<ServerRef>(std::move(to)) : nullptr;
  TimerEntry* entry = nullptr;
  Ref ref = Ref::none;
  {
    const TimerTable::Guard guard(worker.timer_table(), own != nullptr);
    entry = worker.timer_table().take();
    if (entry != nullptr) {
      entry->at = after(now, delay);
      entry->to_pid = pid != nullptr ? *pid : Pid{};
      entry->to_name = std::move(name);
      entry->message = std::move(message);
      ref = worker.timer_table().ref_of(*entry);
    }
  }
  if (entry == nullptr) {
    timers_.fetch_sub(1, std::memory_order_relaxed);
  } else if (own != nullptr) {
    worker.timers().set(*entry, delay);
  } else {
    worker.adopt(*entry, delay);
  }
  return ref;
}

void Runtime::fire(TimerEntry& entry) {
  MessagePtr message;
  ServerRef to;
  Pid from;
  std::shared_ptr<const MakeMessage> again;
  {
    const TimerTable::Guard guard(entry.worker.timer_table(), true);
    if (!entry.message) return;  // cancelled by another thread, which has it dropped
    if (const Repeat* repeat = entry.message->as<Repeat>(); repeat != nullptr && repeats(entry)) {
      again = repeat->make;
      from = entry.message->from;
      to = entry.to_name != nullptr ? *entry.to_name : entry.to_pid;
    } else {
      message = std::move(entry.message);
      to = entry.to_name != nullptr ? std::move(*entry.to_name) : entry.to_pid;
      entry.worker.timer_table().give(entry);
    }
  }
  if (again) {
    try {
      message = (*again)();
    } catch (...) {
      log().error(LogModule::process, "a message of every() could not be copied: left out",
                  {{"to", to_string(to)}});
      return;
    }
    message->from = from;
  } else {
    timers_.fetch_sub(1, std::memory_order_relaxed);
    if (message->as<Repeat>() != nullptr) return;
  }
  send_late(to, std::move(message));
}

/// Sets the timer of every() again; false: there is nobody to send to any more.
bool Runtime::repeats(TimerEntry& entry) {
  const Pid& pid = entry.to_pid;
  if (pid && pid.node == node() && find(pid) == nullptr) return false;
  const Duration interval = entry.message->as<Repeat>()->interval;
  const Time now = entry.worker.now();
  // What was missed is left out, and the beat is kept.
  const auto missed = std::max<Duration::rep>(0, (now - entry.at) / interval);
  entry.at = after(entry.at, interval * (missed + 1));
  entry.worker.timers().set(entry, entry.at - now);
  return true;
}

void Runtime::forget_timer(TimerEntry& entry) {
  const TimerTable::Guard guard(entry.worker.timer_table(), true);
  entry.worker.timer_table().give(entry);
  timers_.fetch_sub(1, std::memory_order_relaxed);
}

std::optional<Duration> Runtime::cancel_timer(Ref timer) {
  const auto index = static_cast<std::size_t>(TimerTable::worker_of(timer));
  if (index >= workers_.size()) return std::nullopt;
  Worker& worker = *workers_[index];
  const bool own = &worker == running_worker();
  MessagePtr message;  // freed after the lock: its destructor is the user's
  TimerEntry* entry = nullptr;
  Duration left{};
  {
    const TimerTable::Guard guard(worker.timer_table(), own);
    entry = worker.timer_table().find(timer);
    if (entry == nullptr) return std::nullopt;
    // Whoever took the message out owns the entry from here on: fire() leaves it alone.
    message = std::move(entry->message);
    if (own && entry->pending()) {
      left = TimerQueue::left(*entry, worker.now());
      worker.timers().cancel(*entry);
      worker.timer_table().give(*entry);
      timers_.fetch_sub(1, std::memory_order_relaxed);
      return left;
    }
    left = std::max(entry->at - clock().now(), Duration::zero());
  }
  worker.drop(*entry);
  return left;
}

std::optional<Duration> Runtime::read_timer(Ref timer) {
  const auto index = static_cast<std::size_t>(TimerTable::worker_of(timer));
  if (index >= workers_.size()) return std::nullopt;
  Worker& worker = *workers_[index];
  const TimerTable::Guard guard(worker.timer_table(), &worker == running_worker());
  const TimerEntry* entry = worker.timer_table().find(timer);
  if (entry == nullptr) return std::nullopt;
  return std::max(entry->at - clock().now(), Duration::zero());
}

}  // namespace coterie::detail
