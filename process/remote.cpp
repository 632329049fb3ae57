// Processes of other nodes: what is sent to them, what waits for them and what watches them. Each
// entry is removed by the first of answer, DOWN, or loss of the session, and whoever removes it
// delivers: exactly one outcome. No lock is held while the distribution is called.

#include <algorithm>
#include <utility>

#include "process/runtime.hpp"

namespace coterie::detail {

SendResult Runtime::send_remote(NodeId to, Envelope& envelope) {
  if (distribution() == nullptr) return SendResult::no_node;
  // Nothing passes the signals that wait. A sender sees its own: it was there when they were put
  // in.
  if (overflowing_.load() > 0) {
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
    const std::uint64_t session = found->second.link_session;
    if (envelope.session != 0 && envelope.session != session) return;
    if (found->second.overflow.empty()) overflowing_.fetch_add(1);
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
      if (remote.overflow.empty()) overflowing_.fetch_sub(1);
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
  if (found == remote_.end()) return;
  found->second.calls.erase(ref);
  found->second.names.erase(ref);
}

void Runtime::note_name(NodeId to, Ref ref, std::string name) {
  std::lock_guard guard(remote_lock_);
  auto found = remote_.find(to);
  if (found != remote_.end()) found->second.names.emplace(ref, std::move(name));
}

bool Runtime::cancel_request(const Pid& from, const Pid& to, Ref ref, bool tell) {
  if (to.node == node()) {
    signal(from, to, Signal::cancel, ref, {}, tell);
    return true;
  }
  Envelope envelope;
  envelope.signal = Signal::cancel;
  envelope.from = from;
  envelope.to = to;
  envelope.ref = ref;
  envelope.link = tell;
  {
    std::lock_guard guard(remote_lock_);
    auto found = remote_.find(to.node);
    // Answered, or lost with its session.
    if (found == remote_.end() || !found->second.calls.contains(ref)) return false;
    RemoteNode& remote = found->second;
    if (const auto named = remote.names.find(ref); named != remote.names.end()) {
      envelope.to = LocalName{named->second};
    }
    if (!tell) {
      remote.calls.erase(ref);
      remote.names.erase(ref);
    }
  }
  signal_remote(to.node, std::move(envelope));
  return true;
}

Runtime::SessionNumber Runtime::note_monitor(NodeId to, Ref ref, const Pid& watcher,
                                             const Pid& target) {
  std::lock_guard guard(remote_lock_);
  auto found = remote_.find(to);
  if (found == remote_.end() || !found->second.up) return std::nullopt;
  found->second.monitors.emplace(ref, std::pair(watcher, target));
  return found->second.link_session;
}

void Runtime::forget_monitor(NodeId to, Ref ref) {
  std::lock_guard guard(remote_lock_);
  auto found = remote_.find(to);
  if (found != remote_.end()) found->second.monitors.erase(ref);
}

Runtime::SessionNumber Runtime::note_link(NodeId to, const Pid& here, const Pid& there) {
  std::lock_guard guard(remote_lock_);
  auto found = remote_.find(to);
  if (found == remote_.end() || !found->second.up) return std::nullopt;
  found->second.links.emplace(here, there);
  return found->second.link_session;
}

Runtime::SessionNumber Runtime::note_unlink(NodeId to, const Pid& here, const Pid& there,
                                            Ref unlink) {
  std::lock_guard guard(remote_lock_);
  auto found = remote_.find(to);
  if (found == remote_.end()) return std::nullopt;
  found->second.links.erase({here, there});
  found->second.unlinks[{here, there}] = unlink;
  return found->second.link_session;
}

Runtime::RemoteTables Runtime::remote_tables() {
  RemoteTables sum;
  std::lock_guard guard(remote_lock_);
  for (const auto& [id, remote] : remote_) {
    sum.calls += remote.calls.size();
    sum.monitors += remote.monitors.size();
    sum.watchers += remote.watchers.size();
    sum.links += remote.links.size();
    sum.unlinks += remote.unlinks.size();
    sum.overflow += remote.overflow.size();
    sum.waiting += remote.waiting.size();
  }
  return sum;
}

void Runtime::subscribe_nodes(const Pid& subscriber, bool on) {
  std::lock_guard guard(remote_lock_);
  // The dead leave no trace, however seldom nodes come and go.
  std::erase_if(node_subscribers_,
                [&](const Pid& pid) { return pid == subscriber || find(pid) == nullptr; });
  if (on) node_subscribers_.push_back(subscriber);
}

void Runtime::announce(const std::function<MessagePtr()>& make) {
  std::vector<Pid> subscribers;
  {
    std::lock_guard guard(remote_lock_);
    std::erase_if(node_subscribers_, [this](const Pid& pid) { return find(pid) == nullptr; });
    subscribers = node_subscribers_;
  }
  for (const Pid& pid : subscribers) {
    // As DOWN and EXIT, which they must stay in order with, they are put into the queue by the
    // process itself.
    auto message =
        make_message(MessageKind::signal, RunInside{[news = make()](Process* subscriber) mutable {
                       if (subscriber != nullptr) subscriber->enqueue_own(std::move(news));
                     }});
    push(pid, message);
  }
}

}  // namespace coterie::detail
