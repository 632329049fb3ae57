#include "sim/real_cluster.hpp"

#include <utility>

#include "node/security.hpp"
#include "sim/fault_kinds.hpp"

namespace coterie::sim {
namespace {

class RealClient final : public NodeClient {
 public:
  explicit RealClient(std::unique_ptr<Client> client) : client_(std::move(client)) {}
  void submit(Client::Request request, Client::Done done) override {
    client_->submit(std::move(request), std::move(done));
  }

 private:
  std::unique_ptr<Client> client_;
};

}  // namespace

RealCluster::Result<void> RealCluster::perform(const Deed& deed) {
  switch (deed.verb) {
    case Deed::Verb::kill:
      return cluster_.kill(deed.node);
    case Deed::Verb::power_off:
      return cluster_.power_off(deed.node);
    case Deed::Verb::stop:
      return cluster_.stop(deed.node);
    case Deed::Verb::start:
      if (deed.fault) {
        if (auto lost = cluster_.lose_state(deed.node); !lost) return lost;
      }
      return cluster_.start(deed.node);
    case Deed::Verb::pause:
      return cluster_.pause(deed.node);
    case Deed::Verb::resume:
      return cluster_.resume(deed.node);
    case Deed::Verb::begin:
      return begin(*deed.fault);
    case Deed::Verb::end:
      return end(*deed.fault);
  }
  return {};
}

RealCluster::Result<void> RealCluster::begin(const PlannedFault& fault) {
  const Action& action = fault.action;
  switch (action.kind) {
    case FaultKind::partition:
      set_partition(action, true);
      return {};
    case FaultKind::heal:
      cluster_.network()->heal();
      for (auto& [node, inside] : inside_) {
        inside.partitions = 0;
        tell_disk(node);
      }
      return {};
    case FaultKind::slow_disk:
    case FaultKind::full_disk:
    case FaultKind::failing_fsync:
      set_disk(action, true);
      return {};
    case FaultKind::crash_name:
      return cluster_.crash(action.name, action.reason.empty() ? "crash_name" : action.reason);
    case FaultKind::poison:
      if (cluster_.faults()->poison(action.name)) return {};
      return std::unexpected("more than " + std::to_string(FaultPage::poisons_max) +
                             " poisons in a run, or a name that is too long");
    case FaultKind::slow_node: {
      const double factor = *action.factor;
      return cluster_.slow(action.node->text, factor > 1 ? 1 / factor : factor);
    }
    default:
      set_link(action, true);
      return {};
  }
}

RealCluster::Result<void> RealCluster::end(const PlannedFault& fault) {
  const Action& action = fault.action;
  switch (action.kind) {
    case FaultKind::partition:
      set_partition(action, false);
      return {};
    case FaultKind::slow_disk:
    case FaultKind::full_disk:
    case FaultKind::failing_fsync:
      set_disk(action, false);
      return {};
    case FaultKind::slow_node:
      return cluster_.slow(action.node->text, 1);
    default:
      set_link(action, false);
      return {};
  }
}

void RealCluster::set_link(const Action& action, bool on) {
  LocalNetwork& network = *cluster_.network();
  if (action.kind == FaultKind::one_way) {
    if (on) {
      network.cut_one_way(action.from->text, action.to->text);
    } else {
      network.join_one_way(action.from->text, action.to->text);
    }
    return;
  }
  const std::string& a = action.link[0].text;
  const std::string& b = action.link[1].text;
  for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)}) {
    if (action.kind == FaultKind::reset) {
      const auto times = static_cast<std::size_t>(action.times.value_or(1));
      network.reset(
          from, to, times,
          action.over.value_or(times > 1 ? Duration(std::chrono::seconds(1)) : Duration{}));
    } else if (action.kind == FaultKind::delay) {
      network.delay(from, to, on ? action.latency.value_or(Duration{}) : Duration{},
                    on ? action.jitter.value_or(Duration{}) : Duration{});
    } else if (action.kind == FaultKind::throttle) {
      network.throttle(from, to,
                       on ? std::optional<std::uint64_t>(*action.bytes_per_second) : std::nullopt);
    } else if (action.kind == FaultKind::blackhole_large) {
      network.blackhole(from, to, on ? std::optional<std::uint64_t>(*action.bytes) : std::nullopt);
    }
  }
}

void RealCluster::set_partition(const Action& action, bool on) {
  LocalNetwork& network = *cluster_.network();
  for (const auto& group : action.groups) {
    for (const auto& other : action.groups) {
      if (&other == &group) continue;
      for (const Placed& a : group) {
        for (const Placed& b : other) {
          if (on) {
            network.cut(a.text, b.text);
          } else {
            network.join(a.text, b.text);
          }
        }
      }
    }
  }
  for (const std::string& node : apart_from_storage(action, nodes_)) {
    unsigned& partitions = inside_[node].partitions;
    if (on) {
      ++partitions;
    } else if (partitions > 0) {
      --partitions;
    }
    tell_disk(node);
  }
}

void RealCluster::set_disk(const Action& action, bool on) {
  DiskFaults& disk = inside_[action.node->text].disk;
  if (action.kind == FaultKind::full_disk) disk.full = on;
  if (action.kind == FaultKind::failing_fsync) disk.failing_sync = on;
  if (action.kind == FaultKind::slow_disk || action.latency) {
    disk.latency = on ? action.latency.value_or(Duration{}) : Duration{};
  }
  tell_disk(action.node->text);
}

void RealCluster::tell_disk(const std::string& node) {
  const Inside& inside = inside_[node];
  DiskFaults disk = inside.disk;
  disk.away = inside.partitions > 0;
  cluster_.faults()->set_disk(node, disk);
}

std::optional<std::int64_t> RealCluster::program(const std::string& node) {
  if (const auto pid = cluster_.program(node)) return *pid;
  return std::nullopt;
}

RealCluster::Result<std::unique_ptr<NodeClient>> RealCluster::connect(const std::string& node,
                                                                      Duration timeout) {
  ClientOptions options;
  options.addresses = {config().find(node)->client_advertise};
  options.cluster_id = config().cluster.id;
  options.label = "failover test";
  auto keys = client_keys(config());
  if (!keys) return std::unexpected(keys.error());
  options.keys = std::move(*keys);
  options.connect_timeout = timeout;
  auto client = Client::connect(std::move(options), clock_, random_);
  if (!client) return std::unexpected(client.error());
  return std::make_unique<RealClient>(*std::move(client));
}

StorageResult<StorageSet> RealCluster::open_storage() {
  StorageOptions options;
  options.description = config().cluster.journal;
  options.node = config().nodes.front().name;
  options.cluster_id = config().cluster.id;
  return coterie::open_storage(options);
}

}  // namespace coterie::sim
