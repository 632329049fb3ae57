#pragma once
// A client of a cluster, for the command line and for programs that are no node: calls to a pid, a
// local name or a via name through the client listener of any member. One thread owns the
// connection; when it breaks, what was under way ends with a truthful outcome and the next address
// is tried. Thread-safe: any number of threads and outstanding calls share one Client.

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <coterie/call_error.hpp>
#include <coterie/time.hpp>

#include "process/envelope.hpp"
#include "process/ports/random.hpp"
#include "transport/admission.hpp"

namespace coterie {

struct ClientOptions {
  std::vector<std::string> addresses;  // host:port of client listeners, tried in turn
  std::string cluster_id;
  std::string label = "client";                        // who it is, for the node's log and status
  Duration connect_timeout = std::chrono::seconds(5);  // for all addresses together
  Duration attempt_timeout = std::chrono::seconds(1);  // for one of them
  bool try_once = false;  // connect() waits for no node that may yet start
  Duration beat_interval = std::chrono::seconds(2);
  Duration silent_after = std::chrono::seconds(10);  // with calls under way and no frame: broken
  std::size_t outstanding_max = 10'000;              // calls; more are refused
  std::size_t reply_bytes_max = std::size_t{65} << 20;
  ClientKeys keys = {};
};

class Client final {
 public:
  struct Request {
    Target to;
    std::string type;
    Bytes payload;
    Duration timeout = std::chrono::seconds(5);
    std::string request_id = {};  // a retry repeats it
    bool named = true;            // fields by name in request and reply
    Epoch epoch = {};
    std::string trace = {};
  };
  using Answer = std::expected<Bytes, CallError>;
  using Done = std::move_only_function<void(Answer)>;

  /// Waits for the first node that answers. The error names each address and what was wrong.
  static std::expected<std::unique_ptr<Client>, std::string> connect(ClientOptions options,
                                                                     const Clock& clock,
                                                                     Random& random);
  /// Calls under way end: sent ones unknown, others not executed.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Blocks the calling thread, which must not be the client's own (inside `done`).
  Answer call(Request request);
  /// `done` is called once, on the client's thread; it must not block and may submit more. Without
  /// a connection the request waits for one, up to its timeout and connect_timeout, and is then
  /// certainly not executed.
  void submit(Request request, Done done);

  bool connected() const noexcept;
  /// The node it is connected with, or was last.
  std::string node() const;

 private:
  class Engine;
  explicit Client(std::unique_ptr<Engine> engine);
  std::unique_ptr<Engine> engine_;
};

}  // namespace coterie
