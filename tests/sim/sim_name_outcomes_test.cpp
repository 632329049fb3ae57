// Rows of "Outcomes of a remote call" (docs/semantics.md) that only a whole cluster has: calls of a
// name that nobody can serve now, from each node. Whole simulated nodes.

#include <gtest/gtest.h>

#include <coterie/pack.hpp>

#include "examples/contracts/contracts.hpp"
#include "examples/contracts/rules.hpp"
#include "sim/sim_cluster.hpp"
#include "supervision/spec_row.hpp"

namespace coterie::test {
namespace {

using namespace std::chrono_literals;
using Code = CallError::Code;
using Execution = CallError::Execution;

class NameOutcomes : public testing::Test {
 protected:
  NameOutcomes() {
    for (const NodeSection& node : config_.nodes) {
      all_.push_back(node.name);
      EXPECT_TRUE(cluster_.host(node.name).start());
    }
    EXPECT_TRUE(world_.run_until([&] { return cluster_.whole(all_); }, 20s));
  }

  static ClusterConfig read_config() {
    auto loaded = load_config(COTERIE_SOURCE_DIR "/cluster-configs/local-3.toml");
    EXPECT_TRUE(loaded) << to_string(loaded.error());
    return *std::move(loaded);
  }
  /// A row of the store as a cluster leaves it behind.
  void store(const std::string& key, Bytes row) {
    const Transaction write{.writes = {{detail::spec_key("contracts", key), std::move(row)}}};
    ASSERT_TRUE(cluster_.store().memory.names.commit({&write, 1}));
    world_.run_for(500ms);
  }
  void store(const std::string& key, detail::SpecState state) {
    detail::SpecRow row;
    row.child.key = key;
    row.state = state;
    row.reason = "of the test";
    row.view = 1;
    store(key, detail::pack_row(row));
  }
  /// The outcome of a client's call at one node.
  Client::Answer ask(const std::string& node, const std::string& key, Duration timeout) {
    Client::Request request;
    request.to = via("contracts", key);
    request.type = contracts::Get::type_name;
    request.payload = pack(contracts::Get{});
    request.timeout = timeout;
    request.named = false;
    std::optional<Client::Answer> answer;
    cluster_.doors().submit(++clients_, node, std::move(request),
                            [&](Client::Answer got) { answer = std::move(got); });
    EXPECT_TRUE(world_.run_until([&] { return answer.has_value(); }, 60s));
    return std::move(answer).value();
  }
  /// The same at every node.
  void expect(const std::string& key, Code code, const std::string& why, Duration timeout = 5s) {
    for (const std::string& node : all_) {
      const auto answer = ask(node, key, timeout);
      ASSERT_FALSE(answer) << node;
      EXPECT_EQ(answer.error().code(), code) << node << ": " << to_string(answer.error());
      EXPECT_EQ(answer.error().execution(), Execution::not_executed) << node;
      EXPECT_NE(answer.error().detail().find(why), std::string::npos) << answer.error().detail();
    }
  }

  const ClusterConfig config_ = read_config();
  sim::SimWorld world_{1};
  sim::SimCluster cluster_{world_, config_, {contracts::application()}};
  std::vector<std::string> all_;
  std::uint64_t clients_ = 0;
};

TEST_F(NameOutcomes, Quarantined) {
  store("poison", detail::SpecState::quarantined);
  expect("poison", Code::quarantined, "contracts/poison is quarantined: of the test");
}

TEST_F(NameOutcomes, Failed) {
  store("broken", detail::SpecState::failed);
  expect("broken", Code::failed, "contracts/broken was given up: of the test");
}

TEST_F(NameOutcomes, DataUnavailable) {
  store("damaged", Bytes("no row"));
  expect("damaged", Code::data_unavailable, "what is stored of contracts/damaged is damaged");
}

TEST_F(NameOutcomes, UnavailableWhileTheStoreIsAway) {
  for (const std::string& node : all_) cluster_.host(node).disk().away = true;
  world_.run_for(5s);
  for (const std::string& node : all_) {
    const auto answer = ask(node, "some", 1s);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().execution(), Execution::not_executed) << to_string(answer.error());
    EXPECT_EQ(answer.error().code(), Code::unavailable) << to_string(answer.error());
  }
}

TEST_F(NameOutcomes, UnavailableWhileItIsBeingStarted) {
  // Its row says that it shall run, and a node that never came back has it.
  for (const std::string& node : all_) cluster_.host(node).disk().full = true;
  detail::SpecRow row;
  row.child.key = "next";
  row.child.restart = Restart::transient;
  row.view = 1;
  store("next", detail::pack_row(row));
  // The last look at the deadline may find no time left to ask the store: the text is either.
  expect("next", Code::unavailable, "", 300ms);
}

}  // namespace
}  // namespace coterie::test
