#pragma once
// What a failover test asks its nodes while they run: each node over a client connection of its
// own, so that one that hangs keeps nobody waiting. Nothing here blocks once connect() has
// returned; answers are collected by take(). One thread asks and takes; answers come in on the
// clients'.

#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/failover_facts.hpp"
#include "sim/failover_watch.hpp"
#include "sim/tested_cluster.hpp"

namespace coterie::sim {

class FailoverQuestions {
 public:
  /// `kinds`: whose names are asked for.
  FailoverQuestions(const Clock& clock, TestedCluster& cluster, std::vector<std::string> kinds);
  ~FailoverQuestions();

  /// To a node that runs. Blocks for at most `timeout`.
  std::expected<void, std::string> connect(const std::string& node, Duration timeout);
  /// Moves the beginning of time; answers under way are dropped.
  void start_from(Time begin);

  /// Does nothing while an earlier question of this kind to the node is open.
  void ask_status(const std::string& node);
  /// Names of all kinds and the status of these nodes, as one sighting. Not while one is open.
  void ask_sighting(std::span<const std::string> nodes);
  bool sighting_is_open() const;

  struct Answers {
    std::vector<std::pair<std::string, Heard>> heard;
    std::optional<Sighting> sighting;
  };
  Answers take();

 private:
  struct Inbox;
  template <class Request, class Take>
  void ask(const std::string& node, const Request& request, Take take);
  Duration now() const { return clock_.now() - begin_; }

  const Clock& clock_;
  TestedCluster& cluster_;
  const std::vector<std::string> kinds_;
  Time begin_{};
  std::shared_ptr<Inbox> inbox_;
  std::map<std::string, std::unique_ptr<NodeClient>>
      clients_;  // destroyed first: they fill the inbox
};

}  // namespace coterie::sim
