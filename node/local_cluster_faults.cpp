// What LocalCluster does around and inside of its nodes, beyond signals.

#include <fstream>

#include "node/config_copy.hpp"
#include "node/local_cluster.hpp"
#include "node/local_program.hpp"

namespace coterie {

namespace fs = std::filesystem;

/// A cluster file for each node, in which the others' addresses are those of its proxies to them.
LocalCluster::Result<void> LocalCluster::make_network(const std::string& text) {
  const std::size_t links = config_.nodes.size() * (config_.nodes.size() - 1);
  auto ports = ReservedPorts::make(3 * links, random_);
  if (!ports) return std::unexpected(ports.error());
  proxy_ports_ = *std::move(ports);
  auto port = proxy_ports_.begin();
  std::vector<LocalNetwork::Route> routes;
  for (const NodeSection& own : config_.nodes) {
    std::vector<ConfigOverride> keys;
    for (const NodeSection& other : config_.nodes) {
      if (other.name == own.name) continue;
      const auto route = [&](const char* key, const std::string& target) {
        if (target.empty()) return;
        routes.push_back({own.name, other.name, on_port(target, *port++), target});
        keys.push_back({"node." + other.name + "." + key,
                        routes.back().listen,
                        {"for a network of its own", 0, 0}});
      };
      route("advertise", other.listen);
      route("client_advertise", other.client_listen);
      route("control_advertise", other.control_listen);
    }
    const auto copy = copy_config(text, file_.string(), keys);
    if (!copy) return std::unexpected(to_string(copy.error()));
    std::ofstream out(file_of(own.name), std::ios::binary | std::ios::trunc);
    if (!(out << *copy << std::flush)) {
      return std::unexpected(file_of(own.name).string() + ": cannot be written");
    }
  }
  auto network = LocalNetwork::start(clock_, random_.next(), routes);
  if (!network) return std::unexpected(network.error());
  network_ = *std::move(network);
  return {};
}

fs::path LocalCluster::file_of(const std::string& node) const {
  return options_.proxied ? file_.parent_path() / ("cluster-of-" + node + ".toml") : file_;
}

LocalCluster::Result<void> LocalCluster::lose_state(const std::string& node) {
  const auto member = find(node);
  if (!member) return std::unexpected(member.error());
  if (started(node)) return std::unexpected("node " + node + " is started");
  end_group(**member);
  std::error_code error;
  fs::remove_all(config_.find(node)->state_dir, error);
  if (error) return std::unexpected("the state directory of " + node + ": " + error.message());
  return {};
}

LocalCluster::Result<void> LocalCluster::slow(const std::string& node, double share) {
  const auto member = find(node);
  if (!member) return std::unexpected(member.error());
  (*member)->slowness.reset();
  if (share >= 1) return {};
  if (!program(node)) return std::unexpected("the program of node " + node + " does not run");
  (*member)->slowness = std::make_unique<LocalSlowness>(
      fs::path(config_.find(node)->state_dir) / "node.pid", (*member)->guardian, share);
  return {};
}

}  // namespace coterie
