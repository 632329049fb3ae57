// What OTP's gen_server_SUITE, gen_statem_SUITE and sys_SUITE check beyond gen_server_otp_test.cpp,
// otp_behaviours_test.cpp, gen_statem_test.cpp and sys_test.cpp, on virtual time. docs/semantics.md
// says of each suite which of its cases have a counterpart.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <coterie/gen_statem.hpp>
#include <coterie/requests.hpp>
#include <coterie/sys.hpp>

#include "tests/process/sim_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::VirtualNode;
using test::wait_for_end;
using testing::ElementsAre;
using Texts = std::vector<std::string>;

std::vector<CapturedLog::Entry> crashes(VirtualNode& node) {
  std::vector<CapturedLog::Entry> found;
  for (const auto& entry : node.sink.entries()) {
    if (entry.message == "process crashed") found.push_back(entry);
  }
  return found;
}

class Plain final : public GenServer {
 public:
  struct Stop {  // returns stop
    using Reply = void;
    static constexpr std::string_view type_name = "plain.stop";
    ExitReason reason;
  };
  struct Quit {  // exits in the middle of its callback
    using Reply = void;
    static constexpr std::string_view type_name = "plain.quit";
    ExitReason reason;
  };
  struct Ask {
    using Reply = int;
    Duration wait{};
  };
  struct Crash {};
  using Calls = Messages<Stop, Quit, Ask>;
  using Casts = Messages<Crash>;
  explicit Plain(bool bad_end = false) : bad_end_(bad_end) {}
  std::string& state() { return state_; }
  Next handle_call(const Stop& m, From<Stop>) { return stop(m.reason); }
  void handle_call(const Quit& m) { exit(m.reason); }
  Next handle_call(const Ask& ask, From<Ask> from) {
    spawn([from, wait = ask.wait] {
      sleep(wait);
      from.reply(42);
    });
    return noreply();
  }
  void handle_cast(const Crash&) { throw std::runtime_error("boom"); }
  void terminate(const ExitReason&) {
    if (bad_end_) throw std::runtime_error("bad end");
  }

 private:
  std::string state_ = "some state";
  bool bad_end_;
};

// gen_server_SUITE:crash. An orderly end is no crash, however it came; its caller hears the reason.
TEST(GenServerSuite, OnlyACrashIsReported) {
  VirtualNode node;
  const ExitReason clean[] = {ExitReason::normal(), ExitReason::shutdown(),
                              ExitReason::shutdown("because")};
  for (const ExitReason& reason : clean) {
    const Pid stops = GenServer::start<Plain>().value();
    EXPECT_EQ(call(stops, Plain::Stop{reason}).error().reason(), reason);
    const Pid quits = GenServer::start<Plain>().value();
    EXPECT_EQ(call(quits, Plain::Quit{reason}).error().reason(), reason);
  }
  EXPECT_TRUE(crashes(node).empty());
  const Pid one = GenServer::start<Plain>().value();
  EXPECT_EQ(call(one, Plain::Quit{ExitReason::term("crashed")}).error().reason(),
            ExitReason::term("crashed"));
  ASSERT_EQ(crashes(node).size(), 1u);
  EXPECT_EQ(crashes(node)[0].field("reason"), "crashed");
  EXPECT_EQ(crashes(node)[0].field("state"), "<<\"some state\">>");
  EXPECT_NE(crashes(node)[0].field("last_message").find("quit"), std::string::npos)
      << crashes(node)[0].field("last_message");
}

// terminate_crash_format: the report of a terminate that threw shows what led to it.
TEST(GenServerSuite, AReportOfABadEndShowsMessageAndState) {
  VirtualNode node;
  const Pid pid = GenServer::start<Plain>({}, true).value();
  const auto failed = call(pid, Plain::Stop{ExitReason::term("asked")});
  EXPECT_EQ(failed.error().reason(), ExitReason::error("std::runtime_error", "bad end"));
  ASSERT_EQ(crashes(node).size(), 1u);
  EXPECT_NE(crashes(node)[0].field("last_message").find("stop"), std::string::npos)
      << crashes(node)[0].field("last_message");
  EXPECT_EQ(crashes(node)[0].field("state"), "<<\"some state\">>");
}

class Secretive final : public GenServer {
 public:
  using Casts = Messages<Plain::Crash>;
  int& state() { return state_; }
  std::string format_status(const int&) { throw std::logic_error("no words"); }
  void handle_cast(const Plain::Crash&) { throw std::runtime_error("boom"); }

 private:
  int state_ = 4711;
};

// crash_in_format_status: nothing that it would have hidden is shown in its place.
TEST(GenServerSuite, AFailingFormatStatusHidesTheStateInReports) {
  VirtualNode node;
  const Pid pid = GenServer::start<Secretive>().value();
  cast(pid, Plain::Crash{});
  wait_for_end(pid);
  ASSERT_EQ(crashes(node).size(), 1u);
  EXPECT_EQ(crashes(node)[0].field("state"), "format_status threw");
  EXPECT_EQ(crashes(node)[0].field("reason"), "{error,std::runtime_error,\"boom\"}");
}

// get_state, replace_state.
TEST(GenServerSuite, ASuspendedServersStateIsReadAndReplaced) {
  VirtualNode node;
  const Pid pid = GenServer::start<Plain>().value();
  ASSERT_TRUE(sys::suspend(pid));
  EXPECT_EQ(sys::get_state<Plain>(pid).value(), "some state");
  EXPECT_EQ(sys::replace_state<Plain>(pid, [](std::string s) { return s + " again"; }).value(),
            "some state again");
  const auto failed = sys::replace_state<Plain>(pid, [](std::string) -> std::string { throw 1; });
  EXPECT_FALSE(failed);
  ASSERT_TRUE(sys::resume(pid));
  EXPECT_EQ(sys::get_state<Plain>(pid).value(), "some state again");
}

/// Continues after each kind of callback, with a message of its own waiting behind.
class Continuing final : public GenServer {
 public:
  struct Mark {};
  struct Now {
    using Reply = std::string;
  };
  struct Later {
    using Reply = std::string;
  };
  struct Read {
    using Reply = Texts;
  };
  struct Info {
    bool stops = false;
  };
  struct Step {
    std::string text;
    bool stops = false;
  };
  struct Answer {};
  using Calls = Messages<Now, Later, Read>;
  using Infos = Messages<Info, Mark>;
  using Continues = Messages<Step, Answer>;
  Outcome<std::string> handle_call(const Now&) {
    send(self(), Mark{});
    return reply(std::string("now")).then_continue(Step{"after now"});
  }
  Next handle_call(const Later&, From<Later> from) {
    send(self(), Mark{});
    asked_ = from;
    return noreply().then_continue(Answer{});
  }
  Texts handle_call(const Read&) { return std::exchange(texts_, {}); }
  Next handle_info(const Info& info) {
    send(self(), Mark{});
    return noreply().then_continue(Step{"after info", info.stops});
  }
  void handle_info(const Mark&) { texts_.push_back("mark"); }
  Next handle_continue(const Step& step) {
    texts_.push_back(step.text);
    return step.stops ? stop(ExitReason::normal()) : noreply();
  }
  Next handle_continue(const Answer&) {
    asked_->reply("later");
    return noreply().then_continue(Step{"after answer"});
  }

 private:
  Texts texts_;
  std::optional<From<Later>> asked_;
};

// gen_server_SUITE:continue.
TEST(GenServerSuite, ContinuesFromEveryCallback) {
  VirtualNode node;
  const Pid pid = GenServer::start<Continuing>().value();
  const auto read = [&] {
    sleep(1ms);
    return call(pid, Continuing::Read{}).value();
  };
  EXPECT_EQ(call(pid, Continuing::Now{}).value(), "now");
  EXPECT_THAT(read(), ElementsAre("after now", "mark"));
  EXPECT_EQ(call(pid, Continuing::Later{}).value(), "later");
  EXPECT_THAT(read(), ElementsAre("after answer", "mark"));
  send(pid, Continuing::Info{});
  EXPECT_THAT(read(), ElementsAre("after info", "mark"));
  const Ref ref = monitor(pid);
  send(pid, Continuing::Info{.stops = true});
  EXPECT_EQ(receive_down(ref)->reason, ExitReason::normal());
}

// send_request, send_request_*_reqid_collection.
TEST(GenServerSuite, RequestsOfACollectionEndEachInItsWay) {
  VirtualNode node;
  const Pid slow = GenServer::start<Plain>().value(), gone = GenServer::start<Plain>().value();
  const auto alone = send_request(slow, Plain::Ask{1ms});
  RequestCollection<Plain::Ask, std::string> asked;
  const auto first = send_request(slow, Plain::Ask{400ms});
  asked.add(first, "first");
  EXPECT_THROW(asked.add(first, "again"), std::invalid_argument);
  asked.add(send_request(gone, Plain::Ask{1s}), "gone");
  asked.add(send_request(slow, Plain::Ask{200ms}), "second");
  exit(gone, ExitReason::shutdown());
  EXPECT_EQ(asked.size(), 3u);
  const auto ended = asked.receive_response();
  EXPECT_EQ(ended->label, "gone");
  EXPECT_EQ(ended->result.error().reason(), ExitReason::shutdown());
  EXPECT_EQ(asked.receive_response()->label, "second");
  EXPECT_EQ(asked.receive_response()->label, "first");
  EXPECT_FALSE(asked.receive_response()) << "no request is left";
  EXPECT_EQ(receive_response(alone).value(), 42) << "it is in no collection";
  // A response to another request is none of it.
  asked.add(send_request(slow, Plain::Ask{2ms}), "mine");
  const auto other = send_request(slow, Plain::Ask{1ms});
  receive([&](const Response& response) {
    EXPECT_FALSE(asked.check_response(response));
    EXPECT_EQ(check_response(response, other)->value(), 42);
  });
  EXPECT_EQ(asked.receive_response()->label, "mine");
}

// gen_server_SUITE:send_request, otp_7669, call_remote*: of who is not there or has just gone.
TEST(GenServerSuite, RequestsToNobodyAreAnswered) {
  VirtualNode node;
  const Pid pid = GenServer::start<Plain>({.name = local("plain")}).value();
  EXPECT_FALSE(wait_response(send_request(local("plain"), Plain::Ask{50ms}), 0s));
  ASSERT_TRUE(GenServer::stop(pid));
  for (const ServerRef& nobody : {ServerRef(pid), ServerRef(local("plain"))}) {
    EXPECT_EQ(receive_response(send_request(nobody, Plain::Ask{})).error().code(),
              CallError::Code::noproc);
    EXPECT_EQ(call(nobody, Plain::Ask{}, infinity).error().code(), CallError::Code::noproc);
    EXPECT_EQ(GenServer::stop(nobody).error().code(), CallError::Code::noproc);
    cast(nobody, Plain::Crash{});
  }
  EXPECT_TRUE(GenServer::start<Plain>({.name = local("plain")}));
}

// ---- state machines

class Gate final : public GenStatem<Gate> {
 public:
  struct Shut {};
  struct Wide {};
  using States = OneOf<Shut, Wide>;
  struct Pass {  // only when it is wide
    using Reply = std::string;
  };
  struct Turn {};
  struct Arm {
    Duration wait{};
  };
  struct End {};
  struct Out {};
  struct Read {
    using Reply = Texts;
  };
  using Calls = Messages<Pass, Read>;
  using Casts = Messages<Turn, Arm, End>;
  using Events = Messages<Out>;
  To<> handle_event(Shut&, const Pass&) { return postpone(); }
  std::string handle_event(Wide&, const Pass&) { return "passed"; }
  To<Wide> handle_event(Shut&, const Turn&) { return next_state(Wide{}); }
  To<Shut> handle_event(Wide&, const Turn&) { return next_state(Shut{}); }
  To<> handle_event(const Arm& arm) { return keep_state().timeout("armed", arm.wait, Out{}); }
  void handle_event(const Out&) { texts_.push_back("out"); }
  To<> handle_event(const End&) { return stop(ExitReason::shutdown("ended")); }
  Texts handle_event(const Read&) { return texts_; }

 private:
  Texts texts_;
};

struct StatemSuite : testing::Test {
  VirtualNode node;
  Pid gate = GenServer::start<Gate>().value();
};

// shutdown, stop_and_reply: who waits behind a postponed event hears of the end.
TEST_F(StatemSuite, APostponedCallHearsOfTheEnd) {
  const auto waiting = send_request(gate, Gate::Pass{});
  EXPECT_FALSE(wait_response(waiting, 10ms));
  cast(gate, Gate::End{});
  const auto failed = receive_response(waiting);
  EXPECT_EQ(failed.error().reason(), ExitReason::shutdown("ended"));
  EXPECT_EQ(call(gate, Gate::Pass{}).error().code(), CallError::Code::noproc);
  EXPECT_TRUE(crashes(node).empty());
}

// abnormal1: a call that waits behind a postponed event has its timeout; the late answer is
// dropped.
TEST_F(StatemSuite, APostponedCallMayTimeOut) {
  EXPECT_EQ(call(gate, Gate::Pass{}, 10ms).error().code(), CallError::Code::timeout);
  cast(gate, Gate::Turn{});
  EXPECT_EQ(call(gate, Gate::Pass{}).value(), "passed");
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

// generic_timers: a time of infinity ends the one of that name.
TEST_F(StatemSuite, ANamedTimeoutOfInfinityCancels) {
  cast(gate, Gate::Arm{10ms});
  cast(gate, Gate::Arm{infinity});
  sleep(1s);
  EXPECT_THAT(call(gate, Gate::Read{}).value(), ElementsAre());
  cast(gate, Gate::Arm{10ms});
  cast(gate, Gate::Turn{});
  sleep(1s);
  EXPECT_THAT(call(gate, Gate::Read{}).value(), ElementsAre("out"));
  EXPECT_EQ(node.runtime.timer_count(), 0u);
}

// sys1: a suspended machine keeps its callers waiting, and takes them in order when it goes on.
TEST_F(StatemSuite, ASuspendedMachineKeepsItsCallersWaiting) {
  ASSERT_TRUE(sys::suspend(gate));
  const auto waiting = send_request(gate, Gate::Pass{});
  cast(gate, Gate::Turn{});
  EXPECT_FALSE(wait_response(waiting, 3s));
  ASSERT_TRUE(sys::resume(gate));
  EXPECT_EQ(receive_response(waiting).value(), "passed");
}

}  // namespace
}  // namespace coterie
