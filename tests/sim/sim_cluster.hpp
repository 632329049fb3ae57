#pragma once
// Simulated nodes of processes on one network, driven by the test from outside.

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <coterie/gen_server.hpp>

#include "process/log_capture.hpp"
#include "process/runtime.hpp"
#include "sim/sim_executor.hpp"
#include "sim/sim_network.hpp"
#include "sim/sim_world.hpp"

#include "tests/process/run_on.hpp"

namespace coterie::test {

class SimNode {
 public:
  SimNode(sim::SimWorld& world, sim::SimNetwork& network, const std::string& name, NodeId id,
          unsigned workers)
      : executor(world), log(sink, world.clock(), name) {
    Distribution& port = network.join({name, {1, id}}, executor);
    detail::RuntimeOptions options;
    options.node = name;
    options.incarnation = {1, id};
    options.workers = workers;
    options.stack_bytes = 64u << 10;
    options.overflow_signals = 16;
    runtime = std::make_unique<detail::Runtime>(
        options, detail::RuntimePorts{world.clock(), world.random(), executor, log});
    runtime->set_distribution(&port);
    network.listen(id, *runtime);
  }

  sim::SimExecutor executor;
  CapturedLog sink;
  Log log;
  std::unique_ptr<detail::Runtime> runtime;
};

struct SimCluster {
  explicit SimCluster(std::uint64_t seed, sim::SimNetworkOptions options = {})
      : world(seed), network(world, options) {}
  ~SimCluster() {
    while (!nodes.empty()) kill(nodes.begin()->first, true);
  }

  NodeId start(const std::string& name, unsigned workers = 2) {
    const NodeId id{0x100 + ++started};
    nodes.emplace(id, std::make_unique<SimNode>(world, network, name, id, workers));
    return id;
  }
  detail::Runtime& runtime(NodeId node) { return *nodes.at(node)->runtime; }
  void kill(NodeId node, bool confirmed) {
    // Its ports first: nothing that its destructors do can be seen.
    network.kill(node, confirmed);
    nodes.at(node)->executor.freeze(false);
    EXPECT_TRUE(nodes.at(node)->runtime->stop());
    nodes.erase(node);
  }
  void join_all() {
    network.connect_all();
    world.run_for(std::chrono::milliseconds(20));
  }

  /// Runs `body` in a process of the node, to its end.
  void complete_on(NodeId node, std::move_only_function<void()> body) {
    bool done = false;
    run_on(runtime(node), [&done, body = std::move(body)]() mutable {
      body();
      done = true;
    });
    EXPECT_TRUE(world.run_until([&] { return done; }, std::chrono::seconds(60)))
        << "the process never ended" << log(node);
  }
  std::string log(NodeId node) {
    std::string text;
    for (const auto& entry : nodes.at(node)->sink.entries()) {
      text += "\n" + entry.message;
      for (const auto& [key, value] : entry.fields) text += " " + key + "=" + value;
    }
    return text;
  }

  sim::SimWorld world;
  std::map<NodeId, std::unique_ptr<SimNode>> nodes;
  sim::SimNetwork network;
  std::uint64_t started = 0;
};

}  // namespace coterie::test
