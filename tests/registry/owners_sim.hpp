#pragma once
// Keepers of names, StoreNames or Directory, beside the agreement on each node of a simulated
// cluster: who owns what, and whether that is one at a time. A simulation derives from it, brings
// the load and carries out the rest of the actions.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "registry/name_requests.hpp"
#include "tests/registry/cluster_sim.hpp"

namespace coterie::testing {

template <class Core>
class OwnersSim : public ClusterSim {
 public:
  std::uint64_t oks = 0, taken = 0, timeouts = 0, found = 0;

 protected:
  using ClusterSim::ClusterSim;

  struct Local {
    std::unique_ptr<Core> core;
    // By processes of this node, from the ok to the release.
    std::map<std::string, Registration> owned;
    std::map<std::uint64_t, std::string> asked;
    std::uint64_t next_request = 1;
    Duration timer = Duration::max();
  };

  virtual std::unique_ptr<Core> make_core(const NodePtr& node) = 0;
  virtual void carry_out(const NodePtr& node, typename Core::Action& action) = 0;
  virtual void granted(const NodePtr&, const std::string&, const Registration&) {}
  virtual void given_up(const std::string&, const Registration&) {}

  void node_started(const NodePtr& node) override {
    auto state = std::make_unique<Local>();
    state->core = make_core(node);
    local_[node.get()] = std::move(state);
  }
  void view_installed(const NodePtr& node) override {
    step(node, typename Core::Installed{node->view});
  }
  void lease_changed(const NodePtr& node) override {
    for (const auto& [name, registration] : at_node(node).owned) check_alone(*node, name);
  }
  void node_ended(const NodePtr& node) override {
    for (const auto& [name, registration] : std::exchange(at_node(node).owned, {})) {
      given_up(name, registration);
    }
  }

  Local& at_node(const NodePtr& node) { return *local_.at(node.get()); }
  bool busy() const noexcept { return busy_; }

  void step(const NodePtr& node, const typename Core::Event& event) {
    if (!node->alive) return;
    for (auto& action : at_node(node).core->step(local(*node), event)) carry_out(node, action);
  }
  void arm(const NodePtr& node, Time when_there) {
    const Duration when = at_node(node).timer = real(*node, when_there);
    at(when, [this, node, when] {
      deliver(node, [this, node, when] {
        if (at_node(node).timer == when) step(node, typename Core::Tick{});
      });
    });
  }

  /// The process has ended.
  void release(const NodePtr& node, const std::string& name, const Registration& registration) {
    given_up(name, registration);
    step(node, name_requests::Release{name, registration.id});
  }
  /// The process has ended while it waited: an answer that is there already finds nobody.
  void withdraw(const NodePtr& node, const std::string& name, std::uint64_t request) {
    if (!node->alive) return;
    auto& owned = at_node(node).owned;
    const auto mine = owned.find(name);
    if (mine != owned.end() && mine->second.id == request) {
      given_up(name, mine->second);
      owned.erase(mine);
    }
    step(node, name_requests::Withdraw{request, name});
  }

  /// A name that is granted is confirmed a little later.
  void answer(const NodePtr& node, const name_requests::Reserved& reserved) {
    if (!reserved.result) {
      ++(reserved.result.error().code == NameError::Code::taken ? taken : timeouts);
      return;
    }
    ++oks;
    Local& state = at_node(node);
    const std::string name = state.asked.at(reserved.request);
    if (state.owned.contains(name)) violation("I1 two owners of " + name + " on " + node->name);
    granted(node, name, *reserved.result);
    state.owned[name] = *reserved.result;
    check_alone(*node, name);
    if (!busy_) return release(node, name, state.owned.extract(name).mapped());
    const std::uint64_t request = state.next_request++;
    state.asked[request] = name;
    at(now_ + between(0ms, 50ms), [=, this] {
      deliver(node, [=, this] {
        const auto& owned = at_node(node).owned;
        const auto mine = owned.find(name);
        if (mine == owned.end()) return;
        step(node, name_requests::Confirm{request, name, mine->second.id, local(*node) + 1s});
      });
    });
  }

  /// After run(): everybody gives up its names.
  void give_all_up(Duration most) {
    busy_ = false;
    for (const auto& node : nodes_) {
      if (!node->alive) continue;
      for (auto& [name, registration] : std::exchange(at_node(node).owned, {})) {
        release(node, name, registration);
      }
    }
    const Duration limit = now_ + most;
    while (pending() && step_until(limit)) {
    }
    if (pending()) violation("releases are not done");
  }

 private:
  bool pending() {
    for (const auto& node : nodes_) {
      if (node->alive && at_node(node).core->changes_pending() > 0) return true;
    }
    return false;
  }

  // I1: whoever may run callbacks of a name is alone in that.
  void check_alone(const Node& node, const std::string& name) {
    if (!gate_open(node)) return;
    for (const auto& other : nodes_) {
      if (other.get() == &node || !gate_open(*other)) continue;
      if (at_node(other).owned.contains(name)) {
        violation("I1 two owners of " + name + ": " + node.name + " and " + other->name);
      }
    }
  }

  std::map<const Node*, std::unique_ptr<Local>> local_;
  bool busy_ = true;
};

}  // namespace coterie::testing
