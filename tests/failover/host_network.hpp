#pragma once
// Several hosts on one machine: a network namespace each, joined by a bridge in a namespace of this
// program's own, so that addresses and ports are nobody else's. Each namespace lives as long as the
// processes in it, so nothing is left behind however this program ends. Needs root (CAP_SYS_ADMIN).

#include <sys/types.h>

#include <expected>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace coterie::test {

/// How a program ended, and what it printed on both outputs.
struct Ended {
  int exit_code = -1;  // 128 + the signal
  std::string output;
};
/// Runs a shell's command line; any thread.
Ended run_shell(const std::string& command);
std::string quoted(const std::string& word);

class HostNetwork final {
 public:
  struct Host {
    std::string name;
    std::string address;  // IPv4; all are in one network of 24 bits
  };

  /// Moves the calling thread, and threads that it starts from now on, to the bridge's namespace.
  /// The error says what the system refused.
  static std::expected<std::unique_ptr<HostNetwork>, std::string> make(
      const std::vector<Host>& hosts);
  ~HostNetwork();

  /// The words before a command line that is to run on that host.
  std::string on(const std::string& host) const;
  /// Pulls the host's cable: no frame passes any more, in either direction, and nobody is told.
  std::expected<void, std::string> cut(const std::string& host) const;
  std::expected<void, std::string> join(const std::string& host) const;
  /// The processes on the host, apart from the one that keeps it.
  std::vector<pid_t> processes(const std::string& host) const;

 private:
  HostNetwork() = default;
  std::expected<void, std::string> add(const Host& host);

  std::map<std::string, pid_t> keepers_;
};

}  // namespace coterie::test
