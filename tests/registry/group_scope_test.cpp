// The decisions of process groups, without processes: many nodes over a network that drops,
// doubles, delays and reorders, under partitions, deaths of nodes, of scopes and of members. Once
// it is quiet, everybody who is connected agrees, and who was told of the changes knows what there
// is.

#include "registry/group_scope.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <queue>

#include "process/seeded_random.hpp"

namespace coterie::detail {
namespace {

using Pids = std::vector<Pid>;
using Folded = std::map<std::string, std::map<Pid, int>>;

void fold(Folded& into, const GroupChange& change) {
  for (const Pid& pid : change.pids) {
    int& times = into[change.group][pid];
    times += change.joined ? 1 : -1;
    ASSERT_GE(times, 0) << "somebody left who had not joined: " << change.group;
    if (times == 0) into[change.group].erase(pid);
  }
  if (into[change.group].empty()) into.erase(change.group);
}

Folded folded(const GroupTable& table) {
  Folded result;
  for (const auto& [group, pids] : table.all()) {
    for (const Pid& pid : pids) ++result[group][pid];
  }
  return result;
}

/// Time is a number of steps; what is under way arrives when it likes.
class World {
 public:
  explicit World(std::uint64_t seed, int nodes) : random_(seed), nodes_(nodes) {
    for (int i = 0; i < nodes; ++i) {
      start(i);
      for (int j = 0; j < i; ++j) connect(i, j);
    }
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      act();
      advance(draw(20));
    }
    heal();
    check();
  }

  void check() {
    for (const auto& [id, node] : living_) {
      EXPECT_EQ(folded(node->table), node->told) << "who watches knows something else";
      Folded expected;
      for (const auto& [other_id, other] : living_) {
        for (const auto& [pid, groups] : other->members) {
          for (const auto& [group, times] : groups) {
            if (times > 0) expected[group][pid] = times;
          }
        }
      }
      EXPECT_EQ(folded(node->table), expected) << "after everything has arrived";
      EXPECT_EQ(node->core.peers(), living_.size() - 1);
    }
  }
  std::uint64_t lost = 0, repaired = 0;

 private:
  struct Node {
    Node(Pid self, std::size_t piece)
        : scope(self), table(self.node), core({.self = self, .piece_bytes = piece}, table) {}
    Pid scope;
    GroupTable table;
    GroupScope core;
    Folded told;
    std::set<Pid> monitored;
    std::map<Pid, std::map<std::string, int>> members;  // the truth: of living processes
  };
  using NodePtr = std::shared_ptr<Node>;

  std::uint64_t draw(std::uint64_t bound) { return random_.below(bound); }

  void later(std::uint64_t least, std::uint64_t most, std::function<void()> what) {
    agenda_.emplace(now_ + least + draw(most - least + 1), std::move(what));
  }
  void advance(std::uint64_t steps) {
    const std::uint64_t until = now_ + steps;
    while (!agenda_.empty() && agenda_.begin()->first <= until) {
      auto next = agenda_.extract(agenda_.begin());
      now_ = std::max(now_, next.key());
      next.mapped()();
    }
    now_ = until;
  }

  NodePtr at(NodeId id) const {
    const auto found = living_.find(id);
    return found == living_.end() ? nullptr : found->second;
  }
  NodePtr at(const Pid& scope) const {
    const NodePtr node = at(scope.node);
    return node && node->scope == scope ? node : nullptr;
  }

  void start(int place) {
    const NodeId id{++ids_};
    ids_of_[place] = id;
    living_[id] = std::make_shared<Node>(Pid{id, ++serials_}, 20 + draw(200));
  }
  bool linked(NodeId a, NodeId b) const { return links_.contains(std::minmax(a, b)); }
  void connect(int a, int b) {
    const NodeId one = ids_of_[a], other = ids_of_[b];
    if (!links_.insert(std::minmax(one, other)).second) return;
    for (const auto& [here, there] : {std::pair(one, other), std::pair(other, one)}) {
      later(0, 30, [=, this, here = here, there = there] {
        if (NodePtr node = at(here); node && linked(here, there)) {
          carry_out(node, node->core.node_up(there));
        }
      });
    }
  }
  void cut(NodeId one, NodeId other) {
    if (links_.erase(std::minmax(one, other)) == 0) return;
    for (const auto& [here, there] : {std::pair(one, other), std::pair(other, one)}) {
      later(0, 30, [=, this, here = here, there = there] {
        NodePtr node = at(here);
        if (!node) return;
        for (const Pid& pid : std::set(node->monitored)) {
          if (pid.node == there) down(node, pid);
        }
        carry_out(node, node->core.node_down(there));
      });
    }
  }
  void down(const NodePtr& node, const Pid& pid) {
    if (node->monitored.erase(pid) == 0) return;
    carry_out(node, pid.node == node->scope.node ? node->core.member_down(pid)
                                                 : node->core.peer_down(pid));
  }

  void carry_out(const NodePtr& node, const GroupActions& actions) {
    for (const GroupChange& change : actions.changes) fold(node->told, change);
    for (const Pid& pid : actions.demonitor) node->monitored.erase(pid);
    for (const Pid& pid : actions.monitor) {
      node->monitored.insert(pid);
      const bool alive = pid.node == node->scope.node
                             ? node->members.contains(pid)
                             : at(pid) != nullptr && linked(pid.node, node->scope.node);
      if (!alive) {
        later(1, 5, [=, this] { down(node, pid); });
      }
    }
    for (const NodeId there : actions.ask) {
      if (NodePtr other = at(there)) deliver(node, other->scope, GroupDiscover{node->scope});
    }
    for (const auto& sent : actions.send) {
      for (const Pid& to : sent.to) {
        std::visit([&](const auto& message) { deliver(node, to, message); }, sent.message);
      }
    }
  }

  template <class M>
  void deliver(const NodePtr& from, const Pid& to, const M& message) {
    if (!linked(from->scope.node, to.node)) return;
    const auto arrive = [=, this, sender = from->scope.node] {
      const NodePtr node = at(to);
      if (!node || (quiet_ && !linked(sender, to.node))) return;
      carry_out(node, node->core.received(message));
    };
    if (!quiet_ && draw(20) == 0) {
      ++lost;
      return;
    }
    if (!quiet_ && draw(20) == 0) later(1, 200, arrive);
    // A late one is behind those that were sent after it.
    later(1, !quiet_ && draw(10) == 0 ? 200 : 1, arrive);
  }

  NodePtr some_node() {
    auto found = living_.begin();
    std::advance(found, static_cast<std::ptrdiff_t>(draw(living_.size())));
    return found->second;
  }
  Pid some_member(const NodePtr& node) {
    if (node->members.empty()) return {};
    auto found = node->members.begin();
    std::advance(found, static_cast<std::ptrdiff_t>(draw(node->members.size())));
    return found->first;
  }

  void act() {
    const NodePtr node = some_node();
    const std::string group = "group-" + std::to_string(draw(6));
    switch (draw(12)) {
      case 0:
      case 1:
      case 2: {  // new processes, or known ones again
        Pids pids;
        for (std::uint64_t i = draw(30) + 1; i > 0; --i) {
          Pid pid = draw(3) == 0 ? some_member(node) : Pid{};
          if (!pid) pid = {node->scope.node, ++serials_};
          pids.push_back(pid);
          ++node->members[pid][group];
        }
        carry_out(node, node->core.join(group, pids));
        break;
      }
      case 3:
      case 4: {
        Pids pids;
        bool any = false;
        for (std::uint64_t i = draw(10); i > 0; --i) {
          const Pid pid = some_member(node);
          if (!pid) break;
          pids.push_back(pid);
          int& times = node->members[pid][group];
          any |= times > 0;
          times = std::max(times - 1, 0);
        }
        const GroupActions actions = node->core.leave(group, pids);
        EXPECT_EQ(!actions.changes.empty(), any);
        carry_out(node, actions);
        break;
      }
      case 5:
      case 6: {
        const Pid pid = some_member(node);
        if (!pid) break;
        node->members.erase(pid);
        later(0, 20, [=, this] {
          if (at(node->scope) == node) down(node, pid);
        });
        break;
      }
      case 7:
        cut(node->scope.node, some_node()->scope.node);
        break;
      case 8:
        connect(static_cast<int>(draw(ids_of_.size())), static_cast<int>(draw(ids_of_.size())));
        break;
      case 9:
        if (draw(4) == 0) restart_node();
        break;
      case 10:
        if (draw(4) == 0) restart_scope(node);
        break;
      default:
        beat();
    }
    std::erase_if(links_, [](const auto& link) { return link.first == link.second; });
  }

  void beat() {
    for (const auto& [id, node] : std::map(living_)) carry_out(node, node->core.beat());
  }
  void restart_node() {
    const int place = static_cast<int>(draw(ids_of_.size()));
    const NodeId gone = ids_of_[place];
    for (const auto& [id, other] : std::map(living_)) {
      if (id != gone) cut(id, gone);
    }
    living_.erase(gone);
    start(place);
  }
  /// Its process ends, with all that it knew, and a supervisor starts it again.
  void restart_scope(const NodePtr& node) {
    const NodeId id = node->scope.node;
    const Pid gone = node->scope;
    const NodePtr fresh = std::make_shared<Node>(Pid{id, ++serials_}, 20 + draw(200));
    living_[id] = fresh;
    for (const auto& [other_id, other] : std::map(living_)) {
      if (other_id == id || !linked(id, other_id)) continue;
      later(1, 20, [=, this] {
        if (at(other->scope) == other) down(other, gone);
      });
      carry_out(fresh, fresh->core.node_up(other_id));
    }
  }

  void heal() {
    quiet_ = true;
    advance(500);
    for (int i = 0; i < nodes_; ++i) {
      for (int j = 0; j < i; ++j) connect(i, j);
    }
    advance(500);
    for (int i = 0; i < 2; ++i) {
      beat();
      advance(500);
    }
  }

  SeededRandom random_;
  const int nodes_;
  bool quiet_ = false;
  std::uint64_t now_ = 0, ids_ = 0x10, serials_ = 0;
  std::multimap<std::uint64_t, std::function<void()>> agenda_;
  std::map<NodeId, NodePtr> living_;
  std::map<int, NodeId> ids_of_;
  std::set<std::pair<NodeId, NodeId>> links_;
};

// Goal: whatever was lost, doubled or reordered, all connected nodes agree once it is quiet.
TEST(GroupScope, AgreesAfterEverything) {
  std::uint64_t lost = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(seed, 2 + static_cast<int>(seed % 5));
    world.run(150);
    lost += world.lost;
    if (HasFailure()) break;
  }
  EXPECT_GT(lost, 10'000u) << "nothing was tried";
}

struct Scope {
  explicit Scope(std::uint64_t node, std::size_t piece = 64 << 10)
      : self{NodeId{node}, 1},
        table(self.node),
        core({.self = self, .piece_bytes = piece}, table) {}
  Pid pid(std::uint64_t serial) const { return {self.node, serial}; }
  Pid self;
  GroupTable table;
  GroupScope core;
};

/// Hands what one says to the other, until nobody says any more. How many messages that took.
int talk(Scope& a, Scope& b, GroupActions from_a) {
  int messages = 0;
  std::queue<std::pair<Scope*, GroupActions>> queue;
  queue.emplace(&a, std::move(from_a));
  for (; !queue.empty(); queue.pop()) {
    auto& [from, actions] = queue.front();
    Scope& to = from == &a ? b : a;
    for (const auto& sent : actions.send) {
      ++messages;
      std::visit([&](const auto& message) { queue.emplace(&to, to.core.received(message)); },
                 sent.message);
    }
  }
  return messages;
}

// Goal: two nodes meet with two questions and two answers, whoever asks first.
TEST(GroupScope, MeetsOnce) {
  Scope a(1), b(2);
  a.core.join("x", {a.pid(10)});
  b.core.join("x", {b.pid(20), b.pid(20)});
  EXPECT_EQ(a.core.node_up(b.self.node).ask, std::vector{b.self.node});
  GroupActions asked;
  asked.send.push_back({{b.self}, GroupDiscover{a.self}});
  EXPECT_EQ(talk(a, b, std::move(asked)), 4);
  const Pids all{a.pid(10), b.pid(20), b.pid(20)};
  EXPECT_EQ(a.table.members("x"), all);
  EXPECT_EQ(b.table.members("x"), all);
  EXPECT_EQ(a.table.local_members("x"), Pids{a.pid(10)});
  EXPECT_TRUE(a.core.beat().ask.empty()) << "it has answered";
  EXPECT_EQ(talk(a, b, a.core.leave("x", {a.pid(10)})), 1);
  EXPECT_EQ(b.table.members("x"), (Pids{b.pid(20), b.pid(20)}));
  EXPECT_EQ(b.core.peer_down(a.self).changes.size(), 0u);
  EXPECT_EQ(a.core.peer_down(b.self).changes.size(), 1u);
  EXPECT_TRUE(a.table.groups().empty());
}

// Goal: a lost change is noticed by the next one, a lost last one by the beat; one sync mends it.
TEST(GroupScope, NoticesWhatItHasMissed) {
  Scope a(1), b(2);
  GroupActions asked;
  asked.send.push_back({{b.self}, GroupDiscover{a.self}});
  talk(a, b, std::move(asked));
  static_cast<void>(a.core.join("x", {a.pid(10)}));  // lost
  EXPECT_EQ(talk(a, b, a.core.join("x", {a.pid(11)})), 3) << "update, question, answer";
  EXPECT_EQ(b.table.members("x"), (Pids{a.pid(10), a.pid(11)}));
  static_cast<void>(a.core.member_down(a.pid(10)));  // lost
  EXPECT_EQ(talk(a, b, a.core.beat()), 3);
  EXPECT_EQ(b.table.members("x"), Pids{a.pid(11)});
  EXPECT_EQ(talk(a, b, a.core.beat()), 1);
}

// Goal: no message is longer than was said, however many members there are, and all of them arrive.
TEST(GroupScope, CutsLongMessages) {
  Scope a(1, 1000), b(2, 1000);
  Pids many;
  for (std::uint64_t i = 10; i < 1010; ++i) many.push_back(a.pid(i));
  a.core.join("many", many);
  for (int i = 0; i < 500; ++i) a.core.join("group-" + std::to_string(i), {a.pid(10)});
  GroupActions asked;
  asked.send.push_back({{a.self}, GroupDiscover{b.self}});
  const GroupActions answer = a.core.received(GroupDiscover{b.self});
  std::size_t pieces = 0;
  for (const auto& sent : answer.send) {
    const auto* piece = std::get_if<GroupSync>(&sent.message);
    if (piece == nullptr) continue;
    EXPECT_EQ(piece->piece, pieces++);
    std::size_t bytes = 0;
    for (const auto& part : piece->groups) bytes += part.group.size() + 9 * part.serials.size();
    EXPECT_LE(bytes, 1020u);
  }
  EXPECT_GE(pieces, 15u);
  talk(b, a, std::move(asked));
  EXPECT_EQ(b.table.members("many"), many);
  EXPECT_EQ(b.table.groups(), a.table.groups());
  Pids more;
  for (std::uint64_t i = 2000; i < 3000; ++i) more.push_back(a.pid(i));
  EXPECT_EQ(talk(a, b, a.core.join("more", more)), 10);
  EXPECT_EQ(b.table.members("more"), more);
}

// Goal: a piece that is lost spoils its sync, and the next beat asks for another.
TEST(GroupScope, ALostPieceIsNoSync) {
  Scope a(1, 50), b(2, 50);
  for (int i = 0; i < 20; ++i) a.core.join("group-" + std::to_string(i), {a.pid(10)});
  const GroupActions answer = a.core.received(GroupDiscover{b.self});
  bool skipped = false;
  for (const auto& sent : answer.send) {
    const auto* piece = std::get_if<GroupSync>(&sent.message);
    if (piece != nullptr && (piece->piece != 1 || std::exchange(skipped, true))) {
      static_cast<void>(b.core.received(*piece));
    }
  }
  EXPECT_TRUE(b.table.groups().empty());
  talk(a, b, a.core.beat());
  EXPECT_EQ(b.table.groups().size(), 20u);
}

// Goal: what arrives twice, or after something newer, changes nothing and asks for nothing.
TEST(GroupScope, OldNewsIsNoNews) {
  Scope a(1), b(2);
  GroupActions asked;
  asked.send.push_back({{b.self}, GroupDiscover{a.self}});
  talk(a, b, std::move(asked));
  const GroupSync empty{a.self, 0, 0, true, {}};
  const auto said = [&](const GroupActions& actions) {
    EXPECT_TRUE(actions.changes.empty());
    return actions.send.size();
  };
  const GroupActions joined = a.core.join("x", {a.pid(10)});
  const auto& update = std::get<GroupUpdate>(joined.send.at(0).message);
  EXPECT_EQ(b.core.received(update).changes.size(), 1u);
  EXPECT_EQ(said(b.core.received(update)), 0u);
  EXPECT_EQ(said(b.core.received(empty)), 0u);
  EXPECT_EQ(said(b.core.received(GroupBeat{a.self, 0})), 0u);
  EXPECT_EQ(b.table.members("x"), Pids{a.pid(10)});
}

// Goal: a scope that was started again on a node takes the place of the one before it.
TEST(GroupScope, ANewScopeOfANodeReplacesTheOld) {
  Scope a(1), b(2);
  b.core.join("old", {b.pid(20)});
  GroupActions asked;
  asked.send.push_back({{b.self}, GroupDiscover{a.self}});
  talk(a, b, std::move(asked));
  EXPECT_EQ(a.table.groups(), std::vector<std::string>{"old"});
  const Pid fresh{b.self.node, 99};
  const GroupActions met = a.core.received(GroupDiscover{fresh});
  EXPECT_TRUE(a.table.groups().empty());
  EXPECT_EQ(met.demonitor, Pids{b.self});
  EXPECT_EQ(met.monitor, Pids{fresh});
  EXPECT_TRUE(a.core.peer_down(b.self).changes.empty());
  EXPECT_EQ(a.core.peers(), 1u);
}

}  // namespace
}  // namespace coterie::detail
