#include "node/status_question.hpp"

#include <atomic>
#include <mutex>

#include <coterie/pack.hpp>

#include "process/system_clock.hpp"
#include "process/system_random.hpp"
#include "process/thread_executor.hpp"
#include "transport/client.hpp"

namespace coterie {

struct StatusQuestion::Surroundings {
  SystemClock clock;
  SystemRandom random;
  ThreadExecutor executor{clock, {.blocking_threads_max = 256}};
  std::atomic<std::size_t> under_way{0};
};

/// The answers that have come; late ones find nobody who reads them.
struct StatusQuestion::Round {
  std::mutex mutex;
  std::vector<NodeAnswer> answers;
  std::vector<Time> came;  // each answer
  std::size_t missing = 0;
};

namespace {

std::expected<NodeStatus, std::string> status_of(const std::string& cluster,
                                                 const std::string& address, Duration within,
                                                 const ClientKeys& keys, const Clock& clock,
                                                 Random& random) {
  const Time end = after(clock.now(), within);
  ClientOptions options;
  options.addresses = {address};
  options.cluster_id = cluster;
  options.label = "coterie status";
  options.keys = keys;
  options.connect_timeout = within;
  options.try_once = true;
  auto client = Client::connect(std::move(options), clock, random);
  if (!client) {
    // "no node of the cluster answers; ADDRESS: why"
    const std::size_t why = client.error().find("; ");
    return std::unexpected(why == std::string::npos ? address + ": " + client.error()
                                                    : client.error().substr(why + 2));
  }
  Client::Request request;
  request.to = LocalName{"coterie.node"};
  request.type = StatusRequest::type_name;
  request.payload = pack(StatusRequest{});
  request.timeout = std::max(end - clock.now(), Duration::zero());
  const auto answer = (*client)->call(std::move(request));
  if (!answer) return std::unexpected(address + ": " + to_string(answer.error()));
  auto status = unpack<NodeStatus>(*answer);
  if (!status) {
    return std::unexpected(address + ": its status is not understood, " +
                           to_string(status.error()));
  }
  return std::move(*status);
}

}  // namespace

StatusQuestion::StatusQuestion(const ClusterConfig& config, Duration within, ClientKeys keys)
    : config_(config),
      within_(within),
      keys_(std::move(keys)),
      surroundings_(std::make_unique<Surroundings>()) {}

StatusQuestion::~StatusQuestion() {
  // The system's resolver cannot be interrupted and may take half a minute more. The program ends;
  // nobody waits for that.
  if (surroundings_->under_way.load() != 0) (void)surroundings_.release();
}

std::vector<NodeAnswer> StatusQuestion::ask() {
  Surroundings& around = *surroundings_;
  const auto round = std::make_shared<Round>();
  for (const NodeSection& node : config_.nodes) {
    round->answers.push_back({node.name, node.client_advertise, {}, {}});
    if (node.client_advertise.empty()) {
      round->answers.back().error = "it takes no clients; give it a client_listen";
    } else {
      round->answers.back().error =
          node.client_advertise + ": no answer within " +
          std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(within_).count()) +
          " ms";
      ++round->missing;
    }
  }
  round->came.resize(round->answers.size());
  for (std::size_t i = 0; i < round->answers.size(); ++i) {
    if (config_.nodes[i].client_advertise.empty()) continue;
    ++around.under_way;
    around.executor.run_blocking([round, i, &around, cluster = config_.cluster.id,
                                  address = config_.nodes[i].client_advertise, within = within_,
                                  keys = keys_] {
      auto status = status_of(cluster, address, within, keys, around.clock, around.random);
      {
        std::lock_guard lock(round->mutex);
        NodeAnswer& answer = round->answers[i];
        answer.error = status ? std::string() : status.error();
        round->came[i] = around.clock.now();
        if (status) answer.status = std::move(*status);
        --round->missing;
      }
      around.executor.notify(round.get());
      --around.under_way;
    });
  }
  const auto all_here = [&] {
    std::lock_guard lock(round->mutex);
    return round->missing == 0;
  };
  around.executor.wait(round.get(), all_here,
                       around.clock.now() + within_ + std::chrono::milliseconds(200));
  std::lock_guard lock(round->mutex);
  // Another node may have kept us waiting: all are told as of now.
  for (std::size_t i = 0; i < round->answers.size(); ++i) {
    auto& status = round->answers[i].status;
    if (!status) continue;
    status->uptime_ms +=
        std::chrono::duration_cast<std::chrono::milliseconds>(around.clock.now() - round->came[i])
            .count();
  }
  return round->answers;
}

void StatusQuestion::pause(Duration duration) {
  surroundings_->executor.wait(
      this, [] { return false; }, surroundings_->clock.now() + duration);
}

WallTime StatusQuestion::wall() const noexcept { return surroundings_->clock.wall(); }

}  // namespace coterie
