// sys, requests and multi_call between two simulated nodes: the remote half of what
// tests/process/sys_test.cpp and requests_test.cpp hold on one. Virtual time: no sleeps.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <coterie/requests.hpp>
#include <coterie/sys.hpp>

#include "tests/sim/sim_cluster.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::run_on;
using test::SimCluster;

class Ledger final : public GenServer {
 public:
  struct Entry {
    std::string who;
    std::int64_t amount = 0;
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  struct State {
    std::vector<Entry> entries;
    friend bool operator==(const State&, const State&) = default;
  };
  struct Add {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "ledger.add";
    std::string who;
    std::int64_t amount = 0;
  };
  struct Ask {  // answered after a while
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "ledger.ask";
    std::int64_t ms = 0;
  };
  struct Note {
    static constexpr std::string_view type_name = "ledger.note";
  };
  using Calls = Messages<Add, Ask>;
  using Casts = Messages<Note>;
  static constexpr int version = 3;
  State& state() { return state_; }
  std::int64_t handle_call(const Add& m) {
    state_.entries.push_back({m.who, m.amount});
    return m.amount;
  }
  Next handle_call(const Ask& m, From<Ask> from) {
    spawn([from, ms = m.ms] {
      sleep(1ms * ms);
      from.reply(ms);
    });
    return noreply();
  }
  void handle_cast(const Note&) { state_.entries.push_back({"note", 0}); }

 private:
  State state_;
};

struct TwoNodes : SimCluster {
  TwoNodes() : SimCluster(1) {
    a = start("a");
    b = start("b");
    join_all();
    for (const NodeId node : {a, b}) {
      run_on(runtime(node), [this, node] {
        const Pid pid = GenServer::start<Ledger>({.name = local("ledger")}).value();
        if (node == b) server = pid;
      });
    }
    world.run_for(1ms);
  }
  /// Runs `body` on node a to its end.
  void on_a(std::move_only_function<void()> body) { complete_on(a, std::move(body)); }
  std::vector<std::string> debug_lines(NodeId node) {
    std::vector<std::string> lines;
    for (const auto& entry : nodes.at(node)->sink.entries()) {
      if (entry.message.starts_with("*DBG*")) lines.push_back(entry.message);
    }
    return lines;
  }

  NodeId a{}, b{};
  Pid server;
};

TEST(SimSys, StateOfAnotherNodeComesTypedOrAsADump) {
  TwoNodes nodes;
  nodes.on_a([&] {
    call(nodes.server, Ledger::Add{"ann", 7}).value();
    EXPECT_EQ(sys::get_state<Ledger>(nodes.server).value(), (Ledger::State{{{"ann", 7}}}));
    const auto dump = sys::get_state(at("ledger", "b")).value();
    EXPECT_EQ(dump.json, R"({"entries":[{"who":"ann","amount":7}]})");
    EXPECT_EQ(dump.term, R"({[{<<"ann">>,7}]})");
    EXPECT_EQ(dump.version, 3);
    const auto replaced =
        sys::replace_state<Ledger>(nodes.server, [](Ledger::State& s) { s.entries.clear(); });
    EXPECT_EQ(replaced.error().execution(), CallError::Execution::not_executed)
        << "a function cannot leave its node";
    EXPECT_EQ(sys::get_state(at("ledger", "c")).error().code(), CallError::Code::nodedown);
    EXPECT_EQ(sys::get_state(at("nobody", "b")).error().code(), CallError::Code::noproc);
  });
}

TEST(SimSys, Case24SuspendResumeStatusAndTerminateAcrossNodes) {
  TwoNodes nodes;
  nodes.on_a([&] {
    ASSERT_TRUE(sys::suspend(nodes.server));
    const auto status = sys::get_status(nodes.server).value();
    EXPECT_EQ(status.running, sys::Running::suspended);
    EXPECT_EQ(status.name, "ledger");
    EXPECT_EQ(call(nodes.server, Ledger::Add{"ann", 7}, 50ms).error().code(),
              CallError::Code::timeout);
    cast(nodes.server, Ledger::Note{});
    EXPECT_TRUE(sys::get_state<Ledger>(nodes.server)->entries.empty());
    ASSERT_TRUE(sys::resume(nodes.server));
    EXPECT_EQ(sys::get_state<Ledger>(nodes.server)->entries.size(), 1u) << "the cast, not the call";
    EXPECT_TRUE(GenServer::stop(nodes.server, ExitReason::shutdown(), 1s));
    EXPECT_EQ(GenServer::stop(nodes.server).error().code(), CallError::Code::noproc);
  });
}

TEST(SimSys, Row21ATraceIsPrintedAtTheTracingNode) {
  TwoNodes nodes;
  nodes.on_a([&] {
    ASSERT_TRUE(sys::trace(nodes.server, true));
    call(nodes.server, Ledger::Add{"ann", 7}).value();
    cast(nodes.server, Ledger::Note{});
    ASSERT_TRUE(sys::trace(at("ledger", "b"), true)) << "twice: still one line for each event";
    cast(nodes.server, Ledger::Note{});
    sleep(50ms);
    const auto lines = nodes.debug_lines(nodes.a);
    ASSERT_EQ(lines.size(), 6u);
    EXPECT_EQ(lines[0],
              R"(*DBG* ledger got call {add,<<"ann">>,7} from )" + to_string(self(), nodes.b));
    EXPECT_TRUE(lines[1].starts_with("*DBG* ledger sent 7 to ")) << lines[1];
    EXPECT_EQ(lines[2], "*DBG* ledger got cast note");
    EXPECT_EQ(lines[3], R"(*DBG* ledger new state {[{<<"ann">>,7},{<<"note">>,0}]})");
    EXPECT_TRUE(nodes.debug_lines(nodes.b).empty());
    ASSERT_TRUE(sys::trace(nodes.server, false));
    cast(nodes.server, Ledger::Note{});
    sleep(50ms);
    EXPECT_EQ(nodes.debug_lines(nodes.a).size(), 6u);
    EXPECT_EQ(list().size(), 2u) << "this process and node a's ledger: no printer is left";
  });
}

TEST(SimSys, Case21MultiCallCollectsWhatIsThereInTime) {
  TwoNodes nodes;
  nodes.on_a([&] {
    auto all = multi_call("ledger", Ledger::Add{"ann", 7}, 1s);
    std::ranges::sort(all.replies);
    EXPECT_EQ(all.replies, (std::vector<std::pair<std::string, std::int64_t>>{{"a", 7}, {"b", 7}}));
    EXPECT_TRUE(all.bad_nodes.empty());

    // b is silent until after the timeout; what a has answered is kept.
    ASSERT_TRUE(sys::suspend(nodes.server));
    const auto some = multi_call({"a", "b", "c"}, "ledger", Ledger::Ask{10}, 100ms);
    ASSERT_EQ(some.replies.size(), 1u);
    EXPECT_EQ(some.replies[0].first, "a");
    EXPECT_THAT(some.bad_nodes, testing::UnorderedElementsAre("b", "c"));
    ASSERT_TRUE(sys::resume(nodes.server));
    sleep(1s);
    EXPECT_FALSE(receive([](AnyMessage) { return true; }, after(0s, [] { return false; })))
        << "late replies are swallowed";

    abcast("ledger", Ledger::Note{});
    sleep(50ms);
    EXPECT_EQ(sys::get_state<Ledger>(nodes.server)->entries.back().who, "note");
    EXPECT_EQ(sys::get_state<Ledger>(local("ledger"))->entries.back().who, "note");
  });
}

TEST(SimSys, ALostSessionAnswersRequestsOnce) {
  TwoNodes nodes;
  nodes.on_a([&] {
    RequestCollection<Ledger::Ask> asked(10s);
    for (std::size_t i = 0; i < 3; ++i) asked.add(send_request(nodes.server, Ledger::Ask{5000}), i);
    sleep(100ms);
    nodes.network.cut(nodes.a, nodes.b);
    std::size_t lost = 0;
    while (auto next = asked.receive_response()) {
      EXPECT_EQ(next->result.error().code(), CallError::Code::noconnection);
      ++lost;
    }
    EXPECT_EQ(lost, 3u);
    sleep(10s);
    EXPECT_FALSE(receive([](AnyMessage) { return true; }, after(0s, [] { return false; })));
  });
}

}  // namespace
}  // namespace coterie
