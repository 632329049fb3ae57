#include <algorithm>
#include <memory>

#include "transport/notice.hpp"
#include "transport/resolve.hpp"
#include "transport/zmq_connection.hpp"

namespace coterie {
namespace {

struct Attempt {
  NoticeResult result;
  std::unique_ptr<ZmqConnection> connection;
  std::size_t key = 0;  // of those that the listener may have, the one being tried
  bool done = false;

  void end(bool accepted, std::string text) {
    done = true;
    result.accepted = accepted;
    result.text = std::move(text);
    connection.reset();
  }
};

void begin(Attempt& attempt, zmq::context_t& context, const ClientKeys& keys) {
  const auto address = parse_host_port(attempt.result.address);
  if (!address) return attempt.end(false, address.error());
  const auto number = resolve_host(address->host);
  if (!number) return attempt.end(false, number.error());
  DialKeys with;
  if (const auto found = keys.servers.find(attempt.result.address);
      keys.own && found != keys.servers.end()) {
    if (attempt.key >= found->second.size()) return attempt.end(false, "no connection");
    with = {keys.own, found->second[attempt.key]};
  } else if (attempt.key > 0) {
    return attempt.end(false, "no connection");
  }
  try {
    attempt.connection = std::make_unique<ZmqConnection>(
        context, zmq_endpoint({*number, address->port}), zmq_message_bytes_max, with);
  } catch (const zmq::error_t& error) {
    attempt.end(false, error.what());
  }
}

void go_on(Attempt& attempt, const Bytes& frame, zmq::context_t& context, const ClientKeys& keys) {
  for (auto event = attempt.connection->next_event(); event != ZmqConnectionEvent::none;
       event = attempt.connection->next_event()) {
    if (event != ZmqConnectionEvent::up) {
      ++attempt.key;
      begin(attempt, context, keys);
      if (attempt.done) return;
      continue;
    }
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
  CurveKeys drawn = make_curve_keys();
  return {std::move(drawn.secret_key), std::move(drawn.public_key)};
}

bool token_fits(std::string_view token, std::string_view key) {
  return !key.empty() && curve_public_key(token) == key;
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
                                            Duration timeout, const Clock& clock,
                                            const ClientKeys& keys) {
  const Time until = after(clock.now(), timeout);
  const Bytes frame = encode(notice);
  std::vector<NoticeResult> results;
  zmq::context_t context(1);
  std::vector<Attempt> attempts(addresses.size());
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    attempts[i].result.address = addresses[i];
    begin(attempts[i], context, keys);
  }
  while (true) {
    std::vector<zmq::pollitem_t> items;
    for (Attempt& attempt : attempts) {
      if (!attempt.done) go_on(attempt, frame, context, keys);
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
