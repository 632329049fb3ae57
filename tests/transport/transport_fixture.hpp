#pragma once
// Real ZmqDistributions in one process on loopback, with a recorder above each that checks what
// every user of the port relies on: up before deliver before down, no gap and no repeat per sender.

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "process/log_capture.hpp"
#include "process/system_clock.hpp"
#include "process/system_random.hpp"
#include "transport/zmq_distribution.hpp"

namespace coterie::testing {

using namespace std::chrono_literals;

/// Waits up to `most` for `condition`.
template <class Condition>
bool eventually(Condition condition, Duration most = 10s) {
  const SystemClock clock;
  const Time until = after(clock.now(), most);
  while (!condition()) {
    if (clock.now() >= until) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

class Recorder final : public DistributionEvents {
 public:
  void node_up(const Peer& peer) override {
    std::lock_guard lock(mutex_);
    if (up_.contains(id(peer))) complain("up twice: " + peer.name);
    up_[id(peer)] = 0;
    ups_.push_back(peer);
  }
  void deliver(NodeId from, Envelope&& envelope) override {
    std::lock_guard lock(mutex_);
    const auto session = up_.find(static_cast<std::uint64_t>(from));
    if (session == up_.end()) return complain("a delivery without a session");
    if (envelope.signal == Signal::send) {
      // A session's messages are numbered from wherever its sender began.
      const auto number = static_cast<std::uint64_t>(envelope.ref);
      if (session->second != 0 && number != session->second + 1) {
        complain("got " + std::to_string(number) + " after " + std::to_string(session->second));
      }
      session->second = number;
    }
    bytes_ += envelope.payload.size();
    ++delivered_;
    if (keep_) kept_.push_back(std::move(envelope));
  }
  void node_down(const Peer& peer, std::string_view why, bool confirmed) override {
    std::lock_guard lock(mutex_);
    if (up_.erase(id(peer)) != 1) complain("down without up: " + peer.name);
    downs_.push_back({peer, std::string(why), confirmed});
  }
  void writable(NodeId) override { ++writable_; }

  struct Down {
    Peer peer;
    std::string why;
    bool confirmed;
  };
  std::vector<Down> downs() const {
    std::lock_guard lock(mutex_);
    return downs_;
  }
  std::size_t ups() const {
    std::lock_guard lock(mutex_);
    return ups_.size();
  }
  std::vector<Envelope> kept() const {
    std::lock_guard lock(mutex_);
    return kept_;
  }
  std::string complaint() const {
    std::lock_guard lock(mutex_);
    return complaint_;
  }
  std::uint64_t delivered() const { return delivered_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t writables() const { return writable_; }
  void keep(bool on) { keep_ = on; }

 private:
  static std::uint64_t id(const Peer& peer) {
    return static_cast<std::uint64_t>(peer.incarnation.id);
  }
  void complain(std::string text) {
    if (complaint_.empty()) complaint_ = std::move(text);
  }
  mutable std::mutex mutex_;
  std::map<std::uint64_t, std::uint64_t> up_;
  std::vector<Peer> ups_;
  std::vector<Down> downs_;
  std::vector<Envelope> kept_;
  std::string complaint_;
  std::atomic<std::uint64_t> delivered_{0}, bytes_{0}, writable_{0};
  std::atomic<bool> keep_{false};
};

/// One node: what the composition root would make.
struct TestNode {
  TestNode(const std::string& name, std::uint64_t counter, TransportOptions options = {}) {
    options.node = name;
    options.incarnation = {counter, static_cast<NodeId>(random.next() | 1)};
    if (options.cluster_id.empty()) options.cluster_id = "test";
    if (options.listen.empty()) options.listen = "127.0.0.1:0";
    id = options.incarnation.id;
    auto started = ZmqDistribution::start(std::move(options), clock, random, log, events);
    if (started) {
      net = std::move(*started);
    } else {
      error = started.error().message;
    }
  }
  /// Numbered messages; false: the session ended.
  bool send_numbered(NodeId to, std::uint64_t count, std::size_t bytes) {
    for (; count > 0; --count) {
      Envelope e;
      e.signal = Signal::send;
      e.from = {id, 1};
      e.to = Pid{to, 2};
      e.ref = static_cast<Ref>(++last_number);
      e.type = "n";
      e.payload.assign(bytes, 'x');
      SendResult result = SendResult::busy;
      while ((result = net->send(to, std::move(e))) == SendResult::busy) {
        ++busy;
        std::this_thread::sleep_for(50us);
      }
      if (result == SendResult::no_node) return false;
    }
    return true;
  }

  SystemClock clock;
  SystemRandom random;
  CapturedLog captured;
  Log log{captured, clock, "test", LogLevel::debug};
  Recorder events;
  std::string error;
  NodeId id = NodeId::none;
  std::uint64_t last_number = 0, busy = 0;
  std::unique_ptr<ZmqDistribution> net;
};

inline void join(const std::vector<TestNode*>& nodes, const std::vector<std::string>& names) {
  std::vector<MemberAddress> members;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    members.push_back({names[i], nodes[i]->net->address(), ""});
  }
  for (TestNode* node : nodes) node->net->set_members(members);
}

}  // namespace coterie::testing
