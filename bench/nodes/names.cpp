// The nodes of cluster.register and cluster.lookup: each has a server that takes names of cluster
// scope and looks them up, as fast as the node can, and tells how long that took.

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include <coterie/call.hpp>
#include <coterie/gen_server.hpp>
#include <coterie/process.hpp>
#include <coterie/program.hpp>

#include "bench/nodes/names.hpp"
#include "process/system_clock.hpp"

namespace coterie::bench {
namespace {

class Named final : public GenServer {};

const SystemClock wall;

Pid named(const std::string& name) {
  return GenServer::start<Named>(StartOptions{.name = global(name)}).value();
}

/// One after another, each by the process that asks; the names are given back when all are there.
std::vector<double> take(const std::string& prefix, std::size_t count) {
  std::vector<double> took;
  std::vector<Pid> holders;
  for (std::size_t i = 0; i < count; ++i) {
    const Time begin = wall.now();
    holders.push_back(named(prefix + std::to_string(i)));
    took.push_back(std::chrono::duration<double, std::micro>(wall.now() - begin).count());
  }
  for (const Pid& holder : holders) exit(holder, ExitReason::kill());
  return took;
}

struct Done {
  double value = 0;
};

class Measuring final : public GenServer {
 public:
  using Calls = Messages<names::Latency, names::Rate, names::Lookups>;

  double handle_call(const names::Latency& asked) {
    std::vector<double> took = take("latency-", asked.count);
    std::ranges::nth_element(took, took.begin() + static_cast<std::ptrdiff_t>(took.size() / 2));
    return took[took.size() / 2];
  }
  double handle_call(const names::Rate& asked) {
    const Time begin = wall.now();
    side_by_side(asked.at_once, [&](std::size_t index) {
      return [prefix = "rate-" + std::to_string(index) + "-", count = asked.count / asked.at_once] {
        static_cast<void>(take(prefix, count));
      };
    });
    return static_cast<double>(asked.count) / seconds_since(begin);
  }
  double handle_call(const names::Lookups& asked) {
    std::vector<Pid> holders;
    for (int i = 0; i < names_looked_up; ++i)
      holders.push_back(named("found-" + std::to_string(i)));
    const Time begin = wall.now();
    side_by_side(asked.at_once, [&](std::size_t) {
      return [count = asked.count / asked.at_once] {
        std::vector<ServerRef> refs;
        for (int i = 0; i < names_looked_up; ++i)
          refs.push_back(global("found-" + std::to_string(i)));
        for (std::size_t i = 0; i < count; ++i) {
          if (!whereis(refs[i % refs.size()])) throw std::runtime_error("a name was not found");
        }
      };
    });
    const double rate = static_cast<double>(asked.count) / seconds_since(begin);
    for (const Pid& holder : holders) exit(holder, ExitReason::kill());
    return rate;
  }

 private:
  static constexpr int names_looked_up = 1000;

  static double seconds_since(Time begin) {
    return std::chrono::duration<double>(wall.now() - begin).count();
  }
  template <class Work>
  static void side_by_side(std::size_t processes, Work work) {
    for (std::size_t i = 0; i < processes; ++i) {
      spawn([run = work(i), to = self()] {
        run();
        coterie::send(to, Done{});
      });
    }
    for (std::size_t i = 0; i < processes; ++i) receive([](const Done&) {});
  }
};

Application measuring() {
  Application application;
  application.name = "bench";
  application.children = [] {
    return std::vector{child<Measuring>("measuring", {.name = local(names::server)})};
  };
  return application;
}

}  // namespace
}  // namespace coterie::bench

int main(int argc, char** argv) {
  return coterie::run_program(argc, argv,
                              {.name = "coterie_bench_names",
                               .description = "A node whose names are measured",
                               .applications = {coterie::bench::measuring()}});
}
