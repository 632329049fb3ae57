#include "node/workload_caller.hpp"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>

#include "node/security.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;

/// Where a request that found no connection waits for one: short, another try costs less.
constexpr Duration connect_wait = 300ms;
constexpr Duration first_connect_wait = 5s;
// Of call_until: for one try, and before the next.
constexpr Duration attempt_max = 2s;
constexpr Duration pause = 50ms;

}  // namespace

Client::Request request_of(WorkloadCall call, std::string request_id, Duration timeout) {
  Client::Request request;
  if (const auto* via = std::get_if<ViaName>(&call.target)) {
    request.to = *via;
  } else {
    request.to = std::get<LocalName>(call.target);
  }
  request.type = std::move(call.type);
  request.payload = std::move(call.payload);
  request.timeout = timeout;
  request.request_id = std::move(request_id);
  request.named = false;
  return request;
}

std::expected<std::unique_ptr<ClusterCaller>, std::string> ClusterCaller::connect(
    const ClusterConfig& config, std::span<const std::string> nodes, const Clock& clock,
    Random& random) {
  std::vector<std::string> addresses;
  for (const NodeSection& node : config.nodes) {
    if (node.client_advertise.empty()) continue;
    if (nodes.empty() || std::ranges::find(nodes, node.name) != nodes.end()) {
      addresses.push_back(node.client_advertise);
    }
  }
  if (addresses.empty()) {
    return std::unexpected(config.file + ": no node takes clients; set client_listen of one");
  }
  const auto keys = client_keys(config);
  if (!keys) return std::unexpected(keys.error());
  const Time end = after(clock.now(), first_connect_wait);
  std::vector<std::unique_ptr<Client>> clients;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    ClientOptions options;
    options.addresses = addresses;
    options.cluster_id = config.cluster.id;
    options.label = "workload";
    options.keys = *keys;
    options.connect_timeout = std::max<Duration>(end - clock.now(), connect_wait);
    options.attempt_timeout = connect_wait;
    options.beat_interval = 500ms;
    options.silent_after = 2s;
    auto client = Client::connect(std::move(options), clock, random);
    if (!client) return std::unexpected(client.error());
    clients.push_back(*std::move(client));
    // The next connection tries the next node first.
    std::ranges::rotate(addresses, addresses.begin() + 1);
  }
  return std::unique_ptr<ClusterCaller>(new ClusterCaller(std::move(clients)));
}

ClusterCaller::ClusterCaller(std::vector<std::unique_ptr<Client>> clients)
    : clients_(std::move(clients)) {}
ClusterCaller::~ClusterCaller() = default;

bool ClusterCaller::connected(std::size_t connection) const {
  return clients_[connection]->connected();
}

void ClusterCaller::submit(std::size_t connection, WorkloadCall call, std::string request_id,
                           Duration timeout, Done done) {
  clients_[connection]->submit(request_of(std::move(call), std::move(request_id), timeout),
                               std::move(done));
}

WorkloadCaller::Answer call_until(WorkloadCaller& caller, Executor& executor, const Clock& clock,
                                  const WorkloadCall& call, const std::string& request_id,
                                  Duration timeout) {
  struct Slot {
    std::mutex mutex;
    std::optional<WorkloadCaller::Answer> answer;
  };
  const Time end = after(clock.now(), timeout);
  for (std::size_t i = 0;; ++i) {
    const auto slot = std::make_shared<Slot>();
    const Duration left = std::clamp<Duration>(end - clock.now(), 1ms, attempt_max);
    caller.submit(i % caller.connections(), call, request_id, left,
                  [slot, &executor](WorkloadCaller::Answer answer) {
                    const std::lock_guard lock(slot->mutex);
                    slot->answer = std::move(answer);
                    executor.notify(slot.get());
                  });
    executor.wait(
        slot.get(),
        [&slot] {
          const std::lock_guard lock(slot->mutex);
          return slot->answer.has_value();
        },
        Time::max());
    WorkloadCaller::Answer answer = std::move(*slot->answer);  // nobody writes it any more
    const bool again = !answer && answer.error().code() != CallError::Code::refused &&
                       (!answer.error().maybe_executed() || !request_id.empty());
    if (!again || clock.now() >= end) return answer;
    executor.wait(
        slot.get(), [] { return false; }, after(clock.now(), pause));
  }
}

}  // namespace coterie
