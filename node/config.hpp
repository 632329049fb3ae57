#pragma once
// The cluster file: one TOML file describes the whole cluster, every node reads the same one.
// Plain values; parse_config() is pure, only load_config() touches a file. Every key, its default
// and what it trades stand in docs/configuration.md; node/config_keys.cpp is the table of them.

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <coterie/log.hpp>
#include <coterie/time.hpp>

namespace coterie {

/// Where a key or a value was written.
struct ConfigPlace {
  std::string file;
  std::uint32_t line = 0;  // 0: the file as a whole, or no file at all
  std::uint32_t column = 0;
  friend bool operator==(const ConfigPlace&, const ConfigPlace&) = default;
};

enum class AgreementEngine : std::uint8_t { store, voters };
/// As the cluster file names it.
constexpr std::string_view word_of(AgreementEngine engine) noexcept {
  return engine == AgreementEngine::voters ? "voters" : "store";
}
/// Who keeps the names of cluster scope.
enum class NameKeeper : std::uint8_t { store, members };
constexpr std::string_view word_of(NameKeeper keeper) noexcept {
  return keeper == NameKeeper::members ? "members" : "store";
}
enum class ClusterMode : std::uint8_t { strict };

struct ClusterSection {
  std::string id;
  AgreementEngine agreement = AgreementEngine::store;
  /// Of the nodes that vote; filled in: the first one, three or five. Empty with `store`.
  std::vector<std::string> voters;
  NameKeeper names = NameKeeper::members;
  ClusterMode mode = ClusterMode::strict;
  /// As open_storage() takes it; the path of sqlite is relative to the working directory already.
  std::string journal;
  bool insecure = false;  // listen off loopback without keys
};
/// In a list of nodes: all of them.
inline constexpr std::string_view every_node = "*";

struct SecuritySection {
  /// Of the commands that are clients (call, status, ...); filled in: relative to the working
  /// directory. Empty: none.
  std::string client_key_file;
  // Names of nodes, or every_node: whose processes may send requests of sys, call registered
  // functions, and start servers on other nodes. sys_from counts with keys only.
  std::vector<std::string> sys_from, erpc_from, spawn_from;
};
struct LeaseSection {
  Duration interval = std::chrono::milliseconds(200);  // H: between two renewals
  Duration length = std::chrono::seconds(2);           // L
  Duration partial_evict = std::chrono::seconds(20);   // outside the connected group: evicted
};
struct StorageSection {
  Duration wait{};  // bound of one statement; filled in: half a lease, at most 1 s
};
struct LinkSection {
  Duration link_down_after = std::chrono::seconds(5);
  Duration beat_interval = std::chrono::milliseconds(500);
  std::size_t window_messages = 8192;
  std::size_t window_bytes = std::size_t{16} << 20;
  std::size_t message_bytes_max = std::size_t{256} << 20;
  std::size_t frame_bytes_max = std::size_t{64} << 10;
};
struct MailboxSection {
  std::size_t messages = 1'048'576;
  std::size_t bytes = std::size_t{256} << 20;
};
struct LimitsSection {
  std::size_t workers = 0;  // 0: one per processor
  std::size_t processes = 4'000'000;
  std::size_t parked_fibers = 16'384;
  std::size_t blocking_threads = 32;
  Duration stuck_after = std::chrono::seconds(1);
};
struct LogSection {
  LogLevel level = LogLevel::info;
  /// Those that differ from `level`, by LogModule.
  std::array<std::optional<LogLevel>, log_module_count> modules{};
  LogFormat format = LogFormat::text;
  std::string file;  // empty: standard error; else relative to the node's state directory
  std::size_t file_bytes_max = std::size_t{64} << 20;
  std::size_t files_max = 5;
};
struct SupervisionSection {
  std::size_t start_in_flight = 512;
  std::size_t quarantine_deaths = 2;
  Duration quarantine_window = std::chrono::seconds(60);
};
struct GuardianSection {
  Duration lease_grace = std::chrono::milliseconds(200);
  Duration backoff_min = std::chrono::seconds(1);
  Duration backoff_max = std::chrono::seconds(30);
  Duration drain_max = std::chrono::seconds(30);
};
struct NodeSection {
  std::string name;
  std::string listen;            // host:port for members
  std::string client_listen;     // host:port for clients; empty: none
  std::string advertise;         // host:port that other nodes dial; filled in: `listen`
  std::string client_advertise;  // filled in: `client_listen`
  std::string control_listen;    // of the control lane; empty: the host of `listen`, any port
  /// What other nodes dial for it; empty: the host of `advertise`, the port that the node tells.
  std::string control_advertise;
  std::string state_dir;  // filled in; relative to the working directory
  std::uint32_t weight = 100;
  std::vector<std::string> kinds;  // of cluster scope that it may host
  bool respawn = false;
  std::string key_file;                  // its private key; filled in like state_dir
  std::vector<std::string> public_keys;  // any of which it may show
  ConfigPlace place;                     // of its [[node]]
};
/// [[client]]: who may use the client listeners when nodes have keys.
struct ClientSection {
  std::string name;
  std::vector<std::string> public_keys;
  bool is_operator = false;  // role = "operator"
  ConfigPlace place;
};

/// [[distributed]]: where a distributed application of the program's runs, in place of what the
/// program says (OTP's key `distributed` of the kernel).
struct DistributedSection {
  std::string name;
  std::vector<std::string> nodes;         // as written: "a", and "{b, c}" for equals
  std::optional<Duration> timeout, sync;  // none: the program's
  ConfigPlace place;
};

/// What a key's value may be, wherever it was written.
using ConfigValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;

/// [applications.NAME]: the environment of an application, whose keys are its own affair.
struct ApplicationSection {
  std::map<std::string, ConfigValue> env;  // "table.key" for a key of a table inside
  ConfigPlace place;
};

struct ClusterConfig {
  std::string file;  // as it was named, for messages
  ClusterSection cluster;
  SecuritySection security;
  LeaseSection lease;
  StorageSection storage;
  LinkSection link;
  MailboxSection mailbox;
  LimitsSection limits;
  LogSection log;
  SupervisionSection supervision;
  GuardianSection guardian;
  std::vector<NodeSection> nodes;  // in the file's order
  std::vector<ClientSection> clients;
  std::vector<DistributedSection> distributed;
  std::map<std::string, ApplicationSection> applications;

  const NodeSection* find(std::string_view node) const noexcept;
  /// All nodes have keys, or none has.
  bool has_keys() const noexcept;
};

/// One line: what was expected, what was found, what to do.
struct ConfigError {
  ConfigPlace place;
  std::string message;
};
/// "FILE:LINE:COLUMN: message".
std::string to_string(const ConfigError& error);

/// Sets a key of the cluster file from outside it: "lease.length", "node.a.weight". `place` is
/// where that was written, for errors.
struct ConfigOverride {
  std::string key;
  ConfigValue value;
  ConfigPlace place;
};

/// A value as TOML writes it: "\"2s\"", "true", "7". The error says what was expected and found.
std::expected<ConfigValue, std::string> parse_config_value(std::string_view toml);

/// The first error in the order of the file. `file` names it in errors, and its directory is that
/// to which paths inside are relative.
std::expected<ClusterConfig, ConfigError> parse_config(
    std::string_view text, const std::string& file, std::span<const ConfigOverride> overrides = {});

/// Reads and parses. The one function here that touches the system.
std::expected<ClusterConfig, ConfigError> load_config(
    const std::string& path, std::span<const ConfigOverride> overrides = {});

/// Looks up a host name; the empty result is an error text. Injected: it asks the network.
class HostResolver {
 public:
  virtual ~HostResolver() = default;
  /// The addresses of `host`, or why there are none.
  virtual std::expected<std::vector<std::string>, std::string> resolve(const std::string& host) = 0;
};

/// What only the node that starts has to pass: it is in the file, its own addresses resolve, and
/// its storage can be shared with the others.
std::expected<void, ConfigError> check_own_node(const ClusterConfig& config, std::string_view node,
                                                HostResolver& resolver);

/// Of the keys that must be the same on every node; addresses and sizes are not among them. Stable
/// across versions and machines: 16 hexadecimal digits.
std::string config_digest(const ClusterConfig& config);

}  // namespace coterie
