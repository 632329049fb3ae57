#include "sim/sim_tested_cluster.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "process/process.hpp"
#include "sim/fault_kinds.hpp"
#include "sim/sim_troubles.hpp"

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;

constexpr int sigsegv = 11;
constexpr int sigkill = 9;
// The bound on clocks' rates that leases rest on (docs/failover.md).
constexpr double rho = 0.01;
// Of what costs a look at every node.
constexpr Duration look_every = 2ms;

std::expected<void, std::string> done(bool well, const std::string& node, const char* what) {
  if (well) return {};
  return std::unexpected("node " + node + " " + what);
}

/// Of a trouble: its node, or the two of its link, or nobody.
std::pair<std::string, std::string> ends_of(const Action& action) {
  if (action.node) return {action.node->text, {}};
  if (action.link.size() == 2) return {action.link[0].text, action.link[1].text};
  return {};
}

class SimClient final : public NodeClient {
 public:
  SimClient(SimDoors& doors, std::uint64_t id, std::string node)
      : doors_(doors), id_(id), node_(std::move(node)) {}
  void submit(Client::Request request, Client::Done done) override {
    doors_.submit(id_, node_, std::move(request), std::move(done));
  }

 private:
  SimDoors& doors_;
  const std::uint64_t id_;
  const std::string node_;
};

/// As ClusterCaller: a connection through each node, which goes to the next one while its own is
/// away.
class SimCaller final : public WorkloadCaller {
 public:
  SimCaller(SimDoors& doors, std::uint64_t first, std::vector<std::string> nodes)
      : doors_(doors), first_(first), nodes_(std::move(nodes)) {}

  std::size_t connections() const override { return nodes_.size(); }
  bool connected(std::size_t connection) const override { return node_of(connection) != nullptr; }
  void submit(std::size_t connection, WorkloadCall call, std::string request_id, Duration timeout,
              Done done) override {
    const std::string* node = node_of(connection);
    doors_.submit(first_ + connection, node != nullptr ? *node : nodes_[connection],
                  request_of(std::move(call), std::move(request_id), timeout), std::move(done));
  }

 private:
  const std::string* node_of(std::size_t connection) const {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const std::string& node = nodes_[(connection + i) % nodes_.size()];
      if (doors_.open(node)) return &node;
    }
    return nullptr;
  }

  SimDoors& doors_;
  const std::uint64_t first_;
  const std::vector<std::string> nodes_;
};

}  // namespace

SimTestedCluster::Result<void> SimTestedCluster::start(const std::string& node) {
  return done(cluster_.host(node).start(), node, "runs already");
}

SimTestedCluster::Result<void> SimTestedCluster::perform(const Deed& deed) {
  if (deed.verb == Deed::Verb::begin) return begin(*deed.fault);
  if (deed.verb == Deed::Verb::end) return end(*deed.fault);
  SimHost& host = cluster_.host(deed.node);
  switch (deed.verb) {
    case Deed::Verb::kill:
      return done(host.end_program(sigkill), deed.node, "does not run");
    case Deed::Verb::power_off:
      return done(host.power_off(), deed.node, "does not run");
    case Deed::Verb::stop:
      return done(host.stop(), deed.node, "does not run");
    case Deed::Verb::start:
      // Another fault, or the service manager, may have brought it back already.
      if (!deed.fault && host.guardian_runs()) return {};
      if (deed.fault) host.lose_state();
      return start(deed.node);
    case Deed::Verb::pause:
      return done(host.pause(true), deed.node, "does not run");
    case Deed::Verb::resume:
      return done(host.pause(false), deed.node, "is not paused");
    case Deed::Verb::begin:
    case Deed::Verb::end:
      break;
  }
  return {};
}

void SimTestedCluster::set_cuts(const Action& action, bool cut) {
  SimLinks& links = cluster_.links();
  if (action.kind == FaultKind::one_way) {
    const std::string& from = action.from->text;
    const std::string& to = action.to->text;
    links.cut(from, to, cut);
    if (!cut) links.reset(from, to);
    return;
  }
  // As on real nodes: the storage stays with one side.
  std::vector<std::string> nodes;
  for (const NodeSection& node : config().nodes) nodes.push_back(node.name);
  for (const std::string& node : apart_from_storage(action, nodes)) {
    unsigned& parted = cluster_.host(node).disk().parted;
    if (cut) {
      ++parted;
    } else if (parted > 0) {
      --parted;
    }
  }
  for (const auto& group : action.groups) {
    for (const Placed& a : group) {
      for (const auto& other : action.groups) {
        if (&other == &group) continue;
        for (const Placed& b : other) links.cut(a.text, b.text, cut);
      }
    }
  }
}

SimTestedCluster::Result<void> SimTestedCluster::begin(const PlannedFault& fault) {
  const Action& action = fault.action;
  SimHost* host = action.node ? &cluster_.host(action.node->text) : nullptr;
  switch (action.kind) {
    case FaultKind::partition:
    case FaultKind::one_way:
      set_cuts(action, true);
      break;
    case FaultKind::heal:
      cluster_.links().heal();
      for (const NodeSection& node : config().nodes) cluster_.host(node.name).disk().parted = 0;
      break;
    case FaultKind::reset:
      cluster_.links().reset(action.link[0].text, action.link[1].text);
      for (std::int64_t i = 1; i < action.times.value_or(1); ++i) {
        const Duration step = action.over.value_or(1s) / action.times.value_or(1);
        cluster_.world().post_at(after(cluster_.world().now(), step * i),
                                 [this, a = action.link[0].text, b = action.link[1].text] {
                                   cluster_.links().reset(a, b);
                                 });
      }
      break;
    case FaultKind::delay:
      cluster_.links().slow(action.link[0].text, action.link[1].text,
                            action.latency.value_or(Duration::zero()),
                            action.jitter.value_or(Duration::zero()));
      break;
    case FaultKind::throttle:
      cluster_.links().throttle(action.link[0].text, action.link[1].text,
                                static_cast<double>(*action.bytes_per_second));
      break;
    case FaultKind::blackhole_large:
      cluster_.links().swallow_above(action.link[0].text, action.link[1].text,
                                     static_cast<std::size_t>(*action.bytes));
      break;
    case FaultKind::slow_disk:
      host->disk().latency = action.latency.value_or(Duration::zero());
      break;
    case FaultKind::full_disk:
      host->disk().full = true;
      break;
    case FaultKind::failing_fsync:
      host->disk().answers_lost = 0.3;
      break;
    case FaultKind::slow_node:
      if (host->run() != nullptr) {
        host->run()->executor().slice_rest = std::chrono::duration_cast<Duration>(
            std::chrono::duration<double, std::milli>(1.0 / *action.factor));
      }
      break;
    case FaultKind::clock_rate:
      if (*action.factor > 1 + rho || *action.factor < 1 - rho) cluster_.clocks_lie();
      host->clock().set_rate(*action.factor);
      host->clock_changed();
      break;
    case FaultKind::clock_jump:
      if (*action.by > Duration::zero()) cluster_.clocks_lie();
      host->clock().jump(*action.by);
      host->clock_changed();
      break;
    case FaultKind::clock_stop:
      cluster_.clocks_lie();
      host->clock().set_rate(0);
      break;
    case FaultKind::crash_name:
      return crash(action.name, action.reason.empty() ? "crashed by a fault" : action.reason);
    case FaultKind::poison:
      cluster_.owners().poison(action.name, [this](std::uint64_t run) {
        for (const NodeSection& node : config().nodes) {
          SimHost& one = cluster_.host(node.name);
          if (one.run() != nullptr && one.run()->number() == run) one.end_program(sigsegv);
        }
      });
      break;
    case FaultKind::trouble: {
      const auto [a, b] = ends_of(action);
      if (!begin_trouble(cluster_, action.name, a, b)) {
        return std::unexpected("there is no trouble \"" + action.name + "\"");
      }
      break;
    }
    default:
      return std::unexpected("the simulator cannot do that");
  }
  return {};
}

SimTestedCluster::Result<void> SimTestedCluster::end(const PlannedFault& fault) {
  const Action& action = fault.action;
  SimHost* host = action.node ? &cluster_.host(action.node->text) : nullptr;
  switch (action.kind) {
    case FaultKind::partition:
    case FaultKind::one_way:
      set_cuts(action, false);
      break;
    case FaultKind::delay:
      cluster_.links().slow(action.link[0].text, action.link[1].text, {}, {});
      break;
    case FaultKind::throttle:
      cluster_.links().throttle(action.link[0].text, action.link[1].text, 0);
      break;
    case FaultKind::blackhole_large:
      cluster_.links().swallow_above(action.link[0].text, action.link[1].text, 0);
      cluster_.links().reset(action.link[0].text, action.link[1].text);
      break;
    case FaultKind::slow_disk:
      host->disk().latency = {};
      break;
    case FaultKind::full_disk:
      host->disk().full = false;
      break;
    case FaultKind::failing_fsync:
      host->disk().answers_lost = 0;
      break;
    case FaultKind::slow_node:
      if (host->run() != nullptr) host->run()->executor().slice_rest = {};
      break;
    case FaultKind::clock_rate:
    case FaultKind::clock_stop:
      host->clock().set_rate(1);
      host->clock_changed();
      break;
    case FaultKind::trouble: {
      const auto [a, b] = ends_of(action);
      end_trouble(cluster_, action.name, a, b);
      break;
    }
    default:
      break;
  }
  return {};
}

SimTestedCluster::Result<void> SimTestedCluster::crash(const std::string& name,
                                                       const std::string& reason) {
  for (const NodeSection& node : config().nodes) {
    SimRun* run = cluster_.host(node.name).run();
    if (run == nullptr || run->parts() == nullptr || run->parts()->runtime() == nullptr) continue;
    detail::Runtime& runtime = *run->parts()->runtime();
    for (const Pid& pid : runtime.list()) {
      const detail::Process* process = runtime.find(pid);
      if (process == nullptr || process->strict_name() != name) continue;
      runtime.signal({}, pid, Signal::exit, Ref::none, ExitReason::term(reason));
      return {};
    }
  }
  return {};  // between two owners: there is nothing to crash
}

std::optional<std::int64_t> SimTestedCluster::program(const std::string& node) {
  const SimRun* run = cluster_.host(node).run();
  if (run == nullptr) return std::nullopt;
  return static_cast<std::int64_t>(run->number());
}

SimTestedCluster::Result<void> SimTestedCluster::wait_active(std::span<const std::string> nodes,
                                                             Duration timeout) {
  const Time end = after(cluster_.world().now(), timeout);
  while (cluster_.world().now() < end) {
    if (cluster_.whole(nodes)) return {};
    cluster_.world().run_for(look_every);
  }
  return std::unexpected("the simulated nodes do not see each other");
}

SimTestedCluster::Result<std::unique_ptr<NodeClient>> SimTestedCluster::connect(
    const std::string& node, Duration) {
  return std::make_unique<SimClient>(cluster_.doors(), ++clients_, node);
}

SimTestedCluster::Result<void> SimTestedCluster::stop_all(Duration timeout) {
  std::vector<std::string> left;
  for (const NodeSection& node : config().nodes) {
    SimHost& host = cluster_.host(node.name);
    host.pause(false);
    host.stop();
  }
  const auto down = [&] {
    left.clear();
    for (const NodeSection& node : config().nodes) {
      if (cluster_.host(node.name).run() != nullptr) left.push_back(node.name);
    }
    return left.empty();
  };
  const Time end = after(cluster_.world().now(), timeout);
  for (; !down() && cluster_.world().now() < end; cluster_.world().run_for(look_every)) {
  }
  if (left.empty()) return {};
  std::string text;
  for (const std::string& node : left) {
    text += (text.empty() ? "" : ", ") + node;
    cluster_.host(node).power_off();
  }
  return std::unexpected("did not leave in time and were killed: " + text);
}

StorageResult<StorageSet> SimTestedCluster::open_storage() {
  StorageSet set;
  class View final : public Streams {
   public:
    explicit View(Streams& streams) : streams_(streams) {}
    StorageResult<std::vector<coterie::Event>> open(std::string_view stream, Epoch epoch) override {
      return streams_.open(stream, epoch);
    }
    StorageResult<std::vector<StorageResult<void>>> append(
        std::span<const Append> appends) override {
      return streams_.append(appends);
    }
    StorageResult<std::vector<coterie::Event>> read(std::string_view stream) override {
      return streams_.read(stream);
    }
    StorageResult<std::vector<std::string>> list(std::string_view prefix) override {
      return streams_.list(prefix);
    }

   private:
    Streams& streams_;
  };
  set.streams = std::make_unique<View>(cluster_.store().streams());
  return set;
}

std::unique_ptr<WorkloadCaller> SimTestedCluster::caller(std::span<const std::string> through) {
  std::vector<std::string> nodes(through.begin(), through.end());
  if (nodes.empty()) {
    for (const NodeSection& node : config().nodes) nodes.push_back(node.name);
  }
  const std::uint64_t first = clients_ + 1;
  clients_ += nodes.size();
  return std::make_unique<SimCaller>(cluster_.doors(), first, std::move(nodes));
}

}  // namespace coterie::sim
