#include "node/local_cluster.hpp"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <deque>
#include <fstream>
#include <limits>
#include <sstream>

#include <coterie/pack.hpp>

#include "node/config_copy.hpp"
#include "node/local_program.hpp"
#include "node/reserved_ports.hpp"
#include "node/security.hpp"
#include "transport/client.hpp"

namespace coterie {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr Duration poll_interval = 50ms;

bool sleep_for(Duration duration) {
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
  ::poll(nullptr, 0, static_cast<int>(std::min<std::int64_t>(wait, 60'000)));
  return true;
}

std::expected<std::string, std::string> read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file || !text) return std::unexpected(path + ": cannot be read");
  return text.str();
}

ConfigOverride own(std::string key, ConfigValue value) {
  return {std::move(key), std::move(value), {"for a cluster of its own", 0, 0}};
}

std::size_t own_ports(const ClusterConfig& config, const LocalClusterOptions& options) {
  const std::size_t lanes = options.proxied ? 3 : 2;
  return options.own_ports ? lanes * config.nodes.size() : 0;
}

std::vector<ConfigOverride> own_keys(const ClusterConfig& config,
                                     const LocalClusterOptions& options,
                                     const ReservedPorts& ports) {
  std::vector<ConfigOverride> keys;
  if (options.own_paths) {
    if (config.cluster.journal.starts_with("sqlite:")) {
      keys.push_back(
          own("cluster.journal", "sqlite:" + fs::absolute(options.directory / "journal").string()));
    }
    for (const NodeSection& node : config.nodes) {
      keys.push_back(own("node." + node.name + ".state_dir",
                         fs::absolute(options.directory / node.name).string()));
    }
  }
  if (options.own_ports) {
    auto port = ports.begin();
    for (const NodeSection& node : config.nodes) {
      const std::string members = on_port(node.listen, *port++);
      const std::string clients = on_port(node.client_listen, *port++);
      keys.push_back(own("node." + node.name + ".listen", members));
      keys.push_back(own("node." + node.name + ".advertise", members));
      keys.push_back(own("node." + node.name + ".client_listen", clients));
      keys.push_back(own("node." + node.name + ".client_advertise", clients));
      // A proxy has to know it.
      if (options.proxied) {
        keys.push_back(own("node." + node.name + ".control_listen", on_port(node.listen, *port++)));
      }
    }
  }
  keys.insert(keys.end(), options.overrides.begin(), options.overrides.end());
  return keys;
}

}  // namespace

LocalCluster::Result<std::unique_ptr<LocalCluster>> LocalCluster::make(
    const Clock& clock, Random& random, LocalClusterOptions options) {
  const auto text = read_text(options.config_file);
  if (!text) return std::unexpected(text.error());
  const auto original = parse_config(*text, options.config_file);
  if (!original) return std::unexpected(to_string(original.error()));
  auto ports = ReservedPorts::make(own_ports(*original, options), random);
  if (!ports) return std::unexpected(ports.error());
  const auto keys = own_keys(*original, options, *ports);
  const auto copy = copy_config(*text, options.config_file, keys);
  if (!copy) return std::unexpected(to_string(copy.error()));
  const fs::path file = fs::absolute(options.directory / "cluster.toml");
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  if (!(out << *copy << std::flush)) {
    return std::unexpected(file.string() + ": cannot be written");
  }
  auto config = parse_config(*copy, file.string());
  if (!config) return std::unexpected(to_string(config.error()));
  if (!options.wait) options.wait = sleep_for;
  local_program::adopt_orphans();
  const bool proxied = options.proxied;
  const bool faulty = options.faulty;
  std::unique_ptr<LocalCluster> cluster(
      new LocalCluster(clock, random, std::move(options), *std::move(config), file));
  cluster->ports_ = *std::move(ports);
  if (proxied) {
    if (auto made = cluster->make_network(*copy); !made) return std::unexpected(made.error());
  }
  if (faulty) {
    auto page = FaultPage::create((file.parent_path() / "faults").string(), cluster->nodes());
    if (!page) return std::unexpected(page.error());
    cluster->faults_ = *std::move(page);
  }
  return cluster;
}

LocalCluster::LocalCluster(const Clock& clock, Random& random, LocalClusterOptions options,
                           ClusterConfig config, fs::path file)
    : clock_(clock),
      random_(random),
      options_(std::move(options)),
      config_(std::move(config)),
      file_(std::move(file)) {
  for (const NodeSection& node : config_.nodes) members_[node.name];
}

LocalCluster::~LocalCluster() {
  for (auto& [name, member] : members_) end_group(member);
}

std::vector<std::string> LocalCluster::nodes() const {
  std::vector<std::string> names;
  for (const NodeSection& node : config_.nodes) names.push_back(node.name);
  return names;
}

LocalCluster::Result<LocalCluster::Member*> LocalCluster::find(const std::string& node) {
  const auto found = members_.find(node);
  if (found == members_.end()) return std::unexpected("no node \"" + node + "\" in this cluster");
  look(found->second);
  return &found->second;
}

/// Notes when a guardian has ended. It is reaped with its group, so that the group stays its own.
void LocalCluster::look(Member& member) {
  if (member.guardian != 0 && !member.exit_code) {
    member.exit_code = local_program::ended(member.guardian);
  }
}

void LocalCluster::end_group(Member& member) {
  if (member.guardian == 0) return;
  member.slowness.reset();
  local_program::end_group(member.guardian);
  member.guardian = 0;
}

LocalCluster::Result<void> LocalCluster::start(const std::string& node) {
  const auto member = find(node);
  if (!member) return std::unexpected(member.error());
  if (started(node)) return std::unexpected("node " + node + " is started already");
  end_group(**member);  // what its last guardian left behind, if that was killed
  std::vector<std::string> arguments{"coterie", "node", "--config", file_of(node).string(),
                                     "--name",  node};
  if (faults_) arguments.push_back("--faults=" + (file_.parent_path() / "faults").string());
  const auto started = local_program::start(options_.program, arguments, log_file(node));
  if (!started) return std::unexpected(started.error());
  (*member)->guardian = *started;
  (*member)->exit_code.reset();
  return {};
}

LocalCluster::Result<void> LocalCluster::signal_program(const std::string& node, int signal) {
  const auto pid = program(node);
  if (!pid) return std::unexpected("the program of node " + node + " does not run");
  return local_program::signal_child(*pid, members_.find(node)->second.guardian, signal);
}

LocalCluster::Result<void> LocalCluster::kill(const std::string& node) {
  return signal_program(node, SIGKILL);
}
LocalCluster::Result<void> LocalCluster::pause(const std::string& node) {
  const auto member = find(node);
  if (member && (*member)->slowness) (*member)->slowness->hold(true);
  return signal_program(node, SIGSTOP);
}
LocalCluster::Result<void> LocalCluster::resume(const std::string& node) {
  auto resumed = signal_program(node, SIGCONT);
  const auto member = find(node);
  if (member && (*member)->slowness) (*member)->slowness->hold(false);
  return resumed;
}

LocalCluster::Result<void> LocalCluster::crash(const std::string& name, const std::string& reason) {
  const Time end = after(clock_.now(), 1s);
  for (;;) {
    std::string why = "no node runs";
    for (const auto& [node, member] : members_) {
      if (!program(node)) continue;
      const auto refusal = ask(node, CrashRequest{name, reason}, 300ms);
      if (refusal && refusal->empty()) return {};
      why = "node " + node + ": " + (refusal ? *refusal : refusal.error());
    }
    // It may be on its way from one node to another.
    if (clock_.now() >= end || !wait(poll_interval)) return std::unexpected(why);
  }
}

LocalCluster::Result<void> LocalCluster::power_off(const std::string& node) {
  const auto member = find(node);
  if (!member) return std::unexpected(member.error());
  if (!started(node)) return std::unexpected("node " + node + " is down already");
  end_group(**member);
  (*member)->exit_code = 128 + SIGKILL;
  return {};
}

LocalCluster::Result<void> LocalCluster::stop(const std::string& node) {
  const auto member = find(node);
  if (!member) return std::unexpected(member.error());
  if (!started(node)) return std::unexpected("node " + node + " is down already");
  // Not reaped yet, so the number is its own.
  ::kill((*member)->guardian, SIGTERM);
  return {};
}

bool LocalCluster::started(const std::string& node) {
  const auto member = find(node);
  return member && (*member)->guardian != 0 && !(*member)->exit_code;
}

std::optional<pid_t> LocalCluster::program(const std::string& node) {
  if (!started(node)) return std::nullopt;
  return local_program::child_in(fs::path(config_.find(node)->state_dir) / "node.pid",
                                 members_.find(node)->second.guardian);
}

std::optional<int> LocalCluster::exit_code(const std::string& node) {
  const auto member = find(node);
  return member ? (*member)->exit_code : std::nullopt;
}

template <class Request>
LocalCluster::Result<typename Request::Reply> LocalCluster::ask(const std::string& node,
                                                                const Request& request,
                                                                Duration timeout) {
  const auto member = find(node);
  if (!member) return std::unexpected(member.error());
  std::unique_ptr<Client>& client = (*member)->client;
  const Time end = after(clock_.now(), timeout);
  if (!client) {
    ClientOptions options;
    options.addresses = {config_.find(node)->client_advertise};
    options.cluster_id = config_.cluster.id;
    options.label = "local-cluster";
    auto keys = client_keys(config_);
    if (!keys) return std::unexpected(keys.error());
    options.keys = std::move(*keys);
    options.connect_timeout = timeout;
    options.attempt_timeout = std::min<Duration>(timeout, options.attempt_timeout);
    auto connected = Client::connect(std::move(options), clock_, random_);
    if (!connected) return std::unexpected(connected.error());
    client = *std::move(connected);
  }
  Client::Request asked;
  asked.to = LocalName{"coterie.node"};
  asked.type = std::string(Request::type_name);
  asked.payload = pack(request);
  asked.timeout = std::max<Duration>(end - clock_.now(), 1ms);
  asked.named = false;
  const Client::Answer answer = client->call(std::move(asked));
  if (!answer) return std::unexpected(to_string(answer.error()));
  auto reply = unpack<typename Request::Reply>(*answer);
  if (!reply) return std::unexpected(to_string(reply.error()));
  return *std::move(reply);
}

LocalCluster::Result<NodeStatus> LocalCluster::status(const std::string& node, Duration timeout) {
  return ask(node, StatusRequest{}, timeout);
}

LocalCluster::Result<std::vector<std::string>> LocalCluster::names(const std::string& node,
                                                                   const std::string& kind,
                                                                   Duration timeout) {
  return ask(node, NamesRequest{kind}, timeout);
}

/// What one of `nodes` still lacks; empty: all are active and connected.
std::string LocalCluster::missing(std::span<const std::string> nodes) {
  for (const std::string& node : nodes) {
    const auto answer = status(node);
    if (!answer) return "node " + node + ": " + answer.error();
    if (answer->state != "active") return "node " + node + " is " + answer->state;
    for (const std::string& other : nodes) {
      if (other == node) continue;
      const auto seen = std::ranges::find(answer->members, other, &MemberStatus::name);
      if (seen == answer->members.end()) return "node " + node + " has no member " + other;
      if (!seen->connected) {
        return "node " + node + " is not connected with " + other +
               (seen->link.empty() ? "" : " (" + seen->link + ")");
      }
    }
  }
  return {};
}

LocalCluster::Result<void> LocalCluster::wait_active(std::span<const std::string> nodes,
                                                     Duration timeout) {
  const Time end = after(clock_.now(), timeout);
  for (;;) {
    for (const std::string& node : nodes) {
      if (started(node)) continue;
      const auto code = exit_code(node);
      return std::unexpected("node " + node +
                             (code ? " ended with exit code " + std::to_string(*code)
                                   : std::string(" was not started")));
    }
    const std::string lacks = missing(nodes);
    if (lacks.empty()) return {};
    if (clock_.now() >= end) return std::unexpected(lacks);
    if (!wait(poll_interval)) return std::unexpected("interrupted: " + lacks);
  }
}

LocalCluster::Result<int> LocalCluster::wait_stopped(const std::string& node, Duration timeout) {
  const Time end = after(clock_.now(), timeout);
  while (started(node)) {
    if (clock_.now() >= end) return std::unexpected("node " + node + " still runs");
    if (!wait(poll_interval)) return std::unexpected("interrupted: node " + node + " still runs");
  }
  const auto code = exit_code(node);
  if (!code) return std::unexpected("node " + node + " was not started");
  return *code;
}

LocalCluster::Result<void> LocalCluster::stop_all(Duration timeout) {
  const Time end = after(clock_.now(), timeout);
  for (const auto& [node, member] : members_) {
    // A stopped program could not leave.
    if (started(node)) static_cast<void>(resume(node)), static_cast<void>(stop(node));
  }
  std::string killed;
  for (auto& [node, member] : members_) {
    while (started(node) && clock_.now() < end && wait(poll_interval)) {
    }
    if (started(node)) {
      killed += (killed.empty() ? "" : ", ") + node;
      member.exit_code = 128 + SIGKILL;
    }
    end_group(member);
  }
  if (!killed.empty()) return std::unexpected("did not leave in time and were killed: " + killed);
  return {};
}

fs::path LocalCluster::log_file(const std::string& node) const {
  return fs::absolute(options_.directory / (node + ".log"));
}

std::string LocalCluster::log_tail(const std::string& node, std::size_t lines) const {
  std::ifstream file(log_file(node));
  std::deque<std::string> last;
  for (std::string line; std::getline(file, line);) {
    last.push_back(std::move(line));
    if (last.size() > lines) last.pop_front();
  }
  std::string text;
  for (const std::string& line : last) text += line + '\n';
  return text;
}

}  // namespace coterie
