#pragma once
// Registry: names for processes, chosen at run time. The counterpart of Elixir's Registry with
// `keys: :unique`. A local registry is for the processes of one node; one of cluster scope resolves
// on every node that has started it, with at most one process per name at any instant.
//
//   Registry::start_link({.name = "sessions"});
//   GenServer::start_link<Session>({.name = via("sessions", "session-123")}, ...);
//   call(via("sessions", "session-123"), Session::Touch{});
//
// A name goes with its process, before anybody can see its end. If the registry's process dies,
// those registered in it die too. The functions act for the calling process; those that ask about
// values and keys are for local registries.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include <coterie/gen_server.hpp>

namespace coterie {

enum class Scope : std::uint8_t { local, cluster };

struct RegistryOptions {
  std::string name;
  Scope scope = Scope::local;
};

struct RegistryEntry {
  Pid pid;
  Bytes value;
};

class Registry final : public GenServer {
 public:
  using Infos = Messages<Exit>;

  /// Fails with already_started if the node has a registry of that name.
  static std::expected<Pid, StartError> start_link(RegistryOptions options);
  static std::expected<Pid, StartError> start(RegistryOptions options);

  /// Registers the calling process. The error is the process that has the key. An unknown registry
  /// throws std::invalid_argument, here and below: that is a mistake in the program.
  static std::expected<void, Pid> register_name(const std::string& registry, const std::string& key,
                                                Bytes value = {});
  /// Only the calling process's own key; false if it has not got it.
  static bool unregister(const std::string& registry, const std::string& key);
  static bool update_value(const std::string& registry, const std::string& key, Bytes value);
  static std::optional<RegistryEntry> lookup(const std::string& registry, const std::string& key);
  /// The keys of `pid`, sorted.
  static std::vector<std::string> keys(const std::string& registry, const Pid& pid);
  static std::size_t count(const std::string& registry);

  explicit Registry(RegistryOptions options) : options_(std::move(options)) {}
  ~Registry();
  Init init();
  void handle_info(const Exit& exit);

 private:
  RegistryOptions options_;
  bool added_ = false;
};

}  // namespace coterie
