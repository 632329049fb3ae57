#pragma once
// A small world of servers and clients on three simulated nodes whose links and nodes fail at
// random. The clients know what each call, cast, monitor and link must lead to; what differs is a
// violation. One thread, so the facts need no lock.

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/sim_cluster.hpp"

namespace coterie::test {

struct ChaosOptions {
  unsigned clients_per_node = 4;
  unsigned actions = 40;
  unsigned faults = 25;
  std::size_t window = 8192;
};

struct ChaosResult {
  std::uint64_t digest = 0;
  std::uint64_t calls = 0, answered = 0, unknown = 0, downs = 0, exits = 0, notes = 0;
  std::vector<std::string> violations;
};

class Chaos {
 public:
  Chaos(std::uint64_t seed, ChaosOptions options);
  ChaosResult run();

 private:
  friend class ChaosClient;
  friend class ChaosServer;

  void start_node(const std::string& name);
  void start_server(NodeId node);
  void start_client(NodeId node);
  void fault();
  void end_all();
  std::string hanging() const;
  void violation(std::string what);
  std::uint64_t draw(std::uint64_t bound) { return cluster_.world.random().below(bound); }
  std::pair<NodeId, NodeId> draw_pair();
  std::uint64_t& losses(NodeId a, NodeId b) { return losses_[std::minmax(a, b)]; }
  void lose_all(NodeId node);

  const ChaosOptions options_;
  std::vector<NodeId> alive_;
  std::vector<Pid> servers_;  // ever started
  std::map<std::pair<NodeId, NodeId>, std::uint64_t> losses_;
  std::map<std::uint64_t, int> executed_;  // by request
  std::set<std::uint64_t> must_not_run_;
  std::uint64_t requests_ = 0;
  std::uint64_t freezes_ = 0;
  int acting_ = 0;   // clients that still act
  int waiting_ = 0;  // clients that wait for the last outcomes
  bool over_ = false;
  std::map<Pid, std::string> doing_;
  ChaosResult result_;
  SimCluster cluster_;  // last: its end unwinds clients that use the rest
};

}  // namespace coterie::test
