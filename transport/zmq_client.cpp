#include <condition_variable>
#include <mutex>
#include <optional>

#include "transport/client.hpp"
#include "transport/zmq_client_engine.hpp"

namespace coterie {

Client::Client(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
Client::~Client() = default;

std::expected<std::unique_ptr<Client>, std::string> Client::connect(ClientOptions options,
                                                                    const Clock& clock,
                                                                    Random& random) {
  if (options.addresses.empty()) {
    return std::unexpected(
        "no address of a client listener is given: set client_listen of at "
        "least one node in the cluster file");
  }
  auto engine = std::make_unique<Engine>(std::move(options), clock, random);
  if (std::string why = engine->wait_connected(); !why.empty()) {
    return std::unexpected(std::move(why));
  }
  return std::unique_ptr<Client>(new Client(std::move(engine)));
}

void Client::submit(Request request, Done done) {
  engine_->submit(std::move(request), std::move(done));
}

Client::Answer Client::call(Request request) {
  std::mutex mutex;
  std::condition_variable done;
  std::optional<Answer> answer;
  submit(std::move(request), [&](Answer got) {
    std::lock_guard lock(mutex);
    answer = std::move(got);
    done.notify_one();  // under the lock: the waiter may not leave before
  });
  std::unique_lock lock(mutex);
  done.wait(lock, [&] { return answer.has_value(); });
  return std::move(*answer);
}

bool Client::connected() const noexcept { return engine_->connected(); }
std::string Client::node() const { return engine_->node(); }

}  // namespace coterie
