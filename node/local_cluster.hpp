#pragma once
// Real nodes on this machine, for the demo and for failover tests: each a `coterie node` of its own
// (a guardian and the node's program below it), started, stopped, killed and paused from here, and
// asked for its status as any client would.
//
// Each node is a process group. A pid is only ever signalled while it cannot have become another
// process's: the guardian is our own child, and the program's is checked through a pidfd. Nothing
// outlives the object, however it ends: the destructor kills and waits for what is left, and if
// this program itself is killed the guardians get SIGTERM from the kernel. One thread makes, uses
// and destroys it, and starts no nodes from others: the kernel's SIGTERM follows the thread.

#include <sys/types.h>

#include <expected>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <coterie/time.hpp>

#include "node/config.hpp"
#include "node/fault_page.hpp"
#include "node/local_network.hpp"
#include "node/local_slowness.hpp"
#include "node/reserved_ports.hpp"
#include "node/status.hpp"
#include "process/ports/random.hpp"

namespace coterie {

class Client;

struct LocalClusterOptions {
  std::string config_file;                // whose cluster it is
  std::filesystem::path directory;        // exists; cluster.toml, NODE.log and all state go in here
  std::vector<ConfigOverride> overrides;  // after those that this class makes
  /// State and SQLite files in `directory`, instead of where the file says.
  bool own_paths = true;
  /// Free ports of the loopback interface, instead of those in the file.
  bool own_ports = true;
  /// Each node reaches the others through proxies; needs `own_ports`. See network().
  bool proxied = false;
  /// The nodes' disks and names take faults. See faults().
  bool faulty = false;
  std::filesystem::path program = "/proc/self/exe";  // takes `node --config FILE --name NAME`
  /// Sleeps that long; false: somebody wants to end, so every wait here gives up. Default: sleeps.
  std::function<bool(Duration)> wait{};
};

class LocalCluster final {
 public:
  template <class T>
  using Result = std::expected<T, std::string>;  // one line for people

  /// Writes directory/cluster.toml. Starts nothing.
  static Result<std::unique_ptr<LocalCluster>> make(const Clock& clock, Random& random,
                                                    LocalClusterOptions options);
  ~LocalCluster();
  LocalCluster(const LocalCluster&) = delete;
  LocalCluster& operator=(const LocalCluster&) = delete;

  const ClusterConfig& config() const noexcept { return config_; }
  /// What the nodes read: give it to `coterie call --config`.
  const std::filesystem::path& config_file() const noexcept { return file_; }
  std::vector<std::string> nodes() const;

  // All return at once; wait for the effect with the functions below. Errors say that there is
  // nothing to signal (down already, not yet started) or what the system answered.
  /// A node that is down. One whose guardian lives is started by that, if it has `respawn`.
  Result<void> start(const std::string& node);
  /// SIGKILL to the program; its guardian lives and tells.
  Result<void> kill(const std::string& node);
  /// SIGKILL to guardian and program in one instant: nobody tells.
  Result<void> power_off(const std::string& node);
  /// SIGTERM: drain and leave.
  Result<void> stop(const std::string& node);
  /// SIGSTOP and SIGCONT to the program.
  Result<void> pause(const std::string& node);
  Result<void> resume(const std::string& node);
  /// Empties the state directory of a node that is down, guardian and all.
  Result<void> lose_state(const std::string& node);
  /// The program gets that share of its processor time, until its guardian ends or for good: 1.
  Result<void> slow(const std::string& node, double share);
  /// An exit signal to the process of that name of cluster scope, through a node that answers. The
  /// only one here that waits, for at most a second. Needs `faulty`.
  Result<void> crash(const std::string& name, const std::string& reason);

  /// Null without `proxied`; null without `faulty`.
  LocalNetwork* network() noexcept { return network_.get(); }
  FaultPage* faults() noexcept { return faults_.get(); }

  /// The node's guardian runs.
  bool started(const std::string& node);
  /// The pid of the node's program, if it runs.
  std::optional<pid_t> program(const std::string& node);
  /// How the guardian of a node that is down ended: its exit code, or 128 + the signal.
  std::optional<int> exit_code(const std::string& node);

  Result<NodeStatus> status(const std::string& node, Duration timeout = std::chrono::seconds(1));
  /// The names of `kind` that run on `node`.
  Result<std::vector<std::string>> names(const std::string& node, const std::string& kind,
                                         Duration timeout = std::chrono::seconds(5));
  /// Until every one of `nodes` is active and sees all of them as connected members. The error says
  /// what is missing; a node that ended meanwhile is an error at once.
  Result<void> wait_active(std::span<const std::string> nodes, Duration timeout);
  /// Until the guardian of `node` has ended; its exit code.
  Result<int> wait_stopped(const std::string& node, Duration timeout);
  /// SIGTERM to all, SIGKILL to what is left after `timeout`. The error names what had to be
  /// killed.
  Result<void> stop_all(Duration timeout);

  /// The last lines that the node and its guardian printed.
  std::string log_tail(const std::string& node, std::size_t lines) const;
  std::filesystem::path log_file(const std::string& node) const;

 private:
  struct Member {
    pid_t guardian = 0;  // 0: down
    std::optional<int> exit_code;
    std::unique_ptr<Client> client;
    std::unique_ptr<LocalSlowness> slowness;
  };

  LocalCluster(const Clock& clock, Random& random, LocalClusterOptions options,
               ClusterConfig config, std::filesystem::path file);
  Result<void> make_network(const std::string& text);
  Result<Member*> find(const std::string& node);
  Result<void> signal_program(const std::string& node, int signal);
  std::filesystem::path file_of(const std::string& node) const;
  void look(Member& member);
  void end_group(Member& member);
  bool wait(Duration duration) const { return options_.wait(duration); }
  template <class Request>
  Result<typename Request::Reply> ask(const std::string& node, const Request& request,
                                      Duration timeout);
  std::string missing(std::span<const std::string> nodes);

  const Clock& clock_;
  Random& random_;
  const LocalClusterOptions options_;
  const ClusterConfig config_;
  const std::filesystem::path file_;
  ReservedPorts ports_;
  ReservedPorts proxy_ports_;
  std::unique_ptr<LocalNetwork> network_;
  std::unique_ptr<FaultPage> faults_;
  std::map<std::string, Member, std::less<>> members_;
};

}  // namespace coterie
