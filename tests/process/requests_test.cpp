// Requests without waiting, on virtual time: responses, collections with one deadline, multi_call.

#include <gtest/gtest.h>

#include <coterie/gen_server.hpp>
#include <coterie/requests.hpp>

#include "tests/process/sim_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::VirtualNode;

class Slow final : public GenServer {
 public:
  struct Ask {  // answers after a while, and takes other requests meanwhile
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "slow.ask";
    std::int64_t ms = 0;
  };
  struct Crash {
    using Reply = void;
    static constexpr std::string_view type_name = "slow.crash";
  };
  struct Count {
    static constexpr std::string_view type_name = "slow.count";
  };
  struct Counted {
    using Reply = int;
    static constexpr std::string_view type_name = "slow.counted";
  };
  using Calls = Messages<Ask, Crash, Counted>;
  using Casts = Messages<Count>;
  Next handle_call(const Ask& ask, From<Ask> from) {
    spawn([from, ms = ask.ms] {
      sleep(1ms * ms);
      from.reply(ms);
    });
    return noreply();
  }
  void handle_call(const Crash&) { throw std::runtime_error("boom"); }
  int handle_call(const Counted&) { return count_; }
  void handle_cast(const Count&) { ++count_; }

 private:
  int count_ = 0;
};

TEST(Requests, AResponseIsWaitedForLater) {
  VirtualNode node;
  const Pid pid = GenServer::start<Slow>({}).value();
  const auto request = send_request<Slow>(pid, Slow::Ask{20});
  EXPECT_EQ(node.elapsed(), 0ms);
  EXPECT_FALSE(wait_response(request, 10ms)) << "not yet";
  EXPECT_EQ(receive_response(request, 1s).value(), 20);
  EXPECT_EQ(node.elapsed(), 20ms);
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

TEST(Requests, WhateverEndsARequestIsItsResponse) {
  VirtualNode node;
  const Pid pid = GenServer::start<Slow>({}).value();
  const auto waiting = send_request(pid, Slow::Ask{1000});
  const auto crashing = send_request(pid, Slow::Crash{});
  const auto queued = send_request(pid, Slow::Counted{});
  EXPECT_EQ(to_string(receive_response(crashing).error().reason()),
            "{error,std::runtime_error,\"boom\"}");
  EXPECT_EQ(receive_response(waiting).error().code(), CallError::Code::exited);
  const auto never_run = receive_response(queued);
  EXPECT_EQ(never_run.error().execution(), CallError::Execution::not_executed);
  EXPECT_EQ(receive_response(send_request(pid, Slow::Counted{})).error().code(),
            CallError::Code::noproc);
  EXPECT_EQ(receive_response(send_request(at("x", "elsewhere"), Slow::Counted{})).error().code(),
            CallError::Code::nodedown);
  EXPECT_EQ(receive_response(send_request(self(), Slow::Counted{})).error().code(),
            CallError::Code::calling_self);
}

TEST(Requests, ARequestGivenUpNeverAnswers) {
  VirtualNode node;
  const Pid pid = GenServer::start<Slow>({}).value();
  const auto late = receive_response(send_request(pid, Slow::Ask{50}), 10ms);
  EXPECT_EQ(late.error().code(), CallError::Code::timeout);
  sleep(1s);
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
  EXPECT_EQ(node.runtime.counters().late_replies, 1u);
}

TEST(Requests, ACollectionHasOneDeadlineForAll) {
  VirtualNode node;
  const Pid pid = GenServer::start<Slow>({}).value();
  RequestCollection<Slow::Ask, std::string> asked(100ms);
  for (const std::int64_t ms : {70, 30, 150, 120}) {
    asked.add(send_request(pid, Slow::Ask{ms}), std::to_string(ms));
  }
  EXPECT_EQ(asked.size(), 4u);
  std::vector<std::string> labels;
  while (auto next = asked.receive_response()) {
    labels.push_back(next->label);
    EXPECT_EQ(std::to_string(next->result.value()), next->label);
  }
  EXPECT_EQ(labels, (std::vector<std::string>{"30", "70"})) << "in order of arrival";
  EXPECT_EQ(node.elapsed(), 100ms);
  EXPECT_EQ(asked.size(), 0u);
  sleep(1s);
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

/// A server that asks another one without waiting for it.
class Front final : public GenServer {
 public:
  struct Ask {
    using Reply = std::int64_t;
  };
  using Calls = Messages<Ask>;
  using Infos = Messages<Response>;
  explicit Front(Pid behind) : behind_(behind) {}
  Next handle_call(const Ask&, From<Ask> from) {
    clients_.emplace_back(send_request(behind_, Slow::Ask{10}), from);
    return noreply();
  }
  void handle_info(const Response& response) {
    for (const auto& [request, client] : clients_) {
      if (auto result = check_response(response, request)) client.reply(result->value());
    }
  }

 private:
  Pid behind_;
  std::vector<std::pair<RequestId<Slow::Ask>, From<Ask>>> clients_;
};

TEST(Requests, AServerGetsResponsesInHandleInfo) {
  VirtualNode node;
  const Pid behind = GenServer::start<Slow>({}).value();
  const Pid front = GenServer::start<Front>({}, behind).value();
  RequestCollection<Front::Ask> asked(1s);
  for (std::size_t i = 0; i < 10; ++i) asked.add(send_request(front, Front::Ask{}), i);
  std::size_t answers = 0;
  while (auto next = asked.receive_response()) answers += next->result.value() == 10 ? 1 : 0;
  EXPECT_EQ(answers, 10u);
  EXPECT_EQ(node.elapsed(), 10ms) << "at the same time";
}

TEST(Requests, MultiCallAndAbcastOnThisNode) {
  VirtualNode node;
  GenServer::start<Slow>({.name = local("slow")}).value();
  abcast("slow", Slow::Count{});
  abcast({"test", "elsewhere"}, "slow", Slow::Count{});
  const auto counted = multi_call("slow", Slow::Counted{});
  ASSERT_EQ(counted.replies.size(), 1u);
  EXPECT_EQ(counted.replies[0], std::pair(std::string("test"), 2));
  EXPECT_TRUE(counted.bad_nodes.empty());
  const auto some = multi_call({"test", "elsewhere"}, "nobody", Slow::Counted{}, 1s);
  EXPECT_TRUE(some.replies.empty());
  EXPECT_EQ(some.bad_nodes.size(), 2u);
}

}  // namespace
}  // namespace coterie
