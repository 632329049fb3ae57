#include "sim/sim_cluster.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "process/process.hpp"
#include "registry/record_codec.hpp"

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;

// For what was killed to unwind: runtimes wait for their processes, at most so long.
constexpr Duration unwind_max = 120s;
constexpr std::size_t violations_max = 100;
constexpr Duration bounds_every = 250ms;

}  // namespace

SimCluster::SimCluster(SimWorld& world, const ClusterConfig& config,
                       std::vector<Application> applications)
    : world_(world),
      config_(config),
      applications_(std::move(applications)),
      links_(world),
      doors_(world),
      owners_([this](std::string text) { violation(std::move(text)); }),
      views_([this](std::string text) { violation(std::move(text)); }),
      around_{.world = world,
              .config = config,
              .applications = applications_,
              .links = links_,
              .doors = doors_,
              .store = store_,
              .owners = owners_,
              .views = views_,
              .violation = [this](std::string text) { violation(std::move(text)); },
              .log =
                  [this](const std::string& node, const LogRecord& record) {
                    world_.note(node);
                    world_.note(record.message);
                    if (on_log) on_log(world_.now(), node, record);
                  }} {
  store_.violation = [this](std::string text) { violation(std::move(text)); };
  for (const NodeSection& node : config.nodes) {
    hosts_[node.name] = std::make_unique<SimHost>(around_, node, runs_);
  }
}

SimCluster::~SimCluster() {
  for (const auto& [name, host] : hosts_) {
    host->power_off();
    host->clock().set_rate(1);
  }
  const auto empty = [this] {
    return std::ranges::all_of(hosts_, [](const auto& one) { return one.second->empty(); });
  };
  if (world_.run_until(empty, unwind_max)) return;
  // A callback that never returns: left behind, as a real program's end leaves it.
  for (auto& [name, host] : hosts_) {
    if (!host->empty()) static_cast<void>(host.release());
  }
}

void SimCluster::violation(std::string text) {
  world_.note(text);
  if (violations_.size() < violations_max) violations_.push_back({world_.now(), std::move(text)});
}

void SimCluster::judge_bounds() {
  if (world_.now() < judged_at_) return;
  judged_at_ = after(world_.now(), bounds_every);
  std::string text = links_.beyond_bounds();
  for (auto host = hosts_.begin(); host != hosts_.end() && text.empty(); ++host) {
    if (SimRun* run = host->second->run()) text = run->beyond_bounds();
  }
  if (!text.empty()) violation("I10 " + text);
}

bool SimCluster::whole(std::span<const std::string> nodes) const {
  // First what is soon said: hundreds of nodes are asked all the time until they are.
  const auto active = [&](const std::string& name) {
    SimRun* const run = hosts_.at(name)->run();
    if (run == nullptr || run->parts() == nullptr) return false;
    const Agreement* const agreement = run->parts()->agreement();
    if (agreement == nullptr || agreement->state() != coterie::NodeState::active) return false;
    const auto view = agreement->view();
    return view && view->members.size() == nodes.size() &&
           run->parts()->runtime()->distribution() != nullptr;
  };
  if (!std::ranges::all_of(nodes, active)) return false;
  for (const std::string& name : nodes) {
    const NodeParts& parts = *hosts_.at(name)->run()->parts();
    const auto view = parts.agreement()->view();
    const detail::Runtime& runtime = *parts.runtime();
    for (const std::string& other : nodes) {
      if (view->find(other) == nullptr) return false;
      if (other != name && runtime.distribution()->connected(other) == NodeId::none) return false;
    }
  }
  return true;
}

std::vector<std::string> SimCluster::running(const std::string& node,
                                             const std::string& kind) const {
  std::vector<std::string> names;
  SimRun* run = hosts_.at(node)->run();
  if (run == nullptr || run->parts() == nullptr || run->parts()->runtime() == nullptr) return names;
  detail::Runtime& runtime = *run->parts()->runtime();
  const std::string prefix = kind + "/";
  for (const Pid& pid : runtime.list()) {
    const detail::Process* process = runtime.find(pid);
    if (process == nullptr || !process->strict()) continue;
    if (process->strict_name().starts_with(prefix)) {
      names.emplace_back(process->strict_name().substr(prefix.size()));
    }
  }
  std::ranges::sort(names);
  return names;
}

bool SimCluster::ended(const Pid& pid) {
  for (auto& [name, host] : hosts_) {
    SimRun* const run = host->run();
    if (run == nullptr || run->incarnation().id != pid.node) continue;
    return run->parts() != nullptr && run->parts()->runtime() != nullptr &&
           run->parts()->runtime()->find(pid) == nullptr;
  }
  return false;
}

std::vector<std::string> SimCluster::held_by_nobody() {
  std::vector<std::string> held;
  const auto look = [&](std::string_view name, const Pid& pid, const std::string& where) {
    if (ended(pid)) held.push_back(std::string(name) + where);
  };
  const auto records = store_.memory.names.scan("names/row/");
  for (const Record& record : records ? *records : std::vector<Record>()) {
    const auto row = decode_name(record.value, record.version);
    if (!row) continue;
    look(record.key.substr(record.key.find(':') + 1), {row->incarnation.id, row->serial},
         " on " + row->node + ", version " + std::to_string(record.version));
  }
  for (auto& [name, host] : hosts_) {
    SimRun* const run = host->run();
    const Directory* const directory =
        run != nullptr && run->parts() != nullptr ? run->parts()->directory() : nullptr;
    if (directory == nullptr) continue;
    directory->as_primary().each([&](const std::string& key, const Location& location) {
      look(std::string_view(key).substr(key.find(':') + 1), location.pid,
           " in the directory of " + name + ", epoch " + to_string(location.epoch));
    });
  }
  return held;
}

}  // namespace coterie::sim
