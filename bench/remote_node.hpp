#pragma once
// A node with real links, in a program of its own, and the pipe over which such programs tell each
// other their addresses.

#include <signal.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "bench/local_node.hpp"
#include "transport/zmq_distribution.hpp"

namespace coterie::bench {

struct Keys {
  CurveKeys a, b;
  explicit operator bool() const { return static_cast<bool>(a); }
  std::shared_ptr<Admission> admission(const CurveKeys& own) const {
    if (!own) return nullptr;
    return std::make_shared<Admission>(own, AllowList{{a.public_key, {KeyRole::member, "a"}},
                                                      {b.public_key, {KeyRole::member, "b"}}});
  }
};

struct RemoteNode {
  RemoteNode(const std::string& name, const Keys& keys, const CurveKeys& own, unsigned workers = 1)
      : incarnation{1, static_cast<NodeId>(random.next() | 1)},
        runtime(sizes(name, incarnation, workers), {clock, random, executor, log}) {
    runtime.set_names(&names);
    TransportOptions options;
    options.cluster_id = "bench";
    options.node = name;
    options.incarnation = incarnation;
    options.listen = "127.0.0.1:0";
    options.admission = keys.admission(own);
    options.beat_interval = std::chrono::milliseconds(500);  // as a cluster file's default
    options.link.stream.message_bytes_max = std::size_t{2} << 30;
    links = ZmqDistribution::start(std::move(options), clock, random, log, runtime).value();
    runtime.set_distribution(links.get());
    self.emplace(runtime);
  }
  ~RemoteNode() {
    links->stop(Duration::zero());
    self.reset();
    if (!runtime.stop()) std::abort();
  }

  static detail::RuntimeOptions sizes(const std::string& name, const Incarnation& incarnation,
                                      unsigned workers) {
    detail::RuntimeOptions options;
    options.node = name;
    options.incarnation = incarnation;
    options.workers = workers;
    options.mailbox.bytes = std::size_t{4} << 30;
    return options;
  }

  SystemClock clock;
  SystemRandom random;
  CapturedLog sink;
  Log log{sink, clock, "bench", LogLevel::error};
  ThreadExecutor executor{clock};
  LocalNames names;
  Incarnation incarnation;
  detail::Runtime runtime;
  std::optional<detail::AttachedThread> self;
  std::unique_ptr<ZmqDistribution> links;
};

/// fork(), and the child ends with this program, however that ends.
inline pid_t fork_child() {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0 && (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent)) ::_exit(1);
  return child;
}

/// Seconds of processor time that a program has used.
inline double processor_seconds(pid_t program) {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(program, &clock) != 0 || ::clock_gettime(clock, &used) != 0) {
    std::abort();
  }
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

inline void write_line(int descriptor, std::string text) {
  text.resize(64, '\0');
  if (::write(descriptor, text.data(), text.size()) != 64) ::_exit(1);
}
inline std::string read_line(int descriptor) {
  std::string text(64, '\0');
  if (::read(descriptor, text.data(), text.size()) != 64) std::abort();
  return text.c_str();
}

}  // namespace coterie::bench
