#include "node/config_keys.hpp"

#include "node/config_value.hpp"
#include "process/duration_text.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using std::chrono::hours;

constexpr std::size_t mib = std::size_t{1} << 20;
constexpr std::size_t gib = std::size_t{1} << 30;

template <class Field, class T>
SetResult store(Field& field, const config_value::Result<T>& value) {
  if (!value) return std::unexpected(value.error());
  field = static_cast<Field>(*value);
  return {};
}

// Each of these makes one row: section and field as pointers to members, and the range.
template <class Section>
ConfigKey duration_key(std::string path, Section ClusterConfig::*section, Duration Section::*field,
                       Duration min, Duration max) {
  return {std::move(path), false,
          [=](ClusterConfig& config, const ConfigValue& value) {
            return store(config.*section.*field, config_value::duration(value, min, max));
          },
          [=](const ClusterConfig& config) { return format_duration(config.*section.*field); }};
}
template <class Section>
ConfigKey size_key(std::string path, Section ClusterConfig::*section, std::size_t Section::*field,
                   std::size_t min, std::size_t max) {
  return {std::move(path),
          false,
          [=](ClusterConfig& config, const ConfigValue& value) {
            return store(config.*section.*field, config_value::size(value, min, max));
          },
          {}};
}
template <class Section>
ConfigKey count_key(std::string path, Section ClusterConfig::*section, std::size_t Section::*field,
                    std::int64_t min, std::int64_t max) {
  return {std::move(path),
          false,
          [=](ClusterConfig& config, const ConfigValue& value) {
            return store(config.*section.*field, config_value::integer(value, min, max));
          },
          {}};
}

ConfigKey everywhere(ConfigKey key) {
  key.everywhere = true;
  return key;
}

bool is_word(const ConfigValue& value, std::string_view word) {
  const auto* held = std::get_if<std::string>(&value);
  return held != nullptr && *held == word;
}

SetResult set_agreement(ClusterConfig& config, const ConfigValue& value) {
  static constexpr std::string_view words[] = {"store", "voters"};
  return store(config.cluster.agreement, config_value::word(value, words));
}

SetResult set_voters(ClusterConfig& config, const ConfigValue& value) {
  return store(config.cluster.voters, config_value::texts(value));
}

/// Whether they are nodes of the file is checked when all of it was read.
ConfigKey nodes_key(std::string path, std::vector<std::string> SecuritySection::*field) {
  return {std::move(path),
          false,
          [=](ClusterConfig& config, const ConfigValue& value) {
            return store(config.security.*field, config_value::texts(value));
          },
          {}};
}

std::string show_agreement(const ClusterConfig& config) {
  std::string shown(word_of(config.cluster.agreement));
  for (const std::string& voter : config.cluster.voters) shown += ' ' + voter;
  return shown;
}

SetResult set_names(ClusterConfig& config, const ConfigValue& value) {
  static constexpr std::string_view words[] = {"store", "members"};
  return store(config.cluster.names, config_value::word(value, words));
}

SetResult set_mode(ClusterConfig& config, const ConfigValue& value) {
  static constexpr std::string_view words[] = {"strict"};
  if (is_word(value, "available") || is_word(value, "local")) {
    return std::unexpected(
        "expected \"strict\", found " + config_value::show(value) +
        "; a single registry of the program's may be that (RegistryOptions), a cluster is not");
  }
  return store(config.cluster.mode, config_value::word(value, words));
}

SetResult set_journal(ClusterConfig& config, const ConfigValue& value) {
  const auto* held = std::get_if<std::string>(&value);
  const auto has = [&](std::string_view scheme) {
    return held->starts_with(scheme) && held->size() > scheme.size();
  };
  if (held == nullptr || (*held != "memory" && !has("sqlite:") && !has("postgres:"))) {
    return std::unexpected(
        "expected \"sqlite:DIRECTORY\" (nodes of one host), \"postgres:CONNINFO\" or \"memory\" "
        "(one "
        "process), found " +
        config_value::show(value));
  }
  config.cluster.journal = *held;
  return {};
}

template <std::size_t N>
auto word_setter(LogLevel LogSection::*field, const std::string_view (&words)[N]) {
  return [field, &words](ClusterConfig& config, const ConfigValue& value) {
    return store(config.log.*field, config_value::word(value, words));
  };
}

constexpr std::string_view level_words[] = {"trace", "debug", "info", "warning", "error", "off"};
constexpr std::string_view format_words[] = {"text", "json"};

void add_log_keys(std::vector<ConfigKey>& keys) {
  keys.push_back({"log.level", false, word_setter(&LogSection::level, level_words), {}});
  for (std::size_t i = 0; i < log_module_count; ++i) {
    const auto module = static_cast<LogModule>(i);
    keys.push_back({"log.modules." + std::string(to_string(module)),
                    false,
                    [i](ClusterConfig& config, const ConfigValue& value) -> SetResult {
                      LogLevel level{};
                      const SetResult set = store(level, config_value::word(value, level_words));
                      if (set) config.log.modules[i] = level;
                      return set;
                    },
                    {}});
  }
  keys.push_back({"log.format",
                  false,
                  [](ClusterConfig& config, const ConfigValue& value) {
                    return store(config.log.format, config_value::word(value, format_words));
                  },
                  {}});
  keys.push_back({"log.file",
                  false,
                  [](ClusterConfig& config, const ConfigValue& value) {
                    return store(config.log.file, config_value::text(value));
                  },
                  {}});
  keys.push_back(size_key("log.file_bytes_max", &ClusterConfig::log, &LogSection::file_bytes_max,
                          mib, 64 * gib));
  keys.push_back(count_key("log.files_max", &ClusterConfig::log, &LogSection::files_max, 1, 1000));
}

void add_cluster_keys(std::vector<ConfigKey>& keys) {
  using C = ClusterConfig;
  keys.push_back({"cluster.id", true,
                  [](C& config, const ConfigValue& value) {
                    return store(config.cluster.id, config_value::name(value));
                  },
                  [](const C& config) { return config.cluster.id; }});
  keys.push_back({"cluster.agreement", true, set_agreement, show_agreement});
  keys.push_back({"cluster.voters", false, set_voters, {}});  // shown with the agreement
  keys.push_back({"cluster.names", true, set_names,
                  [](const C& config) { return std::string(word_of(config.cluster.names)); }});
  keys.push_back({"cluster.mode", true, set_mode, [](const C&) { return std::string("strict"); }});
  // Only the kind: hosts and paths of one database may be spelt differently.
  keys.push_back({"cluster.journal", true, set_journal, [](const C& config) {
                    return config.cluster.journal.substr(0, config.cluster.journal.find(':'));
                  }});
  keys.push_back({"cluster.insecure",
                  false,
                  [](C& config, const ConfigValue& value) {
                    return store(config.cluster.insecure, config_value::boolean(value));
                  },
                  {}});
  keys.push_back({"security.client_key_file",
                  false,
                  [](C& config, const ConfigValue& value) {
                    return store(config.security.client_key_file, config_value::text(value));
                  },
                  {}});
  keys.push_back(nodes_key("security.sys_from", &SecuritySection::sys_from));
  keys.push_back(nodes_key("security.erpc_from", &SecuritySection::erpc_from));
  keys.push_back(nodes_key("security.spawn_from", &SecuritySection::spawn_from));
  keys.push_back(
      everywhere(duration_key("lease.interval", &C::lease, &LeaseSection::interval, 10ms, 10s)));
  keys.push_back(
      everywhere(duration_key("lease.length", &C::lease, &LeaseSection::length, 100ms, 5min)));
  keys.push_back(everywhere(
      duration_key("lease.partial_evict", &C::lease, &LeaseSection::partial_evict, 1s, hours(1))));
  keys.push_back(duration_key("storage.wait", &C::storage, &StorageSection::wait, 10ms, 1min));
}

void add_node_wide_keys(std::vector<ConfigKey>& keys) {
  using C = ClusterConfig;
  keys.push_back(
      duration_key("link.link_down_after", &C::link, &LinkSection::link_down_after, 200ms, 10min));
  keys.push_back(
      duration_key("link.beat_interval", &C::link, &LinkSection::beat_interval, 10ms, 1min));
  keys.push_back(
      count_key("link.window_messages", &C::link, &LinkSection::window_messages, 1, 1'048'576));
  keys.push_back(
      size_key("link.window_bytes", &C::link, &LinkSection::window_bytes, mib / 16, 4 * gib));
  keys.push_back(size_key("link.message_bytes_max", &C::link, &LinkSection::message_bytes_max,
                          mib / 16, 4 * gib - 1));
  keys.push_back(
      size_key("link.frame_bytes_max", &C::link, &LinkSection::frame_bytes_max, 4096, mib / 2));
  keys.push_back(count_key("mailbox.messages", &C::mailbox, &MailboxSection::messages, 64,
                           std::int64_t{1} << 32));
  keys.push_back(
      size_key("mailbox.bytes", &C::mailbox, &MailboxSection::bytes, mib / 16, 1024 * gib));
  keys.push_back(count_key("limits.workers", &C::limits, &LimitsSection::workers, 0, 256));
  keys.push_back(
      count_key("limits.processes", &C::limits, &LimitsSection::processes, 100, 100'000'000));
  // Two kernel maps a fiber, of 65,530.
  keys.push_back(
      count_key("limits.parked_fibers", &C::limits, &LimitsSection::parked_fibers, 16, 32'000));
  keys.push_back(
      count_key("limits.blocking_threads", &C::limits, &LimitsSection::blocking_threads, 1, 1024));
  keys.push_back(
      duration_key("limits.stuck_after", &C::limits, &LimitsSection::stuck_after, 10ms, 10min));
  keys.push_back(count_key("supervision.start_in_flight", &C::supervision,
                           &SupervisionSection::start_in_flight, 1, 4096));
  keys.push_back(count_key("supervision.quarantine_deaths", &C::supervision,
                           &SupervisionSection::quarantine_deaths, 2, 100));
  keys.push_back(duration_key("supervision.quarantine_window", &C::supervision,
                              &SupervisionSection::quarantine_window, 1s, hours(24)));
  keys.push_back(duration_key("guardian.lease_grace", &C::guardian, &GuardianSection::lease_grace,
                              50ms, 1min));
  keys.push_back(duration_key("guardian.backoff_min", &C::guardian, &GuardianSection::backoff_min,
                              10ms, 10min));
  keys.push_back(duration_key("guardian.backoff_max", &C::guardian, &GuardianSection::backoff_max,
                              10ms, hours(1)));
  keys.push_back(duration_key("guardian.drain_max", &C::guardian, &GuardianSection::drain_max,
                              100ms, hours(1)));
}

NodeKey address_key(std::string name, std::string NodeSection::*field) {
  return {std::move(name), [=](NodeSection& node, const ConfigValue& value) {
            return store(node.*field, config_value::address(value));
          }};
}

SetResult set_kinds(NodeSection& node, const ConfigValue& value) {
  const auto kinds = config_value::texts(value);
  if (!kinds) return std::unexpected(kinds.error());
  for (const std::string& kind : *kinds) {
    if (const auto good = config_value::name(ConfigValue(kind)); !good) {
      return std::unexpected(good.error());
    }
  }
  node.kinds = *kinds;
  return {};
}

template <class Section>
SetResult set_public_keys(Section& section, const ConfigValue& value) {
  const auto keys = config_value::texts(value);
  if (!keys) return std::unexpected(keys.error());
  for (const std::string& key : *keys) {
    if (const auto good = config_value::public_key(ConfigValue(key)); !good) {
      return std::unexpected(good.error());
    }
  }
  section.public_keys = *keys;
  return {};
}

DistributedKey wait_key(std::string name, std::optional<Duration> DistributedSection::*field) {
  return {std::move(name), [=](DistributedSection& section, const ConfigValue& value) -> SetResult {
            Duration wait{};
            const SetResult set = store(wait, config_value::duration(value, 0s, hours(24)));
            if (set) section.*field = wait;
            return set;
          }};
}

SetResult set_role(ClientSection& client, const ConfigValue& value) {
  static constexpr std::string_view words[] = {"client", "operator"};
  return store(client.is_operator, config_value::word(value, words));
}

}  // namespace

std::span<const ConfigKey> config_keys() {
  static const std::vector<ConfigKey> keys = [] {
    std::vector<ConfigKey> all;
    add_cluster_keys(all);
    add_node_wide_keys(all);
    add_log_keys(all);
    return all;
  }();
  return keys;
}

std::span<const NodeKey> node_keys() {
  static const std::vector<NodeKey> keys = {
      {"name",
       [](NodeSection& node, const ConfigValue& value) {
         return store(node.name, config_value::name(value));
       }},
      address_key("listen", &NodeSection::listen),
      address_key("client_listen", &NodeSection::client_listen),
      address_key("advertise", &NodeSection::advertise),
      address_key("client_advertise", &NodeSection::client_advertise),
      address_key("control_listen", &NodeSection::control_listen),
      address_key("control_advertise", &NodeSection::control_advertise),
      {"state_dir",
       [](NodeSection& node, const ConfigValue& value) {
         return store(node.state_dir, config_value::text(value));
       }},
      {"weight",
       [](NodeSection& node, const ConfigValue& value) {
         return store(node.weight, config_value::integer(value, 1, 10'000));
       }},
      {"kinds", set_kinds},
      {"respawn",
       [](NodeSection& node, const ConfigValue& value) {
         return store(node.respawn, config_value::boolean(value));
       }},
      {"key_file",
       [](NodeSection& node, const ConfigValue& value) {
         return store(node.key_file, config_value::text(value));
       }},
      {"public_keys", set_public_keys<NodeSection>},
  };
  return keys;
}

std::span<const ClientKey> client_keys() {
  static const std::vector<ClientKey> keys = {
      {"name",
       [](ClientSection& client, const ConfigValue& value) {
         return store(client.name, config_value::name(value));
       }},
      {"public_keys", set_public_keys<ClientSection>},
      {"role", set_role},
  };
  return keys;
}

std::span<const DistributedKey> distributed_keys() {
  static const std::vector<DistributedKey> keys = {
      {"name",
       [](DistributedSection& section, const ConfigValue& value) {
         return store(section.name, config_value::name(value));
       }},
      {"nodes",
       [](DistributedSection& section, const ConfigValue& value) -> SetResult {
         const auto groups = config_value::groups(value);
         if (!groups) return std::unexpected(groups.error());
         return store(section.nodes, config_value::texts(value));
       }},
      wait_key("timeout", &DistributedSection::timeout),
      wait_key("sync", &DistributedSection::sync),
  };
  return keys;
}

}  // namespace coterie
