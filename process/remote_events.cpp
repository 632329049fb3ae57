// What the distribution tells: nodes that come and go, and what arrives from their processes.

#include <optional>
#include <utility>

#include "process/runtime.hpp"
#include "process/sys_messages.hpp"

namespace coterie::detail {

void Runtime::node_up(const Peer& peer) {
  {
    std::lock_guard guard(remote_lock_);
    RemoteNode& remote = remote_[peer.incarnation.id];
    remote.name = peer.name;
    remote.session = ++sessions_;
    remote.link_session = peer.session;
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
  if (!lost.overflow.empty()) overflowing_.fetch_sub(1);
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
    return make_message(MessageKind::send,
                        NodeDown{peer.name, peer.incarnation, confirmed, std::string(why)});
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
  const bool system = is_system_request(message->as<Packed>()->type);
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
    if (envelope.budget != infinity) {
      const Time arrived = envelope.arrived == Time{} ? clock().now() : envelope.arrived;
      extra.expires = after(arrived, envelope.budget);
    }
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
    if (!found->second.names.empty()) found->second.names.erase(envelope.ref);
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
        // Said before it heard of the unlink: it will hear of it, and then both have none.
        if (remote.unlinks.contains({target, envelope.from})) return;
        remote.links.emplace(target, envelope.from);
        break;
      case Signal::unlink:
        remote.links.erase({target, envelope.from});
        break;
      case Signal::unlink_ack: {
        const auto unlink = remote.unlinks.find({target, envelope.from});
        if (unlink != remote.unlinks.end() && unlink->second == envelope.ref) {
          remote.unlinks.erase(unlink);
        }
        return;
      }
      case Signal::exit:
        if (!envelope.link) break;
        if (remote.unlinks.contains({target, envelope.from})) return;
        remote.links.erase({target, envelope.from});
        break;
      case Signal::cancel:
        break;
      default:
        return;
    }
  }
  // Before the process can hear of it and say anything newer.
  if (envelope.signal == Signal::unlink) {
    signal(target, envelope.from, Signal::unlink_ack, envelope.ref);
  }
  signal(envelope.from, target, envelope.signal, envelope.ref, std::move(envelope.reason),
         envelope.link);
}

}  // namespace coterie::detail
