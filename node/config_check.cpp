#include "node/config_check.hpp"

#include <map>
#include <set>

#include "node/address.hpp"
#include "node/config_value.hpp"
#include "process/duration_text.hpp"

namespace coterie {
namespace {

constexpr std::size_t nodes_max = 1000;
constexpr std::size_t voters_max = 7;

class Check {
 public:
  Check(const ClusterConfig& config, const ConfigPlaces& places)
      : config_(config), places_(places) {}

  std::optional<ConfigError> run() {
    required();
    if (!error_) times();
    if (!error_) sizes();
    if (!error_) names();
    if (!error_) voters();
    if (!error_) rights();
    if (!error_) ports();
    if (!error_) keys();
    if (!error_) distributed();
    if (!error_) exposure();
    if (!error_) hosts();
    return error_;
  }

 private:
  void fail(const std::string& path, std::string message) {
    if (!error_) error_ = ConfigError{places_(path), std::move(message)};
  }
  static std::string path(std::size_t index, std::string_view key) {
    return "node." + std::to_string(index) + (key.empty() ? "" : ".") + std::string(key);
  }

  void required() {
    if (config_.cluster.id.empty()) {
      fail("cluster", "expected cluster.id, found none; name the cluster: id = \"production\"");
    }
    if (config_.cluster.journal.empty()) {
      fail(
          "cluster",
          "expected cluster.journal, found none; write journal = \"sqlite:DIRECTORY\" for nodes of "
          "one host, or \"postgres:CONNINFO\"");
    }
    if (config_.nodes.empty()) {
      fail("", "expected at least one [[node]] with name and listen, found none");
    }
    if (config_.nodes.size() > nodes_max) {
      fail(path(nodes_max, ""), "expected at most " + std::to_string(nodes_max) + " nodes, found " +
                                    std::to_string(config_.nodes.size()));
    }
    for (std::size_t i = 0; i < config_.nodes.size(); ++i) {
      if (config_.nodes[i].name.empty()) {
        fail(path(i, ""), "expected a name in this [[node]], found none; write name = \"a\"");
      }
      if (config_.nodes[i].listen.empty()) {
        fail(path(i, ""),
             "expected listen in this [[node]], found none; write listen = \"127.0.0.1:7101\"");
      }
    }
  }

  // `shorter` may be at most 1/times of `longer`.
  void at_least(std::string_view longer, Duration long_value, std::int64_t times,
                std::string_view shorter, Duration short_value, std::string_view why) {
    if (long_value >= times * short_value) return;
    const std::string factor = times == 1 ? "" : std::to_string(times) + " x ";
    fail(std::string(longer), "expected " + std::string(longer) + " >= " + factor +
                                  std::string(shorter) + ", found " + format_duration(long_value) +
                                  " and " + format_duration(short_value) + "; " + std::string(why));
  }

  void times() {
    at_least(
        "lease.length", config_.lease.length, 5, "lease.interval", config_.lease.interval,
        "a lease must survive a few renewals that fail: raise the length or lower the interval");
    at_least("lease.length", config_.lease.length, 1, "storage.wait", config_.storage.wait,
             "a statement that may take longer than the lease costs the lease");
    at_least("link.link_down_after", config_.link.link_down_after, 3, "link.beat_interval",
             config_.link.beat_interval, "a link must survive a beat that is late");
    at_least("guardian.backoff_max", config_.guardian.backoff_max, 1, "guardian.backoff_min",
             config_.guardian.backoff_min, "the first pause is the shortest");
  }

  void sizes() {
    if (config_.link.window_bytes < config_.link.frame_bytes_max) {
      fail("link.window_bytes", "expected link.window_bytes >= link.frame_bytes_max, found " +
                                    std::to_string(config_.link.window_bytes) + " and " +
                                    std::to_string(config_.link.frame_bytes_max) +
                                    " bytes; a window holds a frame");
    }
  }

  void names() {
    std::map<std::string_view, std::size_t> seen;
    std::map<std::string_view, std::size_t> directories;
    for (std::size_t i = 0; i < config_.nodes.size(); ++i) {
      const NodeSection& node = config_.nodes[i];
      if (const auto [at, fresh] = seen.try_emplace(node.name, i); !fresh) {
        fail(path(i, "name"), "expected a name of its own, found \"" + node.name +
                                  "\" as in line " + line_of(path(at->second, "name")) +
                                  "; rename one of the nodes");
      }
      if (const auto [at, fresh] = directories.try_emplace(node.state_dir, i);
          !fresh && same_host(node, config_.nodes[at->second])) {
        fail(path(i, "state_dir"), "expected a state_dir of its own, found that of node \"" +
                                       config_.nodes[at->second].name + "\" (" + node.state_dir +
                                       ')');
      }
      std::set<std::string_view> kinds;
      for (const std::string& kind : node.kinds) {
        if (!kinds.insert(kind).second) {
          fail(path(i, "kinds"), "expected each kind once, found \"" + kind + "\" again");
        }
      }
    }
  }

  void rights() {
    named_nodes("security.sys_from", config_.security.sys_from);
    named_nodes("security.erpc_from", config_.security.erpc_from);
    named_nodes("security.spawn_from", config_.security.spawn_from);
  }
  void named_nodes(const std::string& path, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      if (name == every_node || config_.find(name) != nullptr) continue;
      fail(path, "expected names of nodes in this file, or \"*\" for all, found \"" + name + '"');
    }
  }

  void voters() {
    const std::vector<std::string>& voters = config_.cluster.voters;
    if (config_.cluster.agreement != AgreementEngine::voters) {
      if (!voters.empty()) {
        fail("cluster.voters",
             "expected voters only beside agreement = \"voters\", found them beside \"store\"; "
             "remove them, or change the agreement");
      }
      return;
    }
    if (voters.empty()) {
      const std::string& first = config_.nodes.front().name;
      fail("cluster.agreement",
           "expected voters for two nodes, which cannot decide without each other, found none; add "
           "a third node without kinds on another host, or write voters = [\"" +
               first + "\"]: then the cluster lives as long as " + first + " does");
    }
    if (voters.size() % 2 == 0 || voters.size() > voters_max) {
      fail("cluster.voters", "expected 1, 3, 5 or 7 voters, found " +
                                 std::to_string(voters.size()) +
                                 "; three survive the loss of one, five of two, an even number of "
                                 "no more than one less");
    }
    std::set<std::string_view> seen;
    for (const std::string& voter : voters) {
      if (config_.find(voter) == nullptr) {
        fail("cluster.voters", "expected names of nodes in this file, found \"" + voter + '"');
      }
      if (!seen.insert(voter).second) {
        fail("cluster.voters", "expected each voter once, found \"" + voter + "\" again");
      }
    }
  }

  void distributed() {
    std::map<std::string_view, std::string> seen;
    for (std::size_t i = 0; i < config_.distributed.size(); ++i) {
      const DistributedSection& section = config_.distributed[i];
      const std::string at = "distributed." + std::to_string(i);
      if (section.name.empty() || section.nodes.empty()) {
        fail(at, "expected name and nodes in this [[distributed]], found " +
                     std::string(section.name.empty() ? "no name" : "no nodes") +
                     "; write name = \"billing\", nodes = [\"a\", \"{b, c}\"]");
        return;
      }
      if (const auto [first, fresh] = seen.try_emplace(section.name, at + ".name"); !fresh) {
        fail(at + ".name", "expected a name of its own, found \"" + section.name +
                               "\" as in line " + line_of(first->second));
      }
      std::set<std::string> nodes;
      const auto groups = config_value::groups(section.nodes).value();
      for (const auto& group : groups) {
        for (const std::string& node : group) {
          if (config_.find(node) == nullptr) {
            fail(at + ".nodes", "expected names of nodes in this file, found \"" + node + '"');
          }
          if (!nodes.insert(node).second) {
            fail(at + ".nodes", "expected each node once, found \"" + node + "\" again");
          }
        }
      }
    }
  }

  std::string line_of(const std::string& path) const { return std::to_string(places_(path).line); }

  // The host at which others reach the node; all names of this machine's loopback are one.
  static std::string host_of(const std::string& address) {
    const auto parsed = parse_address(address);
    if (!parsed) return {};
    return parsed->loopback() ? "127.0.0.1" : parsed->host;
  }
  static bool same_host(const NodeSection& a, const NodeSection& b) {
    return host_of(a.advertise) == host_of(b.advertise);
  }

  struct Listener {
    std::string path, host, machine;
    std::uint16_t port = 0;
    bool loopback = false, wildcard = false;
  };
  // An address of every interface takes its port on all addresses of its machine; loopbacks of two
  // machines are two.
  static bool collide(const Listener& a, const Listener& b) {
    if (a.port != b.port) return false;
    if (a.machine == b.machine) return a.host == b.host || a.wildcard || b.wildcard;
    return a.host == b.host && !a.wildcard && !a.loopback;
  }

  void ports() {
    std::vector<Listener> listeners;
    std::map<std::string_view, std::size_t> advertised;
    for (std::size_t i = 0; i < config_.nodes.size(); ++i) {
      const NodeSection& node = config_.nodes[i];
      for (const auto& [key, text] :
           {std::pair{"listen", &node.listen}, std::pair{"client_listen", &node.client_listen},
            std::pair{"control_listen", &node.control_listen}}) {
        const auto address = parse_address(*text);
        if (!address) continue;  // only `listen` must be there
        Listener added{path(i, key),  host_of(*text),      host_of(node.advertise),
                       address->port, address->loopback(), address->wildcard()};
        for (const Listener& other : listeners) {
          if (!collide(other, added)) continue;
          fail(added.path, "expected a port of its own, found port " + std::to_string(added.port) +
                               " as in line " + line_of(other.path) +
                               "; give one of them another port");
        }
        listeners.push_back(std::move(added));
      }
      if (const auto [at, fresh] = advertised.try_emplace(node.advertise, i); !fresh) {
        fail(path(i, "advertise"), "expected an address of its own, found that of node \"" +
                                       config_.nodes[at->second].name + "\" (" + node.advertise +
                                       ')');
      }
    }
  }

  static std::string client_path(std::size_t index, std::string_view key) {
    return "client." + std::to_string(index) + '.' + std::string(key);
  }

  void own_keys(const std::vector<std::string>& keys, const std::string& at) {
    for (const std::string& key : keys) {
      if (const auto [first, fresh] = key_places_.try_emplace(key, at); !fresh) {
        fail(at, "expected a key of one holder, found " + key + " as in line " +
                     line_of(first->second) + "; make another with `coterie keygen`");
      }
    }
  }

  void keys() {
    for (std::size_t i = 0; i < config_.nodes.size(); ++i) {
      const NodeSection& node = config_.nodes[i];
      if (node.public_keys.empty() == config_.has_keys()) {
        const NodeSection& without = node.public_keys.empty() ? node : config_.nodes.front();
        fail(path(node.public_keys.empty() ? i : 0, ""),
             "expected public_keys of every node or of none, found none of node \"" + without.name +
                 "\"; make a key with `coterie keygen`");
      }
      if (!node.key_file.empty() && node.public_keys.empty()) {
        fail(path(i, "key_file"),
             "expected public_keys beside key_file, found none; write what "
             "`coterie keygen --show " +
                 node.key_file + "` prints");
      }
      own_keys(node.public_keys, path(i, "public_keys"));
    }
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < config_.clients.size(); ++i) {
      const ClientSection& client = config_.clients[i];
      if (client.name.empty() || client.public_keys.empty()) {
        fail(client_path(i, ""),
             "expected name and public_keys in this [[client]], found " +
                 std::string(client.name.empty() ? "no name" : "no public_keys") +
                 "; make a key with `coterie keygen`");
      }
      if (!names.insert(client.name).second) {
        fail(client_path(i, "name"),
             "expected a name of its own, found \"" + client.name + "\" again");
      }
      if (!config_.has_keys()) {
        fail(client_path(i, "public_keys"),
             "expected keys of the nodes too, found none; make one for each node with "
             "`coterie keygen`");
      }
      own_keys(client.public_keys, client_path(i, "public_keys"));
    }
    if (config_.cluster.insecure && config_.has_keys()) {
      fail("cluster.insecure",
           "expected no insecure = true beside keys, found it; remove it, or the keys");
    }
  }

  void exposure() {
    for (std::size_t i = 0; i < config_.nodes.size(); ++i) {
      const NodeSection& node = config_.nodes[i];
      for (const auto& [key, text, advertised] :
           {std::tuple{"listen", &node.listen, &node.advertise},
            std::tuple{"client_listen", &node.client_listen, &node.client_advertise},
            std::tuple{"control_listen", &node.control_listen, &node.advertise}}) {
        const auto address = parse_address(*text);
        if (!address) continue;
        if (!address->loopback() && !config_.cluster.insecure && !config_.has_keys()) {
          fail(path(i, key),
               "expected a loopback address such as \"127.0.0.1:7101\", or keys, found \"" + *text +
                   "\" without; make a key for each node with `coterie keygen` and write key_file "
                   "and public_keys, or insecure = true under [cluster] to trust whoever reaches "
                   "this port");
        }
        if (parse_address(*advertised)->wildcard()) {
          const std::string need =
              key == std::string_view("listen") ? "advertise" : "client_advertise";
          fail(path(i, key), "expected " + need + " beside \"" + *text +
                                 "\", found none; others cannot dial every interface: write " +
                                 need + " = \"HOST:" + std::to_string(address->port) + '"');
        }
      }
    }
  }

  void hosts() {
    std::map<std::string, std::size_t> hosts;
    for (std::size_t i = 0; i < config_.nodes.size(); ++i) {
      hosts.try_emplace(host_of(config_.nodes[i].advertise), i);
    }
    if (hosts.size() < 2) return;
    if (!config_.cluster.journal.starts_with("postgres:")) {
      fail("cluster.journal",
           "expected a journal that every host reaches, found \"" + config_.cluster.journal +
               "\" for nodes on " + std::to_string(hosts.size()) +
               " hosts; write journal = \"postgres:host=DB dbname=coterie user=coterie\"");
    }
    if (const auto local = hosts.find("127.0.0.1"); local != hosts.end()) {
      const NodeSection& node = config_.nodes[local->second];
      fail(path(local->second, node.advertise == node.listen ? "listen" : "advertise"),
           "expected an address that the other hosts reach, found \"" + node.advertise +
               "\"; write this host's own address");
    }
  }

  const ClusterConfig& config_;
  const ConfigPlaces& places_;
  std::map<std::string_view, std::string> key_places_;  // of each public key
  std::optional<ConfigError> error_;
};

}  // namespace

std::optional<ConfigError> check_config(const ClusterConfig& config, const ConfigPlaces& places) {
  return Check(config, places).run();
}

}  // namespace coterie
