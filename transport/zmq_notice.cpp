#include <algorithm>
#include <array>
#include <memory>

#include "transport/notice.hpp"
#include "transport/resolve.hpp"
#include "transport/zmq_connection.hpp"

namespace coterie {
namespace {

constexpr std::size_t key_size = 41;  // 40 characters of Z85 and the zero behind them

struct Attempt {
  NoticeResult result;
  std::unique_ptr<ZmqConnection> connection;
  bool done = false;

  void end(bool accepted, std::string text) {
    done = true;
    result.accepted = accepted;
    result.text = std::move(text);
    connection.reset();
  }
};

void begin(Attempt& attempt, zmq::context_t& context) {
  const auto address = parse_host_port(attempt.result.address);
  if (!address) return attempt.end(false, address.error());
  const auto number = resolve_host(address->host);
  if (!number) return attempt.end(false, number.error());
  try {
    attempt.connection =
        std::make_unique<ZmqConnection>(context, zmq_endpoint({*number, address->port}));
  } catch (const zmq::error_t& error) {
    attempt.end(false, error.what());
  }
}

void go_on(Attempt& attempt, const Bytes& frame) {
  for (auto event = attempt.connection->next_event(); event != ZmqConnectionEvent::none;
       event = attempt.connection->next_event()) {
    if (event != ZmqConnectionEvent::up) return attempt.end(false, "no connection");
    if (!attempt.connection->send(frame)) return attempt.end(false, "the connection broke");
  }
  const auto answer = attempt.connection->receive();
  if (!answer) return;
  const auto decoded = wire::decode(*answer);
  if (const auto* taken = decoded ? std::get_if<NoticeTaken>(&*decoded) : nullptr) {
    attempt.end(taken->accepted, taken->text);
  } else {
    attempt.end(false, "the answer is not understood");
  }
}

}  // namespace

GuardianSecret make_guardian_secret() {
  std::array<char, key_size> key{}, token{};
  if (zmq_curve_keypair(key.data(), token.data()) != 0) throw zmq::error_t();
  return {token.data(), key.data()};
}

bool token_fits(std::string_view token, std::string_view key) {
  if (token.size() != key_size - 1 || key.size() != key_size - 1) return false;
  std::array<char, key_size> derived{};
  return zmq_curve_public(derived.data(), std::string(token).c_str()) == 0 && key == derived.data();
}

NoticeTaken judge_notice(const DeathNotice& notice, std::string_view cluster_id,
                         std::string_view guardian_key) {
  if (notice.cluster_id != cluster_id) {
    return {false,
            "this is cluster '" + std::string(cluster_id) + "', not '" + notice.cluster_id + "'"};
  }
  if (guardian_key.empty()) {
    return {false, "incarnation " + to_string(notice.incarnation) + " of " + notice.name +
                       " is not known here, or has no guardian"};
  }
  if (!token_fits(notice.token, guardian_key)) {
    return {false, "that is not the guardian of " + notice.name};
  }
  return {true, {}};
}

std::vector<NoticeResult> send_death_notice(const DeathNotice& notice,
                                            const std::vector<std::string>& addresses,
                                            Duration timeout, const Clock& clock) {
  const Time until = after(clock.now(), timeout);
  const Bytes frame = encode(notice);
  std::vector<NoticeResult> results;
  zmq::context_t context(1);
  std::vector<Attempt> attempts(addresses.size());
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    attempts[i].result.address = addresses[i];
    begin(attempts[i], context);
  }
  while (true) {
    std::vector<zmq::pollitem_t> items;
    for (Attempt& attempt : attempts) {
      if (!attempt.done) go_on(attempt, frame);
      if (attempt.done) continue;
      items.push_back({attempt.connection->monitor_handle(), 0, ZMQ_POLLIN, 0});
      items.push_back({attempt.connection->handle(), 0, ZMQ_POLLIN, 0});
    }
    const Duration left = until - clock.now();
    if (items.empty() || left <= Duration::zero()) break;
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(left);
    (void)zmq_poll(items.data(), static_cast<int>(items.size()), wait.count());
  }
  for (Attempt& attempt : attempts) {
    if (!attempt.done) attempt.end(false, "no answer in time");
    results.push_back(std::move(attempt.result));
  }
  return results;
}

}  // namespace coterie
