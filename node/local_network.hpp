#pragma once
// The network between real nodes of one machine, for failover tests: each node dials the others
// through a proxy of its own for that link, so that what it sends can be cut, slowed or reset
// without privileges and without touching the machine's network. A proxy listens exactly while the
// listener behind it does, so a node that is down refuses its peers as it would without.
//
// One thread of its own moves the bytes; all functions may be called from any other.

#include <expected>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <coterie/time.hpp>

#include "node/local_connection.hpp"
#include "process/seeded_random.hpp"

namespace coterie {

class LocalNetwork final {
 public:
  /// What `from` dials when it means `to`'s listener at `target`. Addresses are of this machine.
  struct Route {
    std::string from, to;
    std::string listen, target;
  };
  static std::expected<std::unique_ptr<LocalNetwork>, std::string> start(
      const Clock& clock, std::uint64_t seed, const std::vector<Route>& routes);
  ~LocalNetwork();
  LocalNetwork(const LocalNetwork&) = delete;
  LocalNetwork& operator=(const LocalNetwork&) = delete;

  // All name what one node sends to another: its connections, with the answers on them.
  /// No bytes pass. Cuts add up; what was under way arrives when the last one ends.
  void cut(const std::string& from, const std::string& to);
  void join(const std::string& from, const std::string& to);
  /// As cut(), but the connections are reset when it ends.
  void cut_one_way(const std::string& from, const std::string& to);
  void join_one_way(const std::string& from, const std::string& to);
  /// Ends every cut.
  void heal();
  /// At once, or evenly over a time.
  void reset(const std::string& from, const std::string& to, std::size_t times = 1,
             Duration over = {});
  void delay(const std::string& from, const std::string& to, Duration latency, Duration jitter);
  void throttle(const std::string& from, const std::string& to,
                std::optional<std::uint64_t> bytes_per_second);
  /// A connection stalls from its first frame above `bytes` on. None: those are reset, all is well.
  void blackhole(const std::string& from, const std::string& to,
                 std::optional<std::uint64_t> bytes);

 private:
  using Ends = std::pair<std::string, std::string>;
  struct Link {
    LinkFaults faults;
    ByteAllowance allowance;
  };
  struct Proxy {
    Ends ends;
    std::string listen, target;
    FileDescriptor socket;  // bound; refuses while it does not listen
    bool listens = false;
    Time look_at{};  // when to ask the target again
  };

  struct Reset {
    Time at{};
    Ends ends;
  };

  LocalNetwork(const Clock& clock, std::uint64_t seed) : clock_(clock), random_(seed) {}
  void run();
  Time collect(Time now, std::vector<pollfd>& wanted);
  void serve(Time now, const std::vector<pollfd>& found);
  void look(Proxy& proxy, Time now);
  void accept(std::size_t proxy);
  void set_listening(Proxy& proxy, bool listens, Time now);
  void reset_where(const std::string& from, const std::string& to, bool only_stalled);
  void wake();
  template <class Change>
  void change(const std::string& from, const std::string& to, Change apply);

  const Clock& clock_;
  SeededRandom random_;
  FileDescriptor wake_read_, wake_write_;
  std::mutex mutex_;  // all below, but the thread
  bool over_ = false;
  std::map<Ends, Link> links_;
  std::vector<Proxy> proxies_;
  std::vector<Reset> resets_;  // to come
  std::vector<std::unique_ptr<LocalConnection>> connections_;
  std::thread thread_;
};

}  // namespace coterie
