// Process groups over real links that break: a node joins many processes while its connections are
// reset, stalled and cut, and in the end both nodes show the same members.

#include <gtest/gtest.h>

#include <coterie/process_groups.hpp>

#include "registry/local_names.hpp"
#include "tests/transport/fault_storm.hpp"
#include "tests/transport/real_node.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using testing::RealNode;
using testing::TcpProxy;
using Groups = std::map<std::string, std::vector<Pid>>;

struct GroupNode {
  explicit GroupNode(const std::string& name, TransportOptions options)
      : node(name, std::move(options)) {
    node.runtime.set_names(&names);
    node.run([this] {
      trap_exit(true);
      EXPECT_TRUE(pg::start_link("chat"));
      started = true;
      sleep(infinity);
    });
    EXPECT_TRUE(testing::eventually([&] { return started.load(); }));
  }
  /// Joins, leaves and ends, until it is over.
  void work() {
    node.run([this] {
      std::vector<Pid> members;
      while (!over) {
        const std::string group = "group-" + std::to_string(node.random.below(5));
        std::vector<Pid> some;
        for (auto i = node.random.below(200) + 1; i > 0; --i) {
          some.push_back(spawn([] { sleep(infinity); }));
        }
        pg::join("chat", group, some);
        members.insert(members.end(), some.begin(), some.end());
        if (members.size() > 2000) {
          pg::leave("chat", group, members.back());
          for (const Pid& pid : members) exit(pid, ExitReason::kill());
          members.clear();
        }
        sleep(1ms);
      }
      pg::join("chat", "last", spawn([] { sleep(infinity); }));
      working = false;
    });
  }
  Groups seen() {
    Groups groups;
    EXPECT_TRUE(node.complete([&] {
      for (const auto& group : pg::which_groups("chat")) {
        groups[group] = pg::get_members("chat", group);
      }
    }));
    return groups;
  }

  LocalNames names;
  std::atomic<bool> started{false}, over{false}, working{true};
  RealNode node;
};

// Goal: whatever the links went through, both nodes agree in the end.
TEST(NodeGroups, AgreeAfterAStorm) {
  TransportOptions options;
  options.link.link_down_after = 400ms;
  options.link.flap_losses = 1'000'000;
  options.beat_interval = 50ms;
  GroupNode a("a", options), b("b", options);
  TcpProxy to_b(b.node.port()), to_a(a.node.port());
  TcpProxy to_b_control(b.node.links->control_port()), to_a_control(a.node.links->control_port());
  a.node.links->set_members({{"b", to_b.address(), to_b_control.address()}});
  b.node.links->set_members({{"a", to_a.address(), to_a_control.address()}});
  ASSERT_TRUE(connected(a.node, b.node));
  a.work();
  b.work();
  SeededRandom random(11);
  TcpProxy* const proxies[] = {&to_b, &to_a, &to_b_control, &to_a_control};
  testing::storm(proxies, random, after(a.node.clock.now(), testing::storm_time()));
  ASSERT_TRUE(connected(a.node, b.node));
  for (GroupNode* side : {&a, &b}) side->over = true;
  ASSERT_TRUE(testing::eventually([&] { return !a.working && !b.working; }, 60s));
  Groups on_a, on_b;
  EXPECT_TRUE(testing::eventually(
      [&] {
        on_a = a.seen();
        on_b = b.seen();
        return on_a == on_b;
      },
      30s));
  std::size_t of_a = 0, of_b = 0;
  for (const auto& [group, pids] : on_a) {
    for (const Pid& pid : pids) ++(pid.node == a.node.runtime.node() ? of_a : of_b);
  }
  EXPECT_GT(of_a, 0u);
  EXPECT_GT(of_b, 0u);
}

}  // namespace
}  // namespace coterie
