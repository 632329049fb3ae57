// A local registry of unique names: lookups, calls through it, registrations.

#include <string>
#include <utility>
#include <vector>

#include <coterie/registry.hpp>

#include "bench/bench_line.hpp"
#include "bench/local_groups.hpp"
#include "bench/local_node.hpp"

namespace coterie::bench {
namespace {

std::string key_of(int i) { return "key-" + std::to_string(i); }

/// Runs `body` beside a registry "bench" with a thousand servers, key-0 to key-999.
void with_registry(std::move_only_function<void()> body) {
  in_process([&body] {
    const Pid registry = Registry::start({.name = "bench"}).value();
    std::vector<Pid> servers;
    for (int i = 0; i < 1000; ++i) {
      servers.push_back(GenServer::start<Counter>({.name = via("bench", key_of(i))}).value());
    }
    body();
    stop_all(servers);
    GenServer::stop(registry).value();
  });
}

double lookups_per_second(Node& node, int total) {
  std::vector<std::string> keys;
  for (int i = 0; i < 1000; ++i) keys.push_back(key_of(i));
  double result = 0;
  with_registry([&] {
    result = rate(node, total, [&] {
      for (int i = 0; i < total; ++i) {
        Registry::whereis_name("bench", keys[static_cast<std::size_t>(i % 1000)]).value();
      }
    });
  });
  return result;
}

double via_call_p50(Node& node) {
  constexpr int batch = 8;
  std::vector<double> samples(20'000);
  with_registry([&] {
    const ServerRef server = via("bench", key_of(1));
    for (double& sample : samples) {
      const Time start = node.clock.now();
      for (int i = 0; i < batch; ++i) call(server, Counter::Increment{}).value();
      sample = seconds(node.clock.now() - start) * 1e6 / batch;
    }
  });
  return median_of(std::move(samples));
}

double registrations_per_second(Node& node, int total) {
  std::vector<std::string> keys;
  for (int i = 0; i < total; ++i) keys.push_back("new-" + std::to_string(i));
  double result = 0;
  with_registry([&] {
    result = rate(node, total, [&] {
      for (const std::string& key : keys) Registry::register_name("bench", key).value();
    });
  });
  return result;
}

}  // namespace

void measure_names(Figures& figures) {
  Node node;
  figures.measure("registry.lookup", "1/s", [&] { return lookups_per_second(node, 1'000'000); });
  figures.measure("registry.via_call.p50", "us", [&] { return via_call_p50(node); });
  figures.measure("registry.register", "1/s",
                  [&] { return registrations_per_second(node, 200'000); });
}

}  // namespace coterie::bench
