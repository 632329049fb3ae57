#include "transport/zmq_zap.hpp"

#include <array>

#include "process/thread_start.hpp"

namespace coterie {
namespace {

constexpr const char* zap_endpoint = "inproc://zeromq.zap.01";
// ZMQ_ZAP_ENFORCE_DOMAIN; the header names it only for drafts, the library has it always.
constexpr int zap_enforce_domain = 93;
constexpr Duration proof_time = std::chrono::seconds(10);

std::string_view name_of(ZapDomain domain) {
  return domain == ZapDomain::members ? "members" : "clients";
}

/// Frames of a ZAP request, in their order.
enum Field : std::size_t { version, request_id, domain, address, identity, mechanism, credentials };
constexpr std::size_t fields_max = 16;

std::string z85(std::string_view raw) {
  std::array<char, 41> text{};
  if (raw.size() != 32) return {};
  zmq_z85_encode(text.data(), reinterpret_cast<const std::uint8_t*>(raw.data()), raw.size());
  return text.data();
}

}  // namespace

ZmqZap::ZmqZap(zmq::context_t& context, std::shared_ptr<Admission> admission, const Clock& clock,
               Log* log)
    : context_(context), admission_(std::move(admission)), clock_(clock), log_(log) {
  if (!admission_) return;
  zmq::socket_t replies(context, zmq::socket_type::rep);
  replies.set(zmq::sockopt::linger, 0);
  replies.bind(zap_endpoint);
  thread_ = detail::start_thread(
      "coterie-zap", [this, kept = std::move(replies)]() mutable { run(std::move(kept)); });
}

ZmqZap::~ZmqZap() {
  stop_.store(true);
  wake_.ring();
  if (thread_.joinable()) thread_.join();
}

void ZmqZap::secure(zmq::socket_t& listener, ZapDomain domain) {
  // Without keys too, where no handler answers and all are let in: with a domain libzmq takes
  // whatever does not begin as ZMTP 3 for no peer, and else for one of 2011. A ROUTER never frees
  // what those leave behind who call themselves alike, as garbage does.
  listener.set(zmq::sockopt::zap_domain, name_of(domain));
  if (!admission_) return;
  listener.set(zmq::sockopt::curve_server, true);
  listener.set(zmq::sockopt::curve_secretkey, admission_->own().secret_key);
  const int on = 1;
  int enforced = 0;
  std::size_t size = sizeof enforced;
  if (zmq_setsockopt(listener.handle(), zap_enforce_domain, &on, sizeof on) != 0 ||
      zmq_getsockopt(listener.handle(), zap_enforce_domain, &enforced, &size) != 0 ||
      enforced != 1) {
    throw zmq::error_t();
  }
}

void ZmqZap::watch(zmq::socket_t& listener) {
  if (!admission_) return;
  // A connection that closes before it said anything is no stranger yet: our own probes do that.
  auto monitor =
      std::make_unique<ZmqMonitor>(context_, listener, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL);
  {
    std::lock_guard lock(mutex_);
    fresh_.push_back(std::move(monitor));
  }
  wake_.ring();
}

void ZmqZap::tell(std::string text) {
  const auto line = admission_->refused(clock_.now(), std::move(text));
  if (line && log_) log_->warning(LogModule::transport, *line);
}

void ZmqZap::answer(zmq::socket_t& replies) {
  std::vector<std::string> request;
  bool more = true;
  while (more) {
    zmq::message_t part;
    if (!replies.recv(part, zmq::recv_flags::dontwait)) return;
    more = part.more();
    if (request.size() < fields_max) request.push_back(part.to_string());
  }
  std::string_view status = "400", text = "refused";
  std::string user;
  if (request.size() > credentials && request[version] == "1.0" && request[mechanism] == "CURVE") {
    const std::string key = z85(request[credentials]);
    const auto holder = admission_->holder(key);
    if (!holder) {
      tell("a connection from " + request[address] + " for " + request[domain] +
           " is refused: its key " + key + " is nobody's in the cluster file");
    } else if (request[domain] == name_of(ZapDomain::members) && holder->role != KeyRole::member) {
      tell("a connection from " + request[address] +
           " for members is refused: its key is that of " + std::string(to_string(holder->role)) +
           " " + holder->name);
    } else {
      status = "200", text = "OK";
      user = key;  // the User-Id of every message of this connection
    }
  } else if (request.size() > address) {
    tell("a connection from " + request[address] + " is refused: it shows no key");
  }
  const std::string id = request.size() > request_id ? request[request_id] : std::string();
  for (const std::string_view part :
       {std::string_view("1.0"), std::string_view(id), status, text, std::string_view(user)}) {
    (void)replies.send(zmq::const_buffer(part.data(), part.size()),
                       zmq::send_flags::dontwait | zmq::send_flags::sndmore);
  }
  (void)replies.send(zmq::const_buffer("", 0), zmq::send_flags::dontwait);  // no metadata
}

void ZmqZap::run(zmq::socket_t replies) {
  std::vector<std::unique_ptr<ZmqMonitor>> monitors;
  while (!stop_.load()) {
    wake_.quiet();
    {
      std::lock_guard lock(mutex_);
      for (auto& monitor : fresh_) monitors.push_back(std::move(monitor));
      fresh_.clear();
    }
    while ((replies.get(zmq::sockopt::events) & ZMQ_POLLIN) != 0) answer(replies);
    std::vector<zmq::pollitem_t> items{{replies.handle(), 0, ZMQ_POLLIN, 0},
                                       {nullptr, wake_.fd(), ZMQ_POLLIN, 0}};
    for (auto& monitor : monitors) {
      while (monitor->next() != ZmqConnectionEvent::none) {
        tell("a connection is refused: it does not speak CURVE, or not to this node's key");
      }
      items.push_back({monitor->handle(), 0, ZMQ_POLLIN, 0});
    }
    (void)zmq_poll(items.data(), static_cast<int>(items.size()), -1);
  }
}

std::string prove_strangers_refused(const HostPort& address, const std::string& server_key,
                                    const Clock& clock) {
  zmq::context_t context(1);
  HostPort target = address;
  if (target.host == "*" || target.host == "0.0.0.0") target.host = "127.0.0.1";
  if (target.host == "::") target.host = "::1";
  struct Try {
    std::string_view who;
    DialKeys keys;
    std::unique_ptr<ZmqConnection> connection{};
  };
  std::array<Try, 2> tries{
      {{"with an unknown key", {make_curve_keys(), server_key}}, {"without a key", {}}}};
  for (Try& attempt : tries) {
    attempt.connection = std::make_unique<ZmqConnection>(context, zmq_endpoint(target),
                                                         zmq_message_bytes_max, attempt.keys);
  }
  const Time until = after(clock.now(), proof_time);
  while (true) {
    std::vector<zmq::pollitem_t> items;
    for (Try& attempt : tries) {
      if (!attempt.connection) continue;
      const ZmqConnectionEvent event = attempt.connection->next_event();
      if (event == ZmqConnectionEvent::up) {
        return "a stranger " + std::string(attempt.who) + " is let in at " + to_string(target) +
               ": this libzmq does not protect the node";
      }
      if (event != ZmqConnectionEvent::none) {
        attempt.connection.reset();
      } else {
        items.push_back({attempt.connection->monitor_handle(), 0, ZMQ_POLLIN, 0});
      }
    }
    if (items.empty()) return {};
    const Duration left = until - clock.now();
    if (left <= Duration::zero()) {
      return "no answer to a stranger at " + to_string(target) +
             ", so that nothing is proven: is something between the node and its own address?";
    }
    (void)zmq_poll(items.data(), static_cast<int>(items.size()),
                   std::chrono::ceil<std::chrono::milliseconds>(left).count());
  }
}

}  // namespace coterie
