// Who may ask what of a node: tables over the cluster file's lists.

#include "node/peer_rights.hpp"

#include <gtest/gtest.h>

namespace coterie {
namespace {

constexpr NodeId own{1}, a{2}, b{3}, stranger{9};

SecuritySection lists(std::vector<std::string> sys, std::vector<std::string> functions = {},
                      std::vector<std::string> spawn = {}) {
  SecuritySection section;
  section.sys_from = std::move(sys);
  section.erpc_from = std::move(functions);
  section.spawn_from = std::move(spawn);
  return section;
}

struct Rights {
  explicit Rights(bool keys, SecuritySection lists = {}) : rights(config(keys, lists), own) {
    rights.node_up({"a", {1, a}});
    rights.node_up({"b", {1, b}});
  }
  static ClusterConfig config(bool keys, const SecuritySection& lists) {
    ClusterConfig config;
    config.security = lists;
    for (const std::string name : {"own", "a", "b"}) {
      NodeSection& node = config.nodes.emplace_back();
      node.name = name;
      if (keys) node.public_keys = {"a key"};
    }
    return config;
  }
  bool refused(NodeId from, const std::string& type, Signal signal = Signal::call) const {
    Envelope envelope;
    envelope.signal = signal;
    envelope.type = type;
    return rights.refusal(from, envelope).has_value();
  }
  PeerRights rights;
};

// With keys nobody may anything that no list says; what is no request of the runtime is
// everybody's.
TEST(PeerRights, NothingIsAllowedByDefaultWithKeys) {
  const Rights with(true);
  for (const char* type : {"coterie.sys.get_state", "coterie.erpc.run", "coterie.spawn.start"}) {
    EXPECT_TRUE(with.refused(a, type)) << type;
    EXPECT_FALSE(with.refused(own, type)) << type;
  }
  for (const char* type : {"coterie.status", "shop.buy", "", "coterie.cluster.start_child"}) {
    EXPECT_FALSE(with.refused(a, type)) << type;
  }
  EXPECT_TRUE(with.refused(a, "coterie.erpc.cast", Signal::cast));
  EXPECT_TRUE(with.refused(a, "coterie.erpc.cast", Signal::send));
  // What a traced server sends back.
  EXPECT_FALSE(with.refused(a, "coterie.sys.trace_line", Signal::send));
}

TEST(PeerRights, WithoutKeysSysIsEverybodysAndTheRestIsNot) {
  const Rights without(false);
  EXPECT_FALSE(without.refused(a, "coterie.sys.get_state"));
  EXPECT_TRUE(without.refused(a, "coterie.erpc.run"));
  EXPECT_TRUE(without.refused(a, "coterie.spawn.start"));
}

TEST(PeerRights, ListsNameNodesOrAll) {
  const Rights rights(true, lists({"a"}, {"*"}, {"b"}));
  EXPECT_FALSE(rights.refused(a, "coterie.sys.suspend"));
  EXPECT_TRUE(rights.refused(b, "coterie.sys.suspend"));
  EXPECT_FALSE(rights.refused(a, "coterie.erpc.run"));
  EXPECT_FALSE(rights.refused(b, "coterie.spawn.start"));
  EXPECT_TRUE(rights.refused(a, "coterie.spawn.start"));
  // Of whom no name is known, that has no session: nothing but what all may.
  EXPECT_TRUE(rights.refused(stranger, "coterie.sys.suspend"));
}

TEST(PeerRights, ANodeThatIsGoneHasNone) {
  Rights rights(true, lists({"a"}));
  rights.rights.node_down({"a", {1, a}});
  EXPECT_TRUE(rights.refused(a, "coterie.sys.suspend"));
  // An incarnation's rights are its name's.
  rights.rights.node_up({"a", {2, stranger}});
  EXPECT_FALSE(rights.refused(stranger, "coterie.sys.suspend"));
}

TEST(PeerRights, TheRefusalSaysWhatToWriteAndIsLoggedOnce) {
  Rights rights(true);
  Envelope envelope;
  envelope.signal = Signal::call;
  envelope.type = "coterie.erpc.run";
  const auto why = rights.rights.refusal(a, envelope);
  ASSERT_TRUE(why);
  EXPECT_EQ(why->code(), CallError::Code::refused);
  EXPECT_EQ(why->execution(), CallError::Execution::not_executed);
  EXPECT_EQ(why->detail(),
            "calls of functions from node a are refused: add \"a\" to security.erpc_from of the "
            "cluster file and restart this node");
  EXPECT_TRUE(rights.rights.first_refusal(a));
  EXPECT_FALSE(rights.rights.first_refusal(a));
  EXPECT_TRUE(rights.rights.first_refusal(b));
}

}  // namespace
}  // namespace coterie
