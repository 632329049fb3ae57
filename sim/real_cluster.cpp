#include "sim/real_cluster.hpp"

#include <utility>

#include "node/security.hpp"

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
      return cluster_.start(deed.node);
    case Deed::Verb::pause:
      return cluster_.pause(deed.node);
    case Deed::Verb::resume:
      return cluster_.resume(deed.node);
    case Deed::Verb::begin:
    case Deed::Verb::end:
      break;  // check_built refused them
  }
  return std::unexpected("real nodes cannot do that");
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
