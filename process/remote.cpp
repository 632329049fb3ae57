// Processes of other nodes: what waits for them, what watches them, and what happens to both when
// their node goes. Each entry is removed by the first of answer, DOWN, or loss of the session, and
// whoever removes it delivers: exactly one outcome. No lock is held while the distribution is
// called.

#include <algorithm>
#include <utility>

#include "process/runtime.hpp"

namespace coterie::detail {

SendResult Runtime::send_remote(NodeId to, Envelope& envelope) {
  if (distribution() == nullptr) return SendResult::no_node;
  {
    std::lock_guard guard(remote_lock_);
    auto found = remote_.find(to);
    if (found != remote_.end() && !found->second.overflow.empty()) return SendResult::busy;
  }
  return distribution()->send(to, std::move(envelope));
}

void Runtime::signal_remote(NodeId to, Envelope envelope) {
  if (distribution() == nullptr) return;
  const Pid* receiver = std::get_if<Pid>(&envelope.to);
  if (envelope.signal == Signal::down || envelope.signal == Signal::demonitor ||
      (envelope.signal == Signal::exit && envelope.link)) {
    // What tied the two is over with this signal; the tables keep only what still holds.
    std::lock_guard guard(remote_lock_);
    auto found = remote_.find(to);
    if (found != remote_.end()) {
      RemoteNode& remote = found->second;
      if (envelope.signal == Signal::down) remote.watchers.erase(envelope.ref);
      if (envelope.signal == Signal::demonitor) remote.monitors.erase(envelope.ref);
      if (envelope.signal == Signal::exit && receiver != nullptr) {
        remote.links.erase({envelope.from, *receiver});
      }
    }
  }
  const SendResult result = send_remote(to, envelope);
  if (result != SendResult::busy) return;
  {
    std::lock_guard guard(remote_lock_);
    auto found = remote_.find(to);
    if (found == remote_.end() || !found->second.up) return;
    found->second.overflow.push_back(std::move(envelope));
  }
  flush(to);  // the window may have opened in between
}

void Runtime::flush(NodeId to) {
  bool moved = false;
  for (;;) {
    Envelope envelope;
    std::uint64_t session = 0;
    {
      std::lock_guard guard(remote_lock_);
      auto found = remote_.find(to);
      if (found == remote_.end()) return;
      RemoteNode& remote = found->second;
      if (std::exchange(remote.flushing, true)) {
        remote.flush_again = true;
        return;
      }
      if (remote.overflow.empty()) {
        remote.flushing = false;
        break;
      }
      session = remote.session;
      envelope = std::move(remote.overflow.front());
    }
    const SendResult result = distribution()->send(to, std::move(envelope));
    std::lock_guard guard(remote_lock_);
    auto found = remote_.find(to);
    if (found == remote_.end()) return;
    RemoteNode& remote = found->second;
    if (remote.session != session) return;  // the table of a newer session
    remote.flushing = false;
    const bool again = std::exchange(remote.flush_again, false);
    if (result == SendResult::busy) {
      remote.overflow.front() = std::move(envelope);
      if (!again) return;
    } else {
      remote.overflow.pop_front();
      moved = true;
    }
  }
  // Who found the overflow in the way may not have been refused by the window itself.
  if (moved) wake_writers(to);
}

void Runtime::wait_writable(NodeId to, const Ticket& ticket) {
  {
    std::lock_guard guard(remote_lock_);
    auto found = remote_.find(to);
    if (found != remote_.end() && found->second.up) {
      found->second.waiting.push_back(ticket);
      return;
    }
  }
  complete(ticket, make_message(MessageKind::reply, true));
}

void Runtime::wait_for_overflow(Process& self, NodeId to) {
  if (to == node() || distribution() == nullptr || self.cannot_park()) return;
  for (;;) {
    const Ticket ticket{self.pid(), make_ref()};
    {
      std::lock_guard guard(remote_lock_);
      auto found = remote_.find(to);
      if (found == remote_.end() || found->second.overflow.size() < options_.overflow_signals) {
        return;
      }
      found->second.waiting.push_back(ticket);
    }
    bool refused = false;
    self.wait_answer(ticket.ref, infinity, refused);
    if (refused || self.ending()) return;
  }
}

void Runtime::writable(NodeId to) {
  flush(to);
  wake_writers(to);
}

void Runtime::wake_writers(NodeId to) {
  std::vector<Ticket> waiting;
  {
    std::lock_guard guard(remote_lock_);
    auto found = remote_.find(to);
    if (found != remote_.end()) waiting.swap(found->second.waiting);
  }
  for (const Ticket& ticket : waiting) complete(ticket, make_message(MessageKind::reply, true));
}

// ---- what waits for another node

bool Runtime::note_call(NodeId to, Ref ref, const Pid& caller) {
  std::lock_guard guard(remote_lock_);
  auto found = remote_.find(to);
  if (found == remote_.end() || !found->second.up) return false;
  found->second.calls.emplace(ref, caller);
  return true;
}

void Runtime::forget_call(NodeId to, Ref ref) {
  std::lock_guard guard(remote_lock_);
  auto found = remote_.find(to);
  if (found != remote_.end()) found->second.calls.erase(ref);
}

bool Runtime::note_monitor(NodeId to, Ref ref, const Pid& watcher, const Pid& target) {
  std::lock_guard guard(remote_lock_);
  auto found = remote_.find(to);
  if (found == remote_.end() || !found->second.up) return false;
  found->second.monitors.emplace(ref, std::pair(watcher, target));
  return true;
}

void Runtime::forget_monitor(NodeId to, Ref ref) {
  std::lock_guard guard(remote_lock_);
  auto found = remote_.find(to);
  if (found != remote_.end()) found->second.monitors.erase(ref);
}

bool Runtime::note_link(NodeId to, const Pid& here, const Pid& there) {
  std::lock_guard guard(remote_lock_);
  auto found = remote_.find(to);
  if (found == remote_.end() || !found->second.up) return false;
  found->second.links.emplace(here, there);
  return true;
}

void Runtime::forget_link(NodeId to, const Pid& here, const Pid& there) {
  std::lock_guard guard(remote_lock_);
  auto found = remote_.find(to);
  if (found != remote_.end()) found->second.links.erase({here, there});
}

Runtime::RemoteTables Runtime::remote_tables() {
  RemoteTables sum;
  std::lock_guard guard(remote_lock_);
  for (const auto& [id, remote] : remote_) {
    sum.calls += remote.calls.size();
    sum.monitors += remote.monitors.size();
    sum.watchers += remote.watchers.size();
    sum.links += remote.links.size();
    sum.overflow += remote.overflow.size();
    sum.waiting += remote.waiting.size();
  }
  return sum;
}

void Runtime::subscribe_nodes(const Pid& subscriber) {
  std::lock_guard guard(remote_lock_);
  if (std::ranges::find(node_subscribers_, subscriber) == node_subscribers_.end()) {
    node_subscribers_.push_back(subscriber);
  }
}

void Runtime::announce(const std::function<MessagePtr()>& make) {
  std::vector<Pid> subscribers;
  {
    std::lock_guard guard(remote_lock_);
    std::erase_if(node_subscribers_, [this](const Pid& pid) { return find(pid) == nullptr; });
    subscribers = node_subscribers_;
  }
  for (const Pid& pid : subscribers) {
    auto message = make();
    push(pid, message);
  }
}

// ---- what the distribution tells

void Runtime::node_up(const Peer& peer) {
  {
    std::lock_guard guard(remote_lock_);
    RemoteNode& remote = remote_[peer.incarnation.id];
    remote.name = peer.name;
    remote.session = ++sessions_;
    remote.up = true;
  }
  announce([&] { return make_message(MessageKind::send, NodeUp{peer.name, peer.incarnation}); });
}

void Runtime::node_down(const Peer& peer, std::string_view why, bool confirmed) {
  RemoteNode lost;
  {
    std::lock_guard guard(remote_lock_);
    auto found = remote_.find(peer.incarnation.id);
    if (found == remote_.end()) return;
    lost = std::move(found->second);
    remote_.erase(found);
  }
  log().info(LogModule::process, "a node is gone",
             {{"peer", peer.name}, {"why", why}, {"confirmed", confirmed}});
  const ExitReason reason = ExitReason::noconnection(confirmed);
  for (const auto& [here, there] : lost.links) {
    signal(there, here, Signal::exit, Ref::none, reason, true);
  }
  for (const auto& [ref, monitor] : lost.monitors) {
    signal(monitor.second, monitor.first, Signal::down, ref, reason);
  }
  for (const auto& [ref, watch] : lost.watchers) {
    signal(watch.watcher, watch.watched, Signal::demonitor, ref);
  }
  for (const auto& [ref, caller] : lost.calls) {
    complete({caller, ref},
             make_message(MessageKind::failed, CallError(CallError::Code::noconnection,
                                                         CallError::Execution::unknown, reason)));
  }
  for (const Ticket& ticket : lost.waiting)
    complete(ticket, make_message(MessageKind::reply, true));
  announce([&] {
    return make_message(MessageKind::send, NodeDown{peer.name, peer.incarnation, confirmed});
  });
}

void Runtime::deliver(NodeId from, Envelope&& envelope) {
  // A node that answers for a process which it does not have names none.
  if (!envelope.from) envelope.from = {from, 0};
  if (envelope.from.node != from) {
    counters_.dead_letters.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  switch (envelope.signal) {
    case Signal::send:
    case Signal::cast:
    case Signal::call:
      deliver_request(envelope);
      return;
    case Signal::reply:
    case Signal::call_failed:
      deliver_answer(from, envelope);
      return;
    default:
      deliver_signal(from, envelope);
      return;
  }
}

void Runtime::deliver_request(Envelope& envelope) {
  const Caller caller{envelope.from, envelope.ref, envelope.named, Pid{node(), 0}};
  std::optional<Pid> target;
  if (const Pid* pid = std::get_if<Pid>(&envelope.to)) {
    target = *pid;
  } else if (const auto* name = std::get_if<LocalName>(&envelope.to)) {
    target = whereis(name->name);
  }
  auto message = make_message(MessageKind::send,
                              Packed{std::move(envelope.type), std::move(envelope.payload)});
  const bool system = message->as<Packed>()->type.starts_with("coterie.sys.");
  message->kind = envelope.signal == Signal::call ? system ? MessageKind::system : MessageKind::call
                  : envelope.signal == Signal::cast ? MessageKind::cast
                                                    : MessageKind::send;
  message->add_bytes(message->as<Packed>()->bytes.size());
  message->from = envelope.from;
  message->set_ref(envelope.ref);
  message->named = envelope.named;
  if (!envelope.request_id.empty() || !envelope.trace.empty() || envelope.epoch ||
      envelope.budget != infinity) {
    Extra& extra = message->make_extra();
    extra.request_id = std::move(envelope.request_id);
    extra.trace = std::move(envelope.trace);
    extra.epoch = envelope.epoch;
    if (envelope.budget != infinity) extra.expires = after(clock().now(), envelope.budget);
  }
  const PushResult result = target ? push(*target, message) : PushResult::no_process;
  if (result == PushResult::pushed) return;
  const bool full = result == PushResult::full;
  if (full) refused(envelope.from, *target);
  if (!full) counters_.dead_letters.fetch_add(1, std::memory_order_relaxed);
  if (envelope.signal != Signal::call && !full) refuse_location(envelope);
  if (envelope.signal != Signal::call) return;
  fail(caller, full ? CallError(CallError::Code::overloaded, CallError::Execution::not_executed)
                    : CallError(CallError::Code::noproc, CallError::Execution::not_executed,
                                ExitReason::noproc()));
}

void Runtime::deliver_answer(NodeId from, Envelope& envelope) {
  if (envelope.ref == Ref::none) return location_refused(envelope.epoch);
  Pid caller;
  {
    std::lock_guard guard(remote_lock_);
    auto found = remote_.find(from);
    if (found == remote_.end()) return;
    auto call = found->second.calls.find(envelope.ref);
    if (call == found->second.calls.end()) {
      counters_.late_replies.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    caller = call->second;
    found->second.calls.erase(call);
  }
  if (envelope.signal == Signal::reply) {
    complete({caller, envelope.ref},
             make_message(MessageKind::reply,
                          Packed{std::move(envelope.type), std::move(envelope.payload)}));
    return;
  }
  complete({caller, envelope.ref},
           make_message(MessageKind::failed,
                        CallError(envelope.code, envelope.execution, std::move(envelope.reason),
                                  std::move(envelope.detail))));
}

void Runtime::deliver_signal(NodeId from, Envelope& envelope) {
  Pid target;
  if (const Pid* pid = std::get_if<Pid>(&envelope.to)) target = *pid;
  if (const auto* name = std::get_if<LocalName>(&envelope.to)) {
    target = whereis(name->name).value_or(Pid{node(), 0});
  }
  if (target.node != node()) return;
  {
    std::lock_guard guard(remote_lock_);
    auto found = remote_.find(from);
    if (found == remote_.end()) return;
    RemoteNode& remote = found->second;
    switch (envelope.signal) {
      case Signal::monitor:
        remote.watchers.emplace(envelope.ref, Watch{envelope.from, target});
        break;
      case Signal::demonitor: {
        auto watch = remote.watchers.find(envelope.ref);
        if (watch == remote.watchers.end()) return;
        target = watch->second.watched;
        remote.watchers.erase(watch);
        break;
      }
      case Signal::down: {
        auto monitor = remote.monitors.find(envelope.ref);
        if (monitor == remote.monitors.end()) return;
        target = monitor->second.first;
        remote.monitors.erase(monitor);
        break;
      }
      case Signal::link:
        remote.links.emplace(target, envelope.from);
        break;
      case Signal::unlink:
        remote.links.erase({target, envelope.from});
        break;
      case Signal::exit:
        if (envelope.link) remote.links.erase({target, envelope.from});
        break;
      case Signal::cancel:
        break;
      default:
        return;
    }
  }
  signal(envelope.from, target, envelope.signal, envelope.ref, std::move(envelope.reason),
         envelope.link);
}

}  // namespace coterie::detail
