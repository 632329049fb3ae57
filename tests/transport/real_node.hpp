#pragma once
// A node of processes with real links, as the composition root makes it: for tests of what
// processes see of links that break.

#include <map>
#include <string>
#include <utility>

#include "process/runtime.hpp"
#include "process/thread_executor.hpp"
#include "tests/process/run_on.hpp"
#include "tests/transport/transport_fixture.hpp"

namespace coterie::testing {

class RealNode {
 public:
  explicit RealNode(const std::string& name, TransportOptions options = {},
                    detail::RuntimeOptions sizes = {}, std::uint64_t counter = 1)
      : incarnation{counter, static_cast<NodeId>(random.next() | 1)},
        runtime(sizes_of(name, incarnation, std::move(sizes)), {clock, random, executor, log}) {
    options.cluster_id = "test";
    options.node = name;
    options.incarnation = incarnation;
    options.listen = "127.0.0.1:0";
    links = ZmqDistribution::start(std::move(options), clock, random, log, runtime).value();
    runtime.set_distribution(links.get());
  }
  ~RealNode() {
    links->stop(0s);
    if (!runtime.stop()) std::abort();
  }

  std::uint16_t port() const { return parse_host_port(links->address())->port; }
  Pid run(std::move_only_function<void()> body) { return test::run_on(runtime, std::move(body)); }
  /// To its end; false: it has not come.
  bool complete(std::move_only_function<void()> body, Duration most = 60s) {
    const auto done = std::make_shared<std::atomic<bool>>(false);
    run([done, body = std::move(body)]() mutable {
      body();
      *done = true;
    });
    return eventually([&] { return done->load(); }, most);
  }

  SystemClock clock;
  SystemRandom random;
  CapturedLog captured;
  Log log{captured, clock, "test"};
  ThreadExecutor executor{clock};
  Incarnation incarnation;
  detail::Runtime runtime;
  std::unique_ptr<ZmqDistribution> links;

 private:
  static detail::RuntimeOptions sizes_of(const std::string& name, const Incarnation& incarnation,
                                         detail::RuntimeOptions sizes) {
    sizes.node = name;
    sizes.incarnation = incarnation;
    if (sizes.workers == 0) sizes.workers = 1;
    return sizes;
  }
};

inline bool connected(RealNode& a, RealNode& b) {
  return eventually([&] {
    return a.links->connected(b.runtime.options().node) == b.runtime.node() &&
           b.links->connected(a.runtime.options().node) == a.runtime.node();
  });
}

}  // namespace coterie::testing
