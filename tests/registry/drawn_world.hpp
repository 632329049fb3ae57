#pragma once
// What the simulated clusters of both engines of agreement stand on: one thread, virtual time,
// clocks that drift, pauses, and whatever else is drawn from one seed. A simulation derives from
// it, with a Node derived from DrawnNode. Deterministic: one seed, one run.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "process/ports/agreement.hpp"
#include "registry/agreement_terms.hpp"

namespace coterie::testing {

using namespace std::chrono_literals;

/// One run of a node.
struct DrawnNode {
  std::string name;
  Incarnation incarnation;
  bool alive = true;  // the process runs (perhaps paused)
  double rate = 1.0;  // of its clock
  Duration offset{};
  Duration paused_until{};
  Time lease_end = Time::min();
  NodeState state = NodeState::joining;
  std::shared_ptr<const View> view;
  std::optional<Departure> departure;
  std::vector<std::function<void()>> held;  // while paused
};

template <class Node>
class DrawnWorld {
 public:
  using NodePtr = std::shared_ptr<Node>;

  const std::vector<std::string>& violations() const { return violations_; }
  bool gate_open(const Node& node) const { return node.alive && local(node) < node.lease_end; }
  /// Every live node is active in the last view, and nobody else is in it.
  bool all_agree() const {
    std::size_t live = 0;
    for (const NodePtr& node : nodes_) {
      if (!node->alive) continue;
      ++live;
      if (node->state != NodeState::active || !node->view || *node->view != last_view_) {
        return false;
      }
    }
    return live > 0 && live == last_view_.members.size();
  }
  std::uint64_t freezes = 0, thaws = 0;
  std::uint64_t digest = 14695981039346656037ull;  // of everything that happened

 protected:
  explicit DrawnWorld(std::uint64_t seed) : random_(seed) {}
  ~DrawnWorld() = default;

  // ---- chance
  double chance() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  Duration between(Duration low, Duration high) {
    return low + Duration(static_cast<std::int64_t>(chance() *
                                                    static_cast<double>((high - low).count())));
  }
  NodePtr any_live() {
    std::vector<NodePtr> live;
    std::ranges::copy_if(nodes_, std::back_inserter(live),
                         [](const NodePtr& node) { return node->alive; });
    if (live.empty()) return nullptr;
    return live[random_() % live.size()];
  }
  /// Again and again until the faults end, `mean` apart; zero: never.
  void plan(Duration mean, std::function<void()> fault) {
    if (mean == Duration{}) return;
    const Duration when = now_ + between(0s, 2 * mean);
    if (when >= faults_end_) return;
    at(when, [this, mean, fault] {
      fault();
      plan(mean, fault);
    });
  }
  /// A new run's identity and clock, which is wrong by up to rho with probability `drift`.
  void draw(Node& node, const std::string& name, std::uint64_t counter, double drift) {
    node.name = name;
    node.incarnation = {.counter = counter, .id = NodeId{random_()}};
    std::uint64_t& highest = highest_counter_[name];
    highest = std::max(highest, counter);
    node.offset = between(0s, 1000s);
    if (chance() < drift) node.rate = 1.0 + 0.0099 * (chance() < 0.5 ? -1 : 1);
  }
  /// After the end of `node`; `counter_kept`: how likely the next run forgets to raise its counter.
  /// A process that found its name taken is not started again while its twin may live.
  void draw_restart(const Node& node, double counter_kept,
                    std::function<void(std::uint64_t counter, bool predecessor_dead)> start) {
    std::uint64_t counter = highest_counter_[node.name];
    if (node.departure) counter = std::max(counter, node.departure->counter);
    const bool taken = node.departure && node.departure->kind == Departure::Kind::name_taken;
    if (chance() >= counter_kept || taken) ++counter;
    const bool known_dead = !node.departure && chance() < 0.3;
    at(now_ + between(50ms, 1500ms),
       [this, name = node.name, start = std::move(start), counter, known_dead] {
         if (!live(name)) start(counter, known_dead);
       });
  }

  // ---- time
  void at(Duration when, std::function<void()> what) {
    queue_.push({std::max(when, now_), order_++, std::move(what)});
  }
  /// The next event, if it is due before `limit`.
  bool step_until(Duration limit) {
    if (queue_.empty() || queue_.top().when >= limit) return false;
    Entry next = queue_.top();
    queue_.pop();
    now_ = next.when;
    next.what();
    return true;
  }
  Time local(const Node& node) const {
    return Time(node.offset +
                Duration(static_cast<std::int64_t>(static_cast<double>(now_.count()) * node.rate)));
  }
  Duration real(const Node& node, Time local_time) const {
    const auto ahead = static_cast<double>((local_time - local(node)).count());
    return now_ + std::max(Duration{1}, Duration(static_cast<std::int64_t>(ahead / node.rate) + 1));
  }

  // ---- nodes
  NodePtr live(const std::string& name) const {
    for (const NodePtr& node : nodes_) {
      if (node->alive && node->name == name) return node;
    }
    return nullptr;
  }
  void add(NodePtr node) {
    std::erase_if(nodes_, [](const NodePtr& other) { return !other->alive; });
    nodes_.push_back(std::move(node));
  }
  void deliver(const NodePtr& node, std::function<void()> what) {
    if (!node->alive) return;
    if (now_ < node->paused_until) {
      node->held.push_back(std::move(what));
    } else {
      what();
    }
  }
  void pause(const NodePtr& node, Duration until) {
    node->paused_until = until;
    at(until, [this, node] {
      for (auto& what : std::exchange(node->held, {})) deliver(node, std::move(what));
    });
  }
  void change_state(Node& node, NodeState state) {
    if (state == NodeState::frozen) ++freezes;
    if (node.state == NodeState::frozen && state == NodeState::active) ++thaws;
    node.state = state;
  }

  // ---- what is found
  void note(std::uint64_t value) { digest = (digest ^ value) * 1099511628211ull; }
  void violation(const std::string& what) {
    if (violations_.size() >= 20) return;
    violations_.push_back(std::to_string(static_cast<double>(now_.count()) / 1e9) + " s: " + what);
  }
  void expect_agreement() {
    if (all_agree()) return;
    std::string who;
    for (const NodePtr& node : nodes_) {
      if (node->alive) who += " " + node->name + "=" + std::string(to_string(node->state));
    }
    violation("no agreement after the faults:" + who + ", members " +
              std::to_string(last_view_.members.size()));
  }

  Duration now_{};
  Duration faults_end_{};
  std::mt19937_64 random_;
  std::vector<NodePtr> nodes_;  // the live ones, and who has ended since the last start
  View last_view_;
  std::map<std::string, std::uint64_t> highest_counter_;  // started

 private:
  struct Entry {
    Duration when;
    std::uint64_t order;
    std::function<void()> what;
    bool operator<(const Entry& other) const {
      return when != other.when ? when > other.when : order > other.order;
    }
  };

  std::priority_queue<Entry> queue_;
  std::uint64_t order_ = 0;
  std::vector<std::string> violations_;
};

}  // namespace coterie::testing
