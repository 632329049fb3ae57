// GenServer against OTP's rules, on virtual time: what init may return, the order of callbacks,
// replies and ends, idle timeouts, exact exit reasons, crash reports. Names carry the numbers of
// the conformance cases and rows that they hold (docs/semantics.md). What Elixir's own
// gen_server_test.exs checks is here or in gen_server_test.cpp.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <coterie/sys.hpp>

#include "tests/process/sim_fixture.hpp"

namespace coterie {

/// Not in an unnamed namespace: its functions have names in stack traces.
class Thrower final : public GenServer {
 public:
  struct Throw {
    using Reply = void;
    static constexpr std::string_view type_name = "thrower.throw";
  };
  using Calls = Messages<Throw>;
  // `used` keeps an optimiser from making copies that have no name.
  [[gnu::noinline, gnu::used]] void handle_call(const Throw&) {
    try {
      throw std::logic_error("caught inside");
    } catch (const std::logic_error&) {
    }
    throw_deep();
  }
  [[gnu::noinline, gnu::used]] static void throw_deep() { throw std::runtime_error("deep"); }
};

namespace {

using namespace std::chrono_literals;
using test::run_process;
using test::VirtualNode;
using test::wait_for_end;

using Trace = std::vector<std::string>;

/// Does what its messages say, and writes down what it did.
class Script final : public GenServer {
 public:
  struct Say {  // replies at once
    using Reply = std::string;
    static constexpr std::string_view type_name = "script.say";
    std::string text;
  };
  struct Mute {  // no reply, no From
    using Reply = void;
    static constexpr std::string_view type_name = "script.mute";
  };
  struct Never {  // a reply that never comes
    using Reply = void;
    static constexpr std::string_view type_name = "script.never";
  };
  struct Stop {  // stops with its reply
    using Reply = std::string;
    static constexpr std::string_view type_name = "script.stop";
    std::string reason = "normal";
  };
  struct Wait {  // replies, then an idle timeout
    using Reply = void;
    static constexpr std::string_view type_name = "script.wait";
    std::int64_t ms = 0;
  };
  struct Throw {
    static constexpr std::string_view type_name = "script.throw";
  };
  struct StopCast {
    static constexpr std::string_view type_name = "script.stop_cast";
  };
  struct GoOn {
    static constexpr std::string_view type_name = "script.go_on";
    int steps = 1;
  };
  struct Known {};
  struct Step {
    int left = 0;
  };
  using Calls = Messages<Say, Mute, Never, Stop, Wait>;
  using Casts = Messages<Throw, StopCast, GoOn>;
  using Infos = Messages<Timeout, Known, Exit, Down>;
  using Continues = Messages<Step>;

  enum class Begin { ok, continued, ignored, stopped, error, timeout, thrown, slow };
  explicit Script(Trace* trace, Begin begin = Begin::ok) : trace_(trace), begin_(begin) {}
  ~Script() { note("destroyed"); }

  Trace& state() { return *trace_; }
  Init init() {
    note("init");
    switch (begin_) {
      case Begin::continued:
        return ok().then_continue(Step{1});
      case Begin::ignored:
        return ignore();
      case Begin::stopped:
        return stop(ExitReason::term("no"));
      case Begin::error:
        return error(ExitReason::term("no"));
      case Begin::timeout:
        return ok().timeout(5ms);
      case Begin::thrown:
        throw std::runtime_error("init");
      case Begin::slow:
        sleep(1h);
        return ok();
      case Begin::ok:
        break;
    }
    return ok();
  }
  std::string handle_call(const Say& m) { return note("say " + m.text), m.text; }
  Next handle_call(const Mute&) { return noreply(); }
  Next handle_call(const Never&, From<Never>) { return noreply(); }
  Outcome<std::string> handle_call(const Stop& m) {
    return stop(m.reason == "normal" ? ExitReason::normal() : ExitReason::term(m.reason),
                std::string("bye"));
  }
  Outcome<Nothing> handle_call(const Wait& m) { return reply(Nothing{}).timeout(1ms * m.ms); }
  void handle_cast(const Throw&) { throw std::runtime_error("boom"); }
  Next handle_cast(const StopCast&) { return stop(ExitReason::shutdown("done")); }
  Next handle_cast(const GoOn& m) { return note("go on"), noreply().then_continue(Step{m.steps}); }
  void handle_info(const Timeout&) { note("timeout"); }
  void handle_info(const Known&) { note("known"); }
  void handle_info(const Exit& exit) { note("exit " + to_string(exit.reason)); }
  void handle_info(const Down&) { note("down"); }
  Next handle_continue(const Step& step) {
    note("step " + std::to_string(step.left));
    return step.left > 1 ? noreply().then_continue(Step{step.left - 1}) : noreply();
  }
  void terminate(const ExitReason& reason) {
    note("terminate " + to_string(reason));
    // Long enough that a reply before it would be seen first.
    sleep(10ms);
    note("terminated");
  }

 private:
  void note(std::string what) { trace_->push_back(std::move(what)); }
  Trace* trace_;
  Begin begin_;
};

using Begin = Script::Begin;

TEST(GenServerOtp, Row5InitMayReturnEachOfOtpsForms) {
  Trace trace;
  VirtualNode node;
  const auto start = [&](Begin begin) { return GenServer::start<Script>({}, &trace, begin); };
  EXPECT_TRUE(start(Begin::ok));
  EXPECT_EQ(start(Begin::ignored).error().code, StartError::Code::ignored);
  EXPECT_EQ(start(Begin::stopped).error().reason, ExitReason::term("no"));
  EXPECT_EQ(start(Begin::error).error().reason, ExitReason::term("no"));
  EXPECT_EQ(to_string(start(Begin::thrown).error().reason), "{error,std::runtime_error,\"init\"}");
  trace.clear();
  EXPECT_TRUE(start(Begin::timeout));
  EXPECT_EQ(trace, Trace{"init"});
  sleep(6ms);
  EXPECT_EQ(trace, (Trace{"init", "timeout"}));
  EXPECT_EQ(std::ranges::count(trace, "terminate no"), 0) << "never after a failed init";
}

TEST(GenServerOtp, AnErrorOfInitIsNoCrash) {
  Trace trace;
  VirtualNode node;
  const auto crashes = [&] {
    return std::ranges::count(node.sink.entries(), std::string("process crashed"),
                              &CapturedLog::Entry::message);
  };
  EXPECT_FALSE(GenServer::start<Script>({}, &trace, Begin::error));
  sleep(1ms);
  EXPECT_EQ(crashes(), 0);
  EXPECT_FALSE(GenServer::start<Script>({}, &trace, Begin::stopped));
  sleep(1ms);
  EXPECT_EQ(crashes(), 1);
}

TEST(GenServerOtp, Case14AFailedInitFreesItsNameBeforeTheStarterHears) {
  Trace trace;
  VirtualNode node;
  for (const Begin begin : {Begin::ignored, Begin::stopped, Begin::error, Begin::thrown}) {
    for (int i = 0; i < 100; ++i) {
      const auto failed = GenServer::start<Script>({.name = local("script")}, &trace, begin);
      ASSERT_NE(failed.error().code, StartError::Code::already_started);
      ASSERT_FALSE(whereis("script"));
    }
  }
}

TEST(GenServerOtp, ASlowInitIsKilledAtItsTimeout) {
  Trace trace;
  VirtualNode node;
  const auto slow = GenServer::start<Script>({.timeout = 20ms}, &trace, Begin::slow);
  EXPECT_EQ(slow.error().reason, ExitReason::term("timeout"));
  EXPECT_EQ(node.elapsed(), 20ms);
  sleep(1ms);
  EXPECT_EQ(trace, (Trace{"init", "destroyed"})) << "no terminate, but the destructor ran";
}

TEST(GenServerOtp, Case11ContinuesBeforeQueuedMessagesAfterTheStartIsAcknowledged) {
  Trace trace;
  VirtualNode node;
  const Pid pid = GenServer::start<Script>({}, &trace, Begin::continued).value();
  send(pid, Script::Known{});
  call(pid, Script::Say{"a"}).value();
  EXPECT_EQ(trace, (Trace{"init", "step 1", "known", "say a"}));
  trace.clear();
  ASSERT_TRUE(sys::suspend(pid));
  cast(pid, Script::GoOn{3});
  send(pid, Script::Known{});
  ASSERT_TRUE(sys::resume(pid));
  call(pid, Script::Say{"b"}).value();
  EXPECT_EQ(trace, (Trace{"go on", "step 3", "step 2", "step 1", "known", "say b"}));
}

TEST(GenServerOtp, Case10TerminateThenReplyThenExit) {
  Trace trace;
  VirtualNode node;
  const Pid pid = GenServer::start<Script>({}, &trace).value();
  const Ref ref = monitor(pid);
  trace.clear();
  EXPECT_EQ(call(pid, Script::Stop{"oops"}).value(), "bye");
  EXPECT_THAT(trace, testing::Contains("terminated")) << "the reply came after terminate";
  receive(when([ref](const Down& down) { return down.ref == ref; },
               [](const Down& down) { EXPECT_EQ(down.reason, ExitReason::term("oops")); }));
  EXPECT_EQ(trace, (Trace{"terminate oops", "terminated", "destroyed"}));
}

TEST(GenServerOtp, Case9TheParentsExitGoesPastHandleInfo) {
  Trace trace;
  VirtualNode node;
  const auto parent = [&] {
    const Pid pid =
        GenServer::start_link<Script>({.name = local("child"), .trap_exit = true}, &trace).value();
    exit(pid, ExitReason::term("asked"));  // from the parent, too, as OTP takes it
    sleep(1h);
  };
  const Pid other = spawn(parent);
  sleep(1ms);
  EXPECT_EQ(trace, (Trace{"init", "terminate asked"}));
  sleep(20ms);
  EXPECT_FALSE(whereis("child"));
  exit(other, ExitReason::kill());

  trace.clear();
  const Pid third = GenServer::start<Script>({.trap_exit = true}, &trace).value();
  exit(third, ExitReason::term("stranger"));
  call(third, Script::Say{"x"}).value();
  EXPECT_EQ(trace, (Trace{"init", "exit stranger", "say x"})) << "row 11: from others, a message";

  trace.clear();
  const Pid plain = GenServer::start<Script>({}, &trace).value();
  exit(plain, ExitReason::shutdown());
  wait_for_end(plain);
  EXPECT_EQ(trace, (Trace{"init", "destroyed"})) << "row 11: without trapping, no terminate";
}

TEST(GenServerOtp, Case12AMessageClearsTheTimeoutASysCallRestartsItsFullPeriod) {
  Trace trace;
  VirtualNode node;
  const Pid pid = GenServer::start<Script>({}, &trace).value();
  trace.clear();
  call(pid, Script::Wait{100}).value();
  sleep(60ms);
  call(pid, Script::Say{"clears"}).value();
  sleep(1s);
  EXPECT_EQ(trace, Trace{"say clears"});
  trace.clear();
  call(pid, Script::Wait{100}).value();
  for (int i = 0; i < 5; ++i) {
    sleep(60ms);
    ASSERT_TRUE(sys::get_status(pid));
  }
  EXPECT_TRUE(trace.empty());
  sleep(99ms);
  EXPECT_TRUE(trace.empty()) << "the full period, not what was left of it";
  sleep(2ms);
  EXPECT_EQ(trace, Trace{"timeout"});
  sleep(1s);
  EXPECT_EQ(trace, Trace{"timeout"}) << "once";
}

TEST(GenServerOtp, Case13ATimeoutOfZeroIsSkippedWithAMessageInTheQueue) {
  Trace trace;
  VirtualNode node;
  const Pid pid = GenServer::start<Script>({}, &trace).value();
  trace.clear();
  call(pid, Script::Wait{0}).value();
  sleep(1ms);
  EXPECT_EQ(trace, Trace{"timeout"});
  trace.clear();
  ASSERT_TRUE(sys::suspend(pid));
  for (int i = 0; i < 3; ++i) spawn([pid] { call(pid, Script::Wait{0}).value(); });
  sleep(1ms);
  ASSERT_TRUE(sys::resume(pid));
  sleep(1ms);
  EXPECT_EQ(trace, Trace{"timeout"}) << "after the last of three";
}

class Late final : public GenServer {
 public:
  struct Ask {
    using Reply = int;
  };
  using Calls = Messages<Ask>;
  int handle_call(const Ask&) { return sleep(50ms), 7; }
};

TEST(GenServerOtp, Case2AReplyAtTheDeadlineCounts) {
  Trace trace;
  VirtualNode node;
  // The reply comes at the same moment as the deadline: in either order, it is not lost.
  const Pid pid = GenServer::start<Late>({}).value();
  EXPECT_EQ(call(pid, Late::Ask{}, 50ms).value_or(7), 7);
  EXPECT_EQ(call(pid, Late::Ask{}, 51ms).value(), 7);
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

// ---- exit reasons

TEST(GenServerOtp, FailedCallsEndTheirCallerWithOtpsReasons) {
  Trace trace;
  VirtualNode node;
  const Pid pid = GenServer::start<Script>({.name = local("script")}, &trace).value();
  const auto reason_of = [](std::move_only_function<void()> body) {
    return to_string(run_process(std::move(body)));
  };
  EXPECT_EQ(reason_of([] { call(local("script"), Script::Never{}, 20ms).value(); }),
            "{timeout,{gen_server,call,[script,never,20]}}");
  EXPECT_EQ(reason_of([] { call(local("nobody"), Script::Say{}).value(); }),
            "{noproc,{gen_server,call,[nobody,say,5000]}}");
  EXPECT_EQ(reason_of([] { call(at("script", "elsewhere"), Script::Say{}).value(); }),
            "{{nodedown,elsewhere},{gen_server,call,[script@elsewhere,say,5000]}}");
  EXPECT_EQ(reason_of([] { call(via("names", "x"), Script::Say{}).value(); }),
            "{noproc,{gen_server,call,[names/x,say,5000]}}");
  Pid me;
  const std::string itself = reason_of([&] { call(me = self(), Script::Say{}, infinity).value(); });
  EXPECT_EQ(itself,
            "{calling_self,{gen_server,call,[" + to_string(me, me.node) + ",say,infinity]}}");
  EXPECT_EQ(reason_of([&] { call(pid, Script::Mute{}).value(); }),
            "{{bad_return_value,noreply},{gen_server,call,[" + to_string(pid, pid.node) +
                ",mute,5000]}}");
  const auto end_with = [&](ExitReason reason) {
    const Pid server = GenServer::start<Script>({.name = local("ending")}, &trace).value();
    return run_process([&] {
      spawn([&] {
        sleep(1ms);
        exit(server, reason);
      });
      call(local("ending"), Script::Never{}).value();
    });
  };
  EXPECT_EQ(to_string(end_with(ExitReason::kill())),
            "{killed,{gen_server,call,[ending,never,5000]}}");
  const ExitReason shut_down = end_with(ExitReason::shutdown());
  EXPECT_EQ(to_string(shut_down), "{shutdown,{gen_server,call,[ending,never,5000]}}");
  EXPECT_TRUE(shut_down.is_clean()) << "as in OTP, {shutdown,Term} is no crash";
  EXPECT_EQ(to_string(end_with(ExitReason::term("x"))),
            "{x,{gen_server,call,[ending,never,5000]}}");
}

struct Foreign {
  using Reply = void;
  static constexpr std::string_view type_name = "script.foreign";
};

TEST(GenServerOtp, AForeignCallIsBadCallAndTheServerLives) {
  Trace trace;
  VirtualNode node;
  const Pid pid = GenServer::start<Script>({.name = local("script")}, &trace).value();
  EXPECT_EQ(to_string(run_process([] { call(local("script"), Foreign{}).value(); })),
            "{bad_call,{gen_server,call,[script,foreign,5000]}}");
  cast(pid, Foreign{});
  EXPECT_EQ(call(pid, Script::Say{"on"}).value(), "on");
}

TEST(GenServerOtp, Row4AnUnexpectedInfoIsLoggedAndTheServerGoesOn) {
  Trace trace;
  VirtualNode node;
  const Pid pid = GenServer::start<Script>({}, &trace).value();
  send(pid, Foreign{});
  EXPECT_EQ(call(pid, Script::Say{"on"}).value(), "on");
  const auto entries = node.sink.entries();
  const auto logged = std::ranges::find(
      entries, std::string("a server received an unexpected message in handle_info"),
      &CapturedLog::Entry::message);
  ASSERT_NE(logged, entries.end());
  EXPECT_EQ(logged->field("message"), "foreign");
  EXPECT_EQ(logged->level, LogLevel::error);
}

TEST(GenServerOtp, Row32StopWaitsAndTellsHowItEnded) {
  Trace trace;
  VirtualNode node;
  const auto start = [&] { return GenServer::start<Script>({}, &trace).value(); };
  EXPECT_TRUE(GenServer::stop(start()));
  EXPECT_TRUE(GenServer::stop(start(), ExitReason::term("enough"), 1s));
  EXPECT_EQ(GenServer::stop(local("nobody")).error().code(), CallError::Code::noproc);
  EXPECT_EQ(GenServer::stop(self()).error().code(), CallError::Code::calling_self);
  // terminate takes 10 ms.
  EXPECT_EQ(GenServer::stop(start(), ExitReason::normal(), 5ms).error().code(),
            CallError::Code::timeout);
  const Pid killed = start();
  spawn([killed] {
    sleep(5ms);
    exit(killed, ExitReason::kill());
  });
  const auto other = GenServer::stop(killed);
  EXPECT_EQ(other.error().code(), CallError::Code::exited);
  EXPECT_EQ(other.error().reason(), ExitReason::killed());
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

// ---- reports

TEST(GenServerOtp, CrashReportsSayLastMessageStateClientAndWhereItWasThrown) {
  VirtualNode node;
  const Pid pid = GenServer::start<Thrower>({.name = local("thrower")}).value();
  const Pid client = spawn([pid] { call(pid, Thrower::Throw{}).value(); });
  wait_for_end(client);
  const auto entries = node.sink.entries();
  const auto crash =
      std::ranges::find(entries, std::string("process crashed"), &CapturedLog::Entry::message);
  ASSERT_NE(crash, entries.end());
  EXPECT_EQ(crash->field("name"), "thrower");
  EXPECT_EQ(crash->field("initial_call"), "coterie::Thrower");
  EXPECT_EQ(crash->field("last_message"), "throw");
  EXPECT_EQ(crash->field("client"), to_string(client, client.node) + " is alive");
  EXPECT_EQ(crash->field("reason"), "{error,std::runtime_error,\"deep\"}");
  const std::string trace = crash->field("trace");
  EXPECT_TRUE(trace.starts_with("coterie::Thrower::throw_deep() (")) << trace;
  EXPECT_THAT(trace, testing::HasSubstr("\ncoterie::Thrower::handle_call("));
  EXPECT_THAT(trace, testing::Not(testing::HasSubstr("ServerLoop"))) << "only the user's part";
}

TEST(GenServerOtp, APlainProcessSaysWhereItsExceptionWasThrown) {
  VirtualNode node;
  const ExitReason reason = run_process([] { Thrower::throw_deep(); });
  EXPECT_TRUE(reason.trace().starts_with("coterie::Thrower::throw_deep() (")) << reason.trace();
}

TEST(GenServerOtp, ATimeoutThatEndsAServerIsItsLastMessage) {
  Trace trace;
  VirtualNode node;
  const Pid pid = GenServer::start<Script>({}, &trace).value();
  cast(pid, Script::Throw{});
  wait_for_end(pid);
  EXPECT_EQ(trace, (Trace{"init", "terminate {error,std::runtime_error,\"boom\"}", "terminated",
                          "destroyed"}));
  const auto entries = node.sink.entries();
  const auto crash =
      std::ranges::find(entries, std::string("process crashed"), &CapturedLog::Entry::message);
  ASSERT_NE(crash, entries.end());
  EXPECT_EQ(crash->field("last_message"), "throw");
  EXPECT_THAT(crash->field("state"), testing::HasSubstr("terminated"));
}

}  // namespace
}  // namespace coterie
