// Agent: what Elixir's agent_test.exs checks, and the rules of a C++ handle.

#include <gtest/gtest.h>

#include <map>

#include <coterie/agent.hpp>

#include "tests/process/sim_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::VirtualNode;
using Words = std::map<std::string, std::string>;

// Row 1: state only; the functions run in the agent, linked to who started it.
TEST(Agent, KeepsAValueThatFunctionsReadAndChange) {
  VirtualNode node;
  const auto agent = Agent<Words>::start_link([] { return Words(); }).value();
  const Pid pid = std::get<Pid>(agent.ref());
  EXPECT_EQ(info().links, std::vector<Pid>{pid});
  EXPECT_TRUE(agent.update([](Words& words) { words["hello"] = "world"; }));
  EXPECT_EQ(agent.get([](const Words& words) { return words.at("hello"); }, 3s).value(), "world");
  const auto popped = agent.get_and_update([](Words& words) {
    std::string word = std::move(words["hello"]);
    words.clear();
    return word;
  });
  EXPECT_EQ(popped.value(), "world");
  EXPECT_TRUE(agent.get([](const Words& words) { return words.empty(); }).value());
  EXPECT_TRUE(agent.stop());
  EXPECT_FALSE(is_alive(pid));
}

TEST(Agent, TakesFunctionsThatReturnTheNewState) {
  VirtualNode node;
  const auto agent = Agent<int>::start(40).value();
  EXPECT_TRUE(agent.update([](int n) { return n + 1; }));
  EXPECT_EQ(agent.get_and_update([](int n) { return std::pair(std::to_string(n), n + 1); }).value(),
            "41");
  agent.cast([](int n) { return n * 2; });
  EXPECT_EQ(agent.get([](int n) { return n; }).value(), 84);
}

TEST(Agent, IsReachedByItsName) {
  VirtualNode node;
  const auto started = Agent<Words>::start([] { return Words(); }, {.name = local("agent")});
  ASSERT_TRUE(started);
  const Agent<Words> agent(local("agent"));
  agent.cast([](Words& words) { words["hello"] = "world"; });
  EXPECT_EQ(agent.get([](const Words& words) { return words.at("hello"); }).value(), "world");
  const auto second = Agent<Words>::start(Words(), {.name = local("agent")});
  EXPECT_EQ(second.error().code, StartError::Code::already_started);
  EXPECT_TRUE(agent.stop());
  EXPECT_FALSE(whereis("agent"));
  EXPECT_EQ(agent.get([](const Words& w) { return w.size(); }).error().code(),
            CallError::Code::noproc);
}

// Row 1: an Agent's handle is accepted wherever a server reference is.
TEST(Agent, GoesWhereAServerRefGoes) {
  VirtualNode node;
  const auto agent = Agent<int>::start(0).value();
  const Ref ref = monitor(agent);
  EXPECT_TRUE(GenServer::stop(agent, ExitReason::shutdown(), 1s));
  receive(when([ref](const Down& down) { return down.ref == ref; },
               [](const Down& down) { EXPECT_EQ(down.reason, ExitReason::shutdown()); }));
}

TEST(Agent, RunsItsFunctionsInItself) {
  VirtualNode node;
  Pid made_in;
  const auto agent = Agent<int>::start([&made_in] {
                       made_in = self();
                       return 1;
                     }).value();
  EXPECT_EQ(made_in, std::get<Pid>(agent.ref()));
  EXPECT_EQ(agent.get([](int) { return self(); }).value(), made_in);
}

TEST(Agent, AFunctionThatThrowsEndsItAndTellsTheCaller) {
  VirtualNode node;
  const auto agent = Agent<int>::start(1).value();
  const auto got = agent.update([](int&) { throw std::runtime_error("boom"); });
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), CallError::Code::exited);
  EXPECT_EQ(to_string(got.error().reason()), "{error,std::runtime_error,\"boom\"}");
  const auto failed = Agent<int>::start([]() -> int { throw std::runtime_error("no"); });
  EXPECT_EQ(failed.error().reason, ExitReason::error("std::runtime_error", "no"));
}

// 5000 ms is the default, as in Elixir; a late value goes nowhere.
TEST(Agent, ACallerStopsWaitingAtItsTimeout) {
  VirtualNode node;
  const auto agent = Agent<int>::start(1).value();
  const auto late = agent.get([](int n) {
    sleep(6s);
    return n;
  });
  EXPECT_EQ(late.error().code(), CallError::Code::timeout);
  EXPECT_GE(node.elapsed(), 5s);
  EXPECT_LT(node.elapsed(), 6s);
  EXPECT_EQ(agent.get([](int n) { return n; }).value(), 1);
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

TEST(Agent, KeepsValuesThatCannotBeCopied) {
  VirtualNode node;
  const auto agent =
      Agent<std::unique_ptr<int>>::start([] { return std::make_unique<int>(7); }).value();
  EXPECT_EQ(agent.get([](const std::unique_ptr<int>& p) { return *p; }).value(), 7);
  const auto taken = agent.get_and_update([](std::unique_ptr<int>& p) { return std::move(p); });
  EXPECT_EQ(**taken, 7);
}

}  // namespace
}  // namespace coterie
