#pragma once
// The thread inside Client: one connection, the calls under way, their deadlines. All members not
// under the mutex belong to that thread.

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>

#include "transport/client.hpp"
#include "transport/wire.hpp"
#include "transport/zmq_connection.hpp"

namespace coterie {

class Client::Engine {
 public:
  Engine(ClientOptions options, const Clock& clock, Random& random);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Nothing, or why no node has answered in time.
  std::string wait_connected();
  void submit(Request request, Done done);
  bool connected() const noexcept { return ready_.load(); }
  std::string node() const;

 private:
  struct Pending {
    Request request;
    Done done;
    Time deadline{}, send_before{};
    bool sent = false;
  };
  enum class State : std::uint8_t { idle, dialling, greeting, ready };

  void run();
  void take_submitted(Time now);
  void dial(Time now);
  void read(Time now);
  void on_frame(Time now, BytesView bytes);
  std::string why_down(ZmqConnectionEvent event) const;
  void on_answer(BytesView bytes);
  void broken(Time now, const std::string& why);
  void send_waiting(Time now);
  bool send_call(std::uint64_t ref, Pending& pending, Time now);
  void expire(Time now);
  void finish(std::uint64_t ref, Answer answer);
  void end_all();
  Time next_deadline() const;
  std::string troubles() const;

  struct Door {
    std::string address, server_key;
  };

  const ClientOptions options_;
  const std::vector<Door> doors_;  // an address once for each key that it may have
  const Clock& clock_;
  Random& random_;
  zmq::context_t context_{1};
  ZmqWake wake_;

  State state_ = State::idle;
  std::unique_ptr<ZmqConnection> connection_;
  std::size_t next_door_ = 0;
  std::size_t door_ = 0;  // of the present attempt
  std::string address_;   // of it
  Time since_{};          // of the state
  Time dial_at_{};
  Time beat_at_{};
  Time heard_at_{};
  Duration backoff_{};
  NodeId node_id_ = NodeId::none;
  std::uint64_t last_ref_ = 0;
  std::map<std::uint64_t, Pending> pending_;            // by ref
  std::set<std::pair<Time, std::uint64_t>> deadlines_;  // of what is in pending_
  std::map<std::uint64_t, Time> waiting_;               // not sent yet, in order

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<Request, Done>> submitted_;
  std::map<std::size_t, std::string> trouble_;  // by door
  std::string node_;
  std::atomic<std::size_t> outstanding_{0};
  std::atomic<bool> ready_{false};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace coterie
