// What a failed call between two nodes says, case by case: the table of docs/semantics.md under
// "Outcomes of a remote call". Two simulated nodes, virtual time. What needs names and views is
// tested where those are.

#include <gtest/gtest.h>

#include <coterie/requests.hpp>
#include <coterie/sys.hpp>

#include "tests/sim/sim_cluster.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::run_on;
using test::SimCluster;
using Code = CallError::Code;
using Execution = CallError::Execution;

class Till final : public GenServer {
 public:
  struct Pay {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "till.pay";
    std::int64_t value = 0;
  };
  struct Hold {  // never answered
    using Reply = void;
    static constexpr std::string_view type_name = "till.hold";
  };
  struct Crash {
    using Reply = void;
    static constexpr std::string_view type_name = "till.crash";
  };
  struct Leave {
    using Reply = void;
    static constexpr std::string_view type_name = "till.leave";
  };
  struct Describe {
    using Reply = std::string;
    static constexpr std::string_view type_name = "till.describe";
  };
  using Calls = Messages<Pay, Hold, Crash, Leave, Describe>;

  explicit Till(std::int64_t* paid) : paid_(paid) {}
  std::int64_t handle_call(const Pay& m) { return *paid_ += m.value; }
  Next handle_call(const Hold&, From<Hold>) { return noreply(); }
  void handle_call(const Crash&) { throw std::runtime_error("boom"); }
  Outcome<Nothing> handle_call(const Leave&) { return stop(ExitReason::normal()); }
  std::string handle_call(const Describe&) { return "a till"; }

 private:
  std::int64_t* paid_;
};

/// What an older program thinks that Describe answers.
struct DescribeAsNumber {
  using Reply = std::int64_t;
  static constexpr std::string_view type_name = "till.describe";
};

struct OutcomeTable : SimCluster, testing::Test {
  OutcomeTable() : SimCluster(1, {.window = 8}) {
    a = start("a");
    b = start("b");
    join_all();
    run_on(runtime(b), [this] {
      till = GenServer::start<Till>(
                 {.name = local("till"), .mailbox = MailboxLimits{.messages = 4}}, &paid)
                 .value();
    });
    world.run_for(1ms);
  }
  /// The error of a call that a process of node a makes, and that no second one was made of it.
  template <class Message>
  CallError error_of(const ServerRef& to, Message message, Duration timeout = 5s) {
    std::optional<CallError> error;
    complete_on(a, [&] {
      const auto result = call(to, message, timeout);
      ASSERT_FALSE(result);
      error = result.error();
      EXPECT_FALSE(receive([](AnyMessage) { return true; }, after(1s, [] { return false; })));
    });
    return error.value();
  }
  static void expect(const CallError& error, Code code, Execution execution) {
    EXPECT_EQ(error.code(), code) << to_string(error);
    EXPECT_EQ(error.execution(), execution) << to_string(error);
  }
  void suspend() {
    complete_on(a, [this] { ASSERT_TRUE(sys::suspend(till)); });
  }
  void after_100ms(std::move_only_function<void()> body) {
    run_on(runtime(a), [body = std::move(body)]() mutable {
      sleep(100ms);
      body();
    });
  }

  NodeId a{}, b{};
  Pid till;
  std::int64_t paid = 0;
};

TEST_F(OutcomeTable, NameNotFound) {
  expect(error_of(at("nobody", "b"), Till::Pay{1}), Code::noproc, Execution::not_executed);
  expect(error_of(Pid{b, 4711}, Till::Pay{1}), Code::noproc, Execution::not_executed);
}

TEST_F(OutcomeTable, NodeKnownDown) {
  expect(error_of(at("till", "c"), Till::Pay{1}), Code::nodedown, Execution::not_executed);
  network.cut(a, b);
  world.run_for(1s);
  expect(error_of(till, Till::Pay{1}), Code::nodedown, Execution::not_executed);
  EXPECT_EQ(paid, 0);
}

TEST_F(OutcomeTable, RefusedByTheReceiversBound) {
  suspend();
  for (int i = 0; i < 4; ++i) {
    run_on(runtime(a), [this] { static_cast<void>(call(till, Till::Pay{1}, 1h)); });
  }
  world.run_for(50ms);
  expect(error_of(till, Till::Pay{1}), Code::overloaded, Execution::not_executed);
}

TEST_F(OutcomeTable, DeadlineBeforeItCouldBeHandedOver) {
  // More than the window has room for, and its acknowledgements take longer than the deadline.
  complete_on(a, [this] {
    for (int i = 0; i < 8; ++i) send(till, Till::Pay{1});
    const auto late = call(till, Till::Pay{1}, 20us);
    ASSERT_FALSE(late);
    expect(late.error(), Code::timeout, Execution::not_executed);
  });
}

TEST_F(OutcomeTable, SessionLostWithTheRequestUnderWay) {
  after_100ms([this] { network.cut(a, b); });
  expect(error_of(till, Till::Hold{}), Code::noconnection, Execution::unknown);
}

TEST_F(OutcomeTable, SessionLostWithTheRequestInTheMailbox) {
  suspend();
  after_100ms([this] { network.cut(a, b); });
  expect(error_of(till, Till::Pay{1}), Code::noconnection, Execution::unknown);
}

TEST_F(OutcomeTable, TargetDiedBeforeItBegan) {
  suspend();
  after_100ms([this] { exit(till, ExitReason::kill()); });
  const CallError error = error_of(till, Till::Pay{1});
  expect(error, Code::exited, Execution::not_executed);
  EXPECT_EQ(error.reason(), ExitReason::killed());
  EXPECT_EQ(paid, 0);
}

TEST_F(OutcomeTable, TargetCrashedWhileItRan) {
  const CallError error = error_of(till, Till::Crash{});
  expect(error, Code::exited, Execution::executed);
  EXPECT_EQ(to_string(error.reason()), "{error,std::runtime_error,\"boom\"}");
}

TEST_F(OutcomeTable, TargetStoppedWithoutAReply) {
  const CallError error = error_of(till, Till::Leave{});
  expect(error, Code::exited, Execution::unknown);
  EXPECT_EQ(error.reason(), ExitReason::normal());
}

TEST_F(OutcomeTable, DeadlineWhileTheRequestWasQueued) {
  suspend();
  for (const ServerRef& to : {ServerRef(till), ServerRef(at("till", "b"))}) {
    expect(error_of(to, Till::Pay{1}, 100ms), Code::timeout, Execution::not_executed);
  }
  complete_on(a, [this] {
    ASSERT_TRUE(sys::resume(till));
    EXPECT_EQ(call(till, Till::Pay{0}).value(), 0);
  });
}

// The same of requests that are not waited for on the spot: at the timeout they are taken back, and
// the other node's word, or its answer that comes too late, tells what became of them.
TEST_F(OutcomeTable, ARequestThatIsGivenUp) {
  suspend();
  complete_on(a, [this] {
    for (const ServerRef& to : {ServerRef(till), ServerRef(at("till", "b"))}) {
      const auto queued = receive_response(send_request(to, Till::Pay{1}), 100ms);
      ASSERT_FALSE(queued);
      expect(queued.error(), Code::timeout, Execution::not_executed);
    }
    ASSERT_TRUE(sys::resume(till));
    EXPECT_EQ(call(till, Till::Pay{0}).value(), 0);
    const auto begun = receive_response(send_request(till, Till::Hold{}), 100ms);
    ASSERT_FALSE(begun);
    expect(begun.error(), Code::timeout, Execution::unknown);
  });
  network.stall(b, a, true);
  run_on(runtime(a), [this] {
    sleep(110ms);
    network.stall(b, a, false);
  });
  complete_on(a, [this] {
    const auto late = receive_response(send_request(till, Till::Pay{1}), 100ms);
    ASSERT_FALSE(late);
    expect(late.error(), Code::timeout, Execution::executed);
  });
  EXPECT_EQ(paid, 1);
  // Nothing of them waits any more, here or in the mailbox.
  EXPECT_EQ(runtime(a).remote_tables().calls, 0u);
}

// Goal: the same of many at once: each request's own outcome, and one wait for all words.
TEST_F(OutcomeTable, RequestsThatAreGivenUpTogether) {
  complete_on(a, [this] {
    RequestCollection<Till::Hold, std::string> held(100ms);
    held.add(send_request(till, Till::Hold{}), "begun");
    sleep(10ms);
    ASSERT_TRUE(sys::suspend(till));
    held.add(send_request(till, Till::Hold{}), "queued");
    held.add(send_request(at("till", "b"), Till::Hold{}), "queued by name");
    EXPECT_FALSE(held.wait_response());
    const Time before = world.now();
    for (const auto& item : held.give_up()) {
      const bool begun = item.label == "begun";
      expect(item.result.error(), Code::timeout,
             begun ? Execution::unknown : Execution::not_executed);
    }
    EXPECT_LE(world.now() - before, 50ms);
    EXPECT_TRUE(held.give_up().empty());

    const auto all = multi_call({"b", "nowhere"}, "till", Till::Pay{1}, 100ms);
    EXPECT_EQ(all.bad_nodes, (std::vector<std::string>{"nowhere", "b"}));
    ASSERT_EQ(all.errors.size(), 2u);
    expect(all.errors[0], Code::nodedown, Execution::not_executed);
    expect(all.errors[1], Code::timeout, Execution::not_executed);
    ASSERT_TRUE(sys::resume(till));
    EXPECT_EQ(call(till, Till::Pay{0}).value(), 0);
  });
  EXPECT_EQ(runtime(a).remote_tables().calls, 0u);
}

// Goal: without a word the outcome stays unknown, and the wait for it is short.
TEST_F(OutcomeTable, ARequestThatIsGivenUpWithoutAWord) {
  suspend();
  network.stall(b, a, true);
  complete_on(a, [this] {
    const Time before = world.now();
    const auto late = receive_response(send_request(till, Till::Pay{1}), 100ms);
    ASSERT_FALSE(late);
    expect(late.error(), Code::timeout, Execution::unknown);
    EXPECT_LE(world.now() - before, 150ms);
    network.stall(b, a, false);
  });
}

TEST_F(OutcomeTable, DeadlineWhenTheRequestHadBegun) {
  const Time before = world.now();
  expect(error_of(till, Till::Hold{}, 100ms), Code::timeout, Execution::unknown);
  // The server says so: the wait for its word is a round trip, and the test's own second.
  EXPECT_LT(world.now() - before, 1s + 100ms + 15ms);
}

TEST_F(OutcomeTable, DeadlineWithTheReplyOnItsWay) {
  network.stall(b, a, true);
  run_on(runtime(a), [this] {
    sleep(110ms);
    network.stall(b, a, false);
  });
  expect(error_of(till, Till::Pay{1}, 100ms), Code::timeout, Execution::executed);
  EXPECT_EQ(paid, 1);
}

TEST_F(OutcomeTable, DeadlineWithoutAWord) {
  suspend();
  network.stall(b, a, true);
  run_on(runtime(a), [this] {
    sleep(1s);
    network.stall(b, a, false);
  });
  complete_on(a, [this] {
    const Time before = world.now();
    const auto late = call(till, Till::Pay{1}, 100ms);
    ASSERT_FALSE(late);
    expect(late.error(), Code::timeout, Execution::unknown);
    EXPECT_LE(world.now() - before, 150ms);  // the deadline and what is promised after it
    const Time again = world.now();
    ASSERT_FALSE(call(till, Till::Pay{1}, 1ms));
    EXPECT_LE(world.now() - again, 3ms);  // never longer than the call itself
    sleep(2s);
    EXPECT_FALSE(receive([](AnyMessage) { return true; }, after(0s, [] { return false; })));
  });
}

TEST_F(OutcomeTable, ReplyUndecodable) {
  expect(error_of(till, DescribeAsNumber{}), Code::undecodable, Execution::executed);
}

TEST_F(OutcomeTable, CallerIsTheTarget) {
  complete_on(a, [this] {
    const auto result = call(self(), Till::Pay{1});
    ASSERT_FALSE(result);
    expect(result.error(), Code::calling_self, Execution::not_executed);
  });
}

}  // namespace
}  // namespace coterie
