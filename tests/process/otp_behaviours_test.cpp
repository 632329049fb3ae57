// What gen_server_SUITE, gen_statem_SUITE and sys_SUITE of OTP check and no other test of ours
// does: callbacks that fail where failing is awkward, chains of continues, timeouts beside sys.

#include <gtest/gtest.h>

#include <coterie/gen_statem.hpp>
#include <coterie/sys.hpp>

#include "tests/process/sim_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::VirtualNode;
using Texts = std::vector<std::string>;

ExitReason end_of(const Pid& pid, auto&& cause) {
  const Ref ref = monitor(pid);
  cause();
  return receive_down(ref, 60s)->reason;
}

// A format_status that fails hides the state, and harms nothing.
class Secretive final : public GenServer {
 public:
  struct Crash {};
  using Casts = Messages<Crash>;
  int& state() { return state_; }
  std::string format_status(const int&) { throw std::runtime_error("no words"); }
  void handle_cast(const Crash&) { throw std::runtime_error("crash"); }

 private:
  int state_ = 42;
};
TEST(OtpGenServer, AFailingFormatStatusHarmsNothing) {
  VirtualNode node;
  const Pid pid = GenServer::start<Secretive>().value();
  const auto status = sys::get_status(pid);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->state.find("42"), std::string::npos);
  ASSERT_TRUE(sys::trace(pid, true));
  EXPECT_TRUE(is_alive(pid));
  // Nor does it hide why its server crashed.
  EXPECT_EQ(end_of(pid, [&] { cast(pid, Secretive::Crash{}); }),
            ExitReason::error("std::runtime_error", "crash"));
}

// OTP: the server ends with what terminate threw, and whoever waits hears that.
class BadEnd final : public GenServer {
 public:
  struct Stop {
    using Reply = int;
  };
  using Calls = Messages<Stop>;
  Outcome<int> handle_call(const Stop&) { return stop(ExitReason::normal(), 7); }
  void terminate(const ExitReason&) { throw std::runtime_error("bad end"); }
};
TEST(OtpGenServer, WhatTerminateThrowsIsTheReason) {
  VirtualNode node;
  const auto bad = ExitReason::error("std::runtime_error", "bad end");
  const Pid one = GenServer::start<BadEnd>().value();
  EXPECT_EQ(end_of(one, [&] { static_cast<void>(call(one, BadEnd::Stop{})); }), bad);
  const Pid two = GenServer::start<BadEnd>().value();
  EXPECT_EQ(GenServer::stop(two).error().reason(), bad);
}

// One continue leads to the next, all before the mailbox; one of them may stop the server.
class Chain final : public GenServer {
 public:
  struct Next1 {
    int left = 0;
  };
  struct Read {
    using Reply = Texts;
  };
  struct Run {
    int times = 0;
    bool ends = false;
  };
  using Calls = Messages<Read>;
  using Casts = Messages<Run>;
  using Continues = Messages<Next1>;
  Texts handle_call(const Read&) { return texts_; }
  Next handle_cast(const Run& run) {
    texts_.push_back("run");
    ends_ = run.ends;
    return noreply().then_continue(Next1{run.times});
  }
  Next handle_continue(const Next1& next) {
    texts_.push_back("continue " + std::to_string(next.left));
    if (next.left > 1) return noreply().then_continue(Next1{next.left - 1});
    return ends_ ? stop(ExitReason::term("done")) : noreply();
  }

 private:
  Texts texts_;
  bool ends_ = false;
};
TEST(OtpGenServer, ContinuesFormAChain) {
  VirtualNode node;
  const Pid pid = GenServer::start<Chain>().value();
  cast(pid, Chain::Run{2});
  cast(pid, Chain::Run{1});
  EXPECT_EQ(call(pid, Chain::Read{}).value(),
            (Texts{"run", "continue 2", "continue 1", "run", "continue 1"}));
  EXPECT_EQ(end_of(pid, [&] { cast(pid, Chain::Run{3, true}); }), ExitReason::term("done"));
}

// A continue that is on no list is the server's mistake: it ends, and the log says with what.
class Forgetful final : public GenServer {
 public:
  struct Load {};
  Init init() { return ok().then_continue(Load{}); }
};
TEST(OtpGenServer, AnUnlistedContinueEndsItsServer) {
  VirtualNode node;
  const Pid pid = GenServer::start<Forgetful>().value();
  const ExitReason reason = test::wait_for_end(pid);
  EXPECT_FALSE(reason.is_clean());
}

// A later answer after the server has gone; a second answer; an answer to one who has left.
class Slow final : public GenServer {
 public:
  struct Ask {
    using Reply = int;
  };
  struct Hand {
    using Reply = std::shared_ptr<std::vector<From<Ask>>>;
  };
  using Calls = Messages<Ask, Hand>;
  Slow() : asked_(std::make_shared<std::vector<From<Ask>>>()) {}
  void handle_call(const Ask&, From<Ask> from) { asked_->push_back(from); }
  std::shared_ptr<std::vector<From<Ask>>> handle_call(const Hand&) { return asked_; }

 private:
  std::shared_ptr<std::vector<From<Ask>>> asked_;
};
TEST(OtpGenServer, AnswersThatComeTooLateOrTwiceAreDropped) {
  VirtualNode node;
  const Pid pid = GenServer::start<Slow>().value();
  EXPECT_EQ(call(pid, Slow::Ask{}, 10ms).error().code(), CallError::Code::timeout);
  const auto asked = call(pid, Slow::Hand{}).value();
  ASSERT_EQ(asked->size(), 1u);
  asked->front().reply(1);
  asked->front().reply(2);
  exit(pid, ExitReason::kill());
  test::wait_for_end(pid);
  asked->front().reply(3);
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

TEST(OtpSys, SuspendAndResumeMayBeSaidTwice) {
  VirtualNode node;
  const Pid pid = GenServer::start<Chain>().value();
  EXPECT_TRUE(sys::suspend(pid));
  EXPECT_TRUE(sys::suspend(pid));
  EXPECT_EQ(sys::get_status(pid)->running, sys::Running::suspended);
  cast(pid, Chain::Run{1});
  EXPECT_TRUE(sys::resume(pid));  // they do not add up
  EXPECT_TRUE(sys::resume(pid));
  EXPECT_EQ(call(pid, Chain::Read{}).value(), (Texts{"run", "continue 1"}));
  EXPECT_EQ(sys::get_status(pid)->running, sys::Running::running);
}

TEST(OtpSys, AStoppedServerMayBeSuspended) {
  VirtualNode node;
  const Pid pid = GenServer::start<Chain>().value();
  ASSERT_TRUE(sys::suspend(pid));
  EXPECT_TRUE(GenServer::stop(pid, ExitReason::normal(), 1s));
  EXPECT_FALSE(is_alive(pid));
}

// ---- state machines

class Lamp final : public GenStatem<Lamp> {
 public:
  struct Off {
    int flips = 0;
  };
  struct On {
    int flips = 0;
  };
  using States = OneOf<Off, On>;
  struct Flip {};
  struct Glow {
    Duration until{};
  };
  struct Wait {
    int times = 0;
  };
  struct Which {
    using Reply = std::string;
  };
  struct Out {};
  using Calls = Messages<Which>;
  using Casts = Messages<Flip, Glow, Wait>;
  using Events = Messages<Out>;

  To<On> handle_event(Off& off, const Flip&) { return next_state(On{off.flips + 1}); }
  To<Off> handle_event(On& on, const Flip&) { return next_state(Off{on.flips + 1}); }
  To<> handle_event(const Glow& glow) { return keep_state().state_timeout(glow.until, Out{}); }
  To<Off> handle_event(On& on, const Out&) { return next_state(Off{on.flips}); }
  To<> handle_event(Off&, const Out&) { return keep_state(); }
  // Postponed while it is off; counted when it is on.
  To<> handle_event(Off&, const Wait&) { return postpone(); }
  void handle_event(On& on, const Wait& wait) { on.flips += 10 * wait.times; }
  std::string handle_event(Off& off, const Which&) { return "off " + std::to_string(off.flips); }
  std::string handle_event(On& on, const Which&) { return "on " + std::to_string(on.flips); }
};

struct OtpStatem : testing::Test {
  VirtualNode node;
  Pid lamp = GenServer::start<Lamp>().value();
  std::string which() { return call(lamp, Lamp::Which{}).value(); }
};

// {state_timeout, infinity, _} cancels the one under way.
TEST_F(OtpStatem, AStateTimeoutOfInfinityCancels) {
  cast(lamp, Lamp::Flip{});
  cast(lamp, Lamp::Glow{10ms});
  cast(lamp, Lamp::Glow{infinity});
  sleep(1s);
  EXPECT_EQ(which(), "on 1");
  cast(lamp, Lamp::Glow{10ms});
  sleep(1s);
  EXPECT_EQ(which(), "off 1");
}

// Postponed events wait for a change of state, not for an event that keeps it.
TEST_F(OtpStatem, PostponedEventsWaitForAChange) {
  cast(lamp, Lamp::Wait{1});
  cast(lamp, Lamp::Glow{10ms});
  cast(lamp, Lamp::Wait{2});
  sleep(1s);
  EXPECT_EQ(which(), "off 0");
  cast(lamp, Lamp::Flip{});
  EXPECT_EQ(which(), "on 31");
}

// A timeout that runs out while the machine is suspended is handled when it goes on.
TEST_F(OtpStatem, ATimeoutWaitsForASuspendedMachine) {
  cast(lamp, Lamp::Flip{});
  cast(lamp, Lamp::Glow{10ms});
  ASSERT_EQ(which(), "on 1");
  ASSERT_TRUE(sys::suspend(lamp));
  sleep(1s);
  EXPECT_EQ(sys::get_status(lamp)->state, "On");
  ASSERT_TRUE(sys::resume(lamp));
  EXPECT_EQ(which(), "off 1");
}

TEST_F(OtpStatem, StopsAsAServerDoes) {
  cast(lamp, Lamp::Wait{1});  // postponed, never handled
  EXPECT_TRUE(GenServer::stop(lamp, ExitReason::shutdown(), 1s));
  EXPECT_EQ(call(lamp, Lamp::Which{}).error().code(), CallError::Code::noproc);
}

}  // namespace
}  // namespace coterie
