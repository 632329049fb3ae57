#include "sim/demo_run.hpp"

#include <algorithm>
#include <chrono>
#include <set>

#include "process/seeded_random.hpp"

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration start_wait = 30s;
constexpr Duration rejoin_wait = 60s;
constexpr Duration read_wait = 60s;
constexpr Duration look_interval = 100ms;

std::string interrupted() { return "interrupted"; }

}  // namespace

std::vector<WorkloadOperation> demo_operations(const Workload& workload, const DemoPlan& plan) {
  const auto source = workload.source(plan.seed, {});
  SeededRandom random(plan.seed);
  std::vector<WorkloadOperation> list;
  list.reserve(plan.names + plan.commands);
  std::size_t started = 0;
  const std::size_t first = std::max<std::size_t>(1, plan.names / 5);
  while (started < first) list.push_back(source->start(started++));
  for (std::size_t done = 0; done < plan.commands; ++done) {
    while (started < plan.names &&
           (started - first) * plan.commands <= 2 * done * (plan.names - first)) {
      list.push_back(source->start(started++));
    }
    list.push_back(source->next(random.below(started)));
  }
  while (started < plan.names) list.push_back(source->start(started++));
  return list;
}

DemoRun::DemoRun(const Clock& clock, Random& random, Executor& executor, const Workload& workload,
                 LocalCluster& cluster, DemoPlan plan, std::function<bool(Duration)> wait,
                 TerminalProgress& progress)
    : clock_(clock),
      random_(random),
      executor_(executor),
      workload_(workload),
      cluster_(cluster),
      plan_(plan),
      wait_(std::move(wait)),
      progress_(progress) {
  facts_.nodes = cluster_.nodes();
}

std::expected<DemoFacts, std::string> DemoRun::run(std::vector<WorkloadOperation> operations) {
  facts_.operations = std::move(operations);
  if (auto started = start_cluster(); !started) return std::unexpected(started.error());
  if (auto driven = drive(); !driven) return std::unexpected(driven.error());
  if (auto read = read_everything(); !read) return std::unexpected(read.error());
  return std::move(facts_);
}

std::expected<void, std::string> DemoRun::start_cluster() {
  for (const std::string& node : facts_.nodes) {
    if (auto started = cluster_.start(node); !started) return started;
  }
  if (auto active = cluster_.wait_active(facts_.nodes, start_wait); !active) return active;
  auto caller = ClusterCaller::connect(cluster_.config(), {}, clock_, random_);
  if (!caller) return std::unexpected(caller.error());
  caller_ = *std::move(caller);
  progress_.say("nodes are active: " + std::to_string(facts_.nodes.size()));
  return {};
}

std::expected<void, std::string> DemoRun::drive() {
  RecordedFeed feed(facts_.operations);
  WorkloadDriver driver(workload_, feed, *caller_, clock_, executor_,
                        {.clients = plan_.clients, .rate = plan_.rate});
  const std::uint64_t all = facts_.operations.size();
  const Time begin = clock_.now();
  driver.start();
  bool ended = false;
  for (Time next_look = begin; !ended; ended = driver.wait_for(10ms)) {
    const DriveCounts counts = driver.progress();
    progress_.show(clock_.now(), counts.ended(), all,
                   std::to_string(counts.acknowledged) + " acknowledged, " +
                       std::to_string(counts.refused) + " refused");
    if (facts_.killed.empty() && counts.ended() * 2 >= all) {
      if (auto killed = kill_the_busiest(); !killed) return killed;
      next_look = clock_.now() + look_interval;
    }
    if (!facts_.killed.empty() && !facts_.rejoin && clock_.now() >= next_look) {
      look_for_the_killed();
      next_look = clock_.now() + look_interval;
    }
    if (!wait_(0ms)) return std::unexpected(interrupted());
  }
  progress_.show(clock_.now(), driver.progress().ended(), all, "");
  facts_.took = clock_.now() - begin;
  facts_.records = driver.wait();
  if (facts_.killed.empty()) return std::unexpected("no node was killed: too few commands");
  facts_.probes = probes_->wait();
  while (!facts_.rejoin && clock_.now() < facts_.killed_at + rejoin_wait) {
    look_for_the_killed();
    if (!wait_(look_interval)) return std::unexpected(interrupted());
  }
  return {};
}

std::expected<NamesByNode, std::string> DemoRun::names() {
  NamesByNode found;
  for (const std::string& node : facts_.nodes) {
    auto list = cluster_.names(node, std::string(workload_.kind()));
    if (!list) return std::unexpected("node " + node + ": " + list.error());
    found[node] = *std::move(list);
  }
  return found;
}

std::expected<void, std::string> DemoRun::kill_the_busiest() {
  auto found = names();
  if (!found) return std::unexpected(found.error());
  facts_.before = *std::move(found);
  const auto most = std::ranges::max_element(facts_.before, {},
                                             [](const auto& entry) { return entry.second.size(); });
  const auto status = cluster_.status(most->first);
  if (!status) return std::unexpected("node " + most->first + ": " + status.error());
  killed_run_ = status->incarnation.counter;
  facts_.killed = most->first;
  facts_.killed_at = clock_.now();
  if (auto killed = cluster_.kill(facts_.killed); !killed) return killed;
  progress_.say("kill -9 of node " + facts_.killed + ", which runs " +
                std::to_string(most->second.size()) + " names");
  probe_feed_ = std::make_unique<RecordedFeed>(reads(most->second));
  DriveOptions options;
  options.clients = 64;
  options.attempt_timeout = 1s;
  options.give_up_after = read_wait;
  options.pause_max = 50ms;
  options.absent_after = infinity;  // they exist
  probes_ = std::make_unique<WorkloadDriver>(workload_, *probe_feed_, *caller_, clock_, executor_,
                                             options);
  probes_->start();
  return {};
}

void DemoRun::look_for_the_killed() {
  const auto status = cluster_.status(facts_.killed, 200ms);
  if (!status || status->state != "active" || status->incarnation.counter <= killed_run_) return;
  facts_.rejoin = clock_.now() - facts_.killed_at;
  progress_.say("node " + facts_.killed + " is active again");
}

std::vector<WorkloadOperation> DemoRun::reads(const std::vector<std::string>& keys) const {
  std::vector<WorkloadOperation> list;
  for (const std::string& key : keys) list.push_back(workload_.last_read(key));
  return list;
}

std::expected<void, std::string> DemoRun::read_everything() {
  if (facts_.rejoin) {
    if (auto active = cluster_.wait_active(facts_.nodes, start_wait); !active) return active;
  }
  std::set<std::string> keys;
  for (const WorkloadOperation& operation : facts_.operations) keys.insert(operation.key);
  RecordedFeed feed(reads({keys.begin(), keys.end()}));
  WorkloadDriver driver(workload_, feed, *caller_, clock_, executor_,
                        {.clients = plan_.clients, .give_up_after = read_wait});
  driver.start();
  while (!driver.wait_for(10ms)) {
    if (!wait_(0ms)) return std::unexpected(interrupted());
  }
  facts_.last_reads = driver.wait();
  std::vector<Bytes> replies;
  for (const WorkloadCall& call : workload_.audit_calls()) {
    auto reply = call_until(*caller_, executor_, clock_, call, {}, start_wait);
    if (!reply) {
      facts_.audit.push_back(call.type + ": " + to_string(reply.error()));
      return {};
    }
    replies.push_back(*std::move(reply));
  }
  facts_.audit =
      workload_.audit(replies, last_answers(facts_.last_reads), unknown_keys(facts_.records));
  if (!facts_.rejoin) return {};  // its names cannot be asked for
  auto after = names();
  if (!after) return std::unexpected(after.error());
  facts_.after = *std::move(after);
  return {};
}

}  // namespace coterie::sim
