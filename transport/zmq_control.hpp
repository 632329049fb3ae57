#pragma once
// The control lane: beats and acks on sockets, a context, an I/O thread and a thread of their own,
// so that no amount of data delays them. It decides nothing: it dials whom it is told to, sends the
// newest beat of each peer at every interval, and hands on what it receives. Beats stop when the
// data lane's thread stands still, so they also prove that this node works. Notes of the agreement
// are handed on here, so that they wait for no data.

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <coterie/time.hpp>

#include "process/ports/random.hpp"
#include "transport/resolve.hpp"
#include "transport/wire.hpp"
#include "transport/zmq_connection.hpp"
#include "transport/zmq_lookout.hpp"
#include "transport/zmq_zap.hpp"

namespace coterie {

class ZmqControlLane {
 public:
  struct Options {
    HostPort listen;  // the host a number or *
    Duration beat_interval{};
    Duration still_after{};  // no beats when the data thread has not turned for so long
    std::shared_ptr<Admission> admission{};
    /// Whose notes are for this node: cluster, configuration and history of its own hello.
    wire::Hello self{};
    /// A note and who sent it; on this lane's thread.
    std::function<void(const std::string& node, BytesView note)> note{};
  };
  /// A frame and the hello of its connection.
  struct Received {
    wire::Hello bound;
    Bytes frame;
    std::string user;  // the key of the connection
  };

  /// Binds at once; throws zmq::error_t. `arrived` is called on this lane's thread after frames
  /// were put into the inbox; not `urgent`: only beats that say what the last ones said, which may
  /// be taken some time later.
  ZmqControlLane(Options options, const Clock& clock, Random& random, Log& log,
                 std::function<void(bool urgent)> arrived);
  ~ZmqControlLane();
  ZmqControlLane(const ZmqControlLane&) = delete;
  ZmqControlLane& operator=(const ZmqControlLane&) = delete;

  std::uint16_t port() const noexcept { return port_; }
  /// After the listener's self-test, once: ZmqZap::watch.
  void watch() { zap_.watch(router_); }

  // From the data lane's thread. None of these blocks.
  /// Dial `address` for that peer and say `hello` (its connection number is filled in here); a
  /// connection with another address or incarnation is given up first.
  void dial(const std::string& peer, HostPort address, wire::Hello hello, std::string server_key);
  void hang_up(const std::string& peer);
  /// Sent at every interval until there is a newer one; `now`: at once, too.
  void beat(const std::string& peer, Bytes beat, bool now);
  void send(const std::string& peer, Bytes frame);  // any thread
  bool connected(const std::string& peer) const;
  std::vector<Received> take_received();
  /// The data thread has turned.
  void alive(Time now) noexcept { alive_at_.store(now, std::memory_order_relaxed); }

 private:
  struct PeerLane {
    HostPort address;
    wire::Hello hello;
    std::string server_key;
    Bytes beat;
    std::unique_ptr<ZmqConnection> connection;
    bool up = false;
    Time dialled_at{};
    Time redial_at{};
    Duration backoff{};
    std::uint64_t connections = 0;
  };
  struct Command {
    enum class Kind : std::uint8_t { dial, hang_up, beat, beat_now, send } kind;
    std::string peer;
    HostPort address;
    wire::Hello hello;
    Bytes bytes;
    std::string server_key{};
  };
  struct Bound {
    wire::Hello hello;
    std::string user;
    Bytes last_beat{};
  };

  void post(Command command);
  void run();
  void carry_out(Command& command, Time now);
  bool receive();
  bool is_news(Bound& from, BytesView frame) const;
  bool take_note(const Bound& from, BytesView frame) const;
  void look_after_all(unsigned news, Time now);
  void look_after(const std::string& name, PeerLane& peer, Time now);
  void close(PeerLane& peer) noexcept;
  void set_up(const std::string& name, PeerLane& peer, bool up);
  void drop_connection(const std::string& name, PeerLane& peer, Time now);

  const Options options_;
  const Clock& clock_;
  Random& random_;
  const std::function<void(bool urgent)> arrived_;
  zmq::context_t context_{1};
  ZmqZap zap_;  // outlives the listener
  zmq::socket_t router_;
  std::uint16_t port_ = 0;
  ZmqLookout lookout_;

  // Of this lane's thread.
  std::map<std::string, PeerLane> peers_;
  std::unordered_map<std::string, Bound> bound_;  // by routing id
  Time beat_at_{};
  Time look_at_{};  // at all connections, whatever there is of news

  mutable std::mutex mutex_;
  std::vector<Command> commands_;
  std::vector<Received> received_;
  std::map<std::string, bool> up_;
  // Relaxed: a moment by itself; nothing is published with it.
  std::atomic<Time> alive_at_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

/// The port of a socket bound to tcp://host:*.
std::uint16_t bound_port(zmq::socket_t& socket);

}  // namespace coterie
