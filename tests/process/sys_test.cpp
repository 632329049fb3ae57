// sys on servers of this node: state, suspension, traces, logs, statistics, upgrades. The
// names carry the numbers of the conformance cases and rows that they hold (docs/semantics.md).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <coterie/agent.hpp>
#include <coterie/sys.hpp>

#include "tests/process/sim_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::VirtualNode;

/// The seed's server whose trace is shown in a terminal.
class PledgeServer final : public GenServer {
 public:
  struct Pledge {
    std::string name;
    std::int64_t amount = 0;
    friend bool operator==(const Pledge&, const Pledge&) = default;
  };
  struct State {
    std::int64_t cache_size = 5;
    std::vector<Pledge> pledges{{"rodrigo", 15}, {"margot", 25}};
    friend bool operator==(const State&, const State&) = default;
  };
  struct CreatePledge {
    using Reply = std::string;
    static constexpr std::string_view type_name = "pledges.create_pledge";
    std::string name;
    std::int64_t amount = 0;
  };
  struct SetCacheSize {
    static constexpr std::string_view type_name = "pledges.set_cache_size";
    std::int64_t size = 0;
  };
  struct Stray {
    static constexpr std::string_view type_name = "pledges.stray";
  };
  using Calls = Messages<CreatePledge>;
  using Casts = Messages<SetCacheSize>;
  using Infos = Messages<Stray>;

  static constexpr int version = 1;
  State& state() { return state_; }
  std::string handle_call(const CreatePledge& m) {
    state_.pledges.insert(state_.pledges.begin(), {m.name, m.amount});
    return "pledge-1";
  }
  void handle_cast(const SetCacheSize& m) { state_.cache_size = m.size; }
  void handle_info(const Stray&) {}

 private:
  State state_;
};

Pid start_pledges() {
  return GenServer::start<PledgeServer>({.name = local("pledge_server")}).value();
}

std::vector<std::string> debug_lines(const CapturedLog& sink) {
  std::vector<std::string> lines;
  for (const auto& entry : sink.entries()) {
    if (entry.message.starts_with("*DBG*")) lines.push_back(entry.message);
  }
  return lines;
}

/// Waits until the server has handled what was sent before.
void settle(const ServerRef& server) { ASSERT_TRUE(sys::get_status(server)); }

TEST(Sys, StateIsReadTypedByServerOrStateAndAsADump) {
  VirtualNode node;
  const Pid pid = start_pledges();
  EXPECT_EQ(sys::get_state<PledgeServer>(pid).value(), PledgeServer::State{});
  EXPECT_EQ(sys::get_state<PledgeServer::State>(local("pledge_server")).value().cache_size, 5);
  const auto dump = sys::get_state(pid).value();
  EXPECT_EQ(dump.term, R"({5,[{<<"rodrigo">>,15},{<<"margot">>,25}]})");
  EXPECT_EQ(dump.json, R"({"cache_size":5,"pledges":[{"name":"rodrigo","amount":15},)"
                       R"({"name":"margot","amount":25}]})");
  EXPECT_EQ(dump.version, 1);
  EXPECT_EQ(sys::get_state<int>(pid).error().code(), CallError::Code::refused);
}

TEST(Sys, Row24AnAgentShowsItsState) {
  VirtualNode node;
  const auto agent = Agent<int>::start(5).value();
  EXPECT_EQ(sys::get_state<int>(agent).value(), 5);
  EXPECT_EQ(sys::replace_state<int>(agent, [](int n) { return n + 1; }).value(), 6);
  EXPECT_EQ(sys::get_state(agent)->term, "6");
}

TEST(Sys, PlainProcessesAndTheDeadAnswerClearErrors) {
  VirtualNode node;
  const Pid plain = spawn([] { sleep(infinity); });
  const auto refused = sys::get_state(plain);
  EXPECT_EQ(refused.error().code(), CallError::Code::refused);
  EXPECT_THAT(refused.error().detail(), testing::HasSubstr("plain process"));
  EXPECT_EQ(sys::suspend(node.self.pid()).error().code(), CallError::Code::calling_self);
  exit(plain, ExitReason::kill());
  while (is_alive(plain)) sleep(1ms);
  EXPECT_EQ(sys::get_status(plain).error().code(), CallError::Code::noproc);
  EXPECT_EQ(sys::get_status(local("nobody")).error().code(), CallError::Code::noproc);
}

TEST(Sys, Case24ReplaceStateThatThrowsLeavesTheState) {
  VirtualNode node;
  const Pid pid = start_pledges();
  using State = PledgeServer::State;
  const auto failed = sys::replace_state<PledgeServer>(pid, [](State& state) {
    state.cache_size = 0;
    throw std::runtime_error("boom");
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(to_string(failed.error().reason()),
            "{callback_failed,{gen_server,system_replace_state},"
            "{error,std::runtime_error,\"boom\"}}");
  EXPECT_EQ(sys::get_state<PledgeServer>(pid).value(), State{});
  EXPECT_TRUE(is_alive(pid));

  EXPECT_EQ(sys::replace_state<PledgeServer>(pid, [](State& s) { s.cache_size = 6; })->cache_size,
            6);
  const auto next = sys::replace_state<PledgeServer>(pid, [](const State& s) {
    return State{s.cache_size + 1, {}};
  });
  EXPECT_EQ(next.value(), (State{7, {}}));
  EXPECT_EQ(sys::get_state<PledgeServer>(pid).value(), (State{7, {}}));
}

TEST(Sys, Case24ASuspendedServerQueuesUserMessagesAndAnswersSys) {
  VirtualNode node;
  const Pid pid = start_pledges();
  ASSERT_TRUE(sys::suspend(pid));
  cast(pid, PledgeServer::SetCacheSize{9});
  const auto waiting = call(pid, PledgeServer::CreatePledge{"moe", 20}, 10ms);
  EXPECT_EQ(waiting.error().code(), CallError::Code::timeout);
  const auto status = sys::get_status(pid).value();
  EXPECT_EQ(status.running, sys::Running::suspended);
  EXPECT_EQ(sys::get_state<PledgeServer>(pid)->cache_size, 5);
  const auto infos = node.runtime.snapshot(5s);
  EXPECT_TRUE(std::ranges::any_of(infos, [&](const ProcessInfo& info) {
    return info.pid == pid && info.status == Status::suspended && info.message_queue_length == 1;
  })) << "the cast waits; the call was withdrawn with its caller";
  ASSERT_TRUE(sys::resume(pid));
  EXPECT_EQ(call(pid, PledgeServer::CreatePledge{"moe", 20}).value(), "pledge-1");
  EXPECT_EQ(sys::get_state<PledgeServer>(pid)->cache_size, 9);
}

TEST(Sys, ASuspendedServerKeepsTheBoundOfItsMailboxAndCanBeStoppedOrKilled) {
  VirtualNode node;
  const auto bounded = GenServer::start<PledgeServer>({.mailbox = MailboxLimits{.messages = 10}});
  ASSERT_TRUE(sys::suspend(*bounded));
  for (int i = 0; i < 50; ++i) cast(*bounded, PledgeServer::SetCacheSize{i});
  EXPECT_EQ(node.runtime.counters().refused_messages, 40u);
  EXPECT_TRUE(GenServer::stop(*bounded, ExitReason::shutdown(), 5s));

  const Pid other = start_pledges();
  const Ref ref = monitor(other);
  ASSERT_TRUE(sys::suspend(other));
  exit(other, ExitReason::kill());
  receive(when([ref](const Down& d) { return d.ref == ref; },
               [](const Down& d) { EXPECT_EQ(d.reason, ExitReason::killed()); }),
          after(10s, [] { FAIL() << "no Down"; }));
}

TEST(Sys, Row21TracePrintsTheSeedsLines) {
  VirtualNode node;
  const Pid pid = start_pledges();
  ASSERT_TRUE(sys::trace(local("pledge_server"), true));
  call(pid, PledgeServer::CreatePledge{"moe", 20}).value();
  cast(pid, PledgeServer::SetCacheSize{2});
  send(pid, PledgeServer::Stray{});
  settle(pid);
  const std::string me = to_string(self(), self().node);
  const std::string state = R"([{<<"moe">>,20},{<<"rodrigo">>,15},{<<"margot">>,25}]})";
  EXPECT_EQ(debug_lines(node.sink),
            (std::vector<std::string>{
                R"(*DBG* pledge_server got call {create_pledge,<<"moe">>,20} from )" + me,
                R"(*DBG* pledge_server sent <<"pledge-1">> to )" + me + ", new state {5," + state,
                "*DBG* pledge_server got cast {set_cache_size,2}",
                "*DBG* pledge_server new state {2," + state,
                "*DBG* pledge_server got stray",
                "*DBG* pledge_server new state {2," + state,
            }));
  node.sink.clear();
  ASSERT_TRUE(sys::trace(pid, false));
  call(pid, PledgeServer::CreatePledge{"moe", 20}).value();
  settle(pid);
  EXPECT_TRUE(debug_lines(node.sink).empty());

  const Pid unnamed = GenServer::start<PledgeServer>({}).value();
  ASSERT_TRUE(sys::trace(unnamed, true));
  cast(unnamed, PledgeServer::SetCacheSize{2});
  settle(unnamed);
  EXPECT_EQ(debug_lines(node.sink).at(0),
            "*DBG* " + to_string(unnamed, unnamed.node) + " got cast {set_cache_size,2}");
}

TEST(Sys, LogKeepsTheLastEvents) {
  VirtualNode node;
  const Pid pid = start_pledges();
  EXPECT_TRUE(sys::get_log(pid)->empty());
  ASSERT_TRUE(sys::log(pid, 3));
  for (int i = 0; i < 5; ++i) cast(pid, PledgeServer::SetCacheSize{i});
  const auto log = sys::get_log(pid).value();
  ASSERT_EQ(log.size(), 3u);
  EXPECT_TRUE(log[0].starts_with("*DBG* pledge_server new state {3,"));
  EXPECT_EQ(log[1], "*DBG* pledge_server got cast {set_cache_size,4}");
  EXPECT_EQ(sys::get_status(pid)->log, log);
  EXPECT_TRUE(debug_lines(node.sink).empty()) << "kept, not printed";
  ASSERT_TRUE(sys::log(pid, true));
  for (int i = 0; i < 9; ++i) cast(pid, PledgeServer::SetCacheSize{i});
  EXPECT_EQ(sys::get_log(pid)->size(), 10u);
  ASSERT_TRUE(sys::log(pid, false));
  EXPECT_TRUE(sys::get_log(pid)->empty());
}

TEST(Sys, StatisticsCountMessagesAndCallbacks) {
  VirtualNode node;
  const Pid pid = start_pledges();
  EXPECT_EQ(sys::get_statistics(pid).error().reason(), ExitReason::term("no_statistics"));
  ASSERT_TRUE(sys::statistics(pid, true));
  call(pid, PledgeServer::CreatePledge{"moe", 20}).value();
  cast(pid, PledgeServer::SetCacheSize{2});
  const auto counted = sys::get_statistics(pid).value();
  EXPECT_EQ(counted.messages_in, 2u);
  EXPECT_EQ(counted.messages_out, 1u);
  EXPECT_EQ(counted.reductions, 2u);
  EXPECT_LE(counted.start_time, counted.current_time);
  ASSERT_TRUE(sys::statistics(pid, false));
  EXPECT_FALSE(sys::get_statistics(pid));
}

TEST(Sys, DebugFunctionsSeeEventsUntilTheySayDoneOrThrow) {
  VirtualNode node;
  const Pid pid = start_pledges();
  std::vector<std::string> seen;
  ASSERT_TRUE(sys::install(pid, "casts", [&](const sys::Event& event) {
    if (event.kind == sys::Event::Kind::cast) seen.push_back(event.message);
    return seen.size() < 2;
  }));
  ASSERT_TRUE(sys::install(pid, "casts", [&](const sys::Event&) -> bool {
    ADD_FAILURE() << "the id is taken";
    return false;
  }));
  int thrown = 0;
  ASSERT_TRUE(sys::install(pid, "throws", [&](const sys::Event&) -> bool {
    ++thrown;
    throw std::runtime_error("boom");
  }));
  EXPECT_EQ(sys::get_status(pid)->debug,
            (std::vector<std::string>{"{install,casts}", "{install,throws}"}));
  for (int i = 0; i < 4; ++i) cast(pid, PledgeServer::SetCacheSize{i});
  EXPECT_TRUE(sys::get_status(pid)->debug.empty());
  EXPECT_EQ(seen, (std::vector<std::string>{"{set_cache_size,0}", "{set_cache_size,1}"}));
  EXPECT_EQ(thrown, 1);

  ASSERT_TRUE(sys::install(pid, "a", [](const sys::Event&) { return true; }));
  ASSERT_TRUE(sys::remove(pid, "a"));
  ASSERT_TRUE(sys::trace(pid, true));
  ASSERT_TRUE(sys::log(pid, true));
  ASSERT_TRUE(sys::no_debug(pid));
  EXPECT_TRUE(sys::get_status(pid)->debug.empty());
}

TEST(Sys, Row22StatusHasOtpsShape) {
  VirtualNode node;
  const Pid pid = start_pledges();
  ASSERT_TRUE(sys::log(pid, 1));
  cast(pid, PledgeServer::SetCacheSize{1});
  const auto status = sys::get_status(pid).value();
  const std::string me = to_string(self(), self().node);
  EXPECT_EQ(status.pid, pid);
  EXPECT_EQ(to_string(status),
            "{status," + to_string(pid, pid.node) +
                ",{module,gen_server},[[{'$initial_call',coterie::{anonymous}::PledgeServer},"
                "{'$ancestors',[" +
                me +
                "]}],running,pledge_server,[{log,1}],"
                "[{header,\"Status for generic server pledge_server\"},"
                "{data,[{\"Status\",running},{\"Parent\",pledge_server},"
                "{\"Logged events\",[\"" +
                status.log.at(0) + "\"]}]},{data,[{\"State\"," + status.state + "}]}]]}");
}

class Vault final : public GenServer {
 public:
  struct State {
    std::string pin;
  };
  struct Unlock {
    using Reply = bool;
    static constexpr std::string_view type_name = "vault.unlock";
    std::string pin;
  };
  struct Break {
    static constexpr std::string_view type_name = "vault.break";
  };
  using Calls = Messages<Unlock>;
  using Casts = Messages<Break>;
  State& state() { return state_; }
  static std::string format_status(const State&) { return "#vault{pin=redacted}"; }
  static std::string format_status(const Unlock&) { return "{unlock,redacted}"; }
  bool handle_call(const Unlock& m) {
    if (m.pin == "crash") throw std::runtime_error("jammed");
    return m.pin == state_.pin;
  }
  void handle_cast(const Break&) {}

 private:
  State state_{"1234"};
};

TEST(Sys, FormatStatusHidesSecretsFromTracesStatusAndCrashReports) {
  VirtualNode node;
  const Pid pid = GenServer::start<Vault>({.name = local("vault")}).value();
  ASSERT_TRUE(sys::trace(pid, true));
  ASSERT_TRUE(sys::log(pid, true));
  EXPECT_TRUE(call(pid, Vault::Unlock{"1234"}).value());
  const auto status = sys::get_status(pid).value();
  EXPECT_EQ(status.state, "#vault{pin=redacted}");
  for (const std::string& line : status.log) EXPECT_EQ(line.find("1234"), std::string::npos);
  EXPECT_EQ(sys::get_state<Vault>(pid)->pin, "1234") << "get_state is raw, as in OTP";
  EXPECT_FALSE(call(pid, Vault::Unlock{"crash"}));
  while (is_alive(pid)) sleep(1ms);
  const auto entries = node.sink.entries();
  const auto crash =
      std::ranges::find(entries, std::string("process crashed"), &CapturedLog::Entry::message);
  ASSERT_NE(crash, entries.end());
  EXPECT_EQ(crash->field("state"), "#vault{pin=redacted}");
  EXPECT_EQ(crash->field("last_message"), "{unlock,redacted}");
  EXPECT_EQ(crash->field("client"), to_string(self(), self().node) + " is alive");
}

TEST(Sys, TerminateAnswersThenRunsTerminateAndExits) {
  VirtualNode node;
  const Pid pid = start_pledges();
  const Ref ref = monitor(pid);
  ASSERT_TRUE(sys::terminate(pid, ExitReason::term("enough")));
  receive(when([ref](const Down& d) { return d.ref == ref; },
               [](const Down& d) { EXPECT_EQ(d.reason, ExitReason::term("enough")); }),
          after(10s, [] { FAIL() << "no Down"; }));
}

// ---- upgrade

/// A later PledgeServer: amounts have a currency.
class PledgeServer2 final : public GenServer {
 public:
  struct State {
    std::int64_t cache_size = 5;
    std::vector<PledgeServer::Pledge> pledges;
    std::string currency = "none";
  };
  struct Total {
    using Reply = std::string;
    static constexpr std::string_view type_name = "pledges.total";
  };
  using Calls = Messages<Total>;
  static constexpr int version = 2;
  explicit PledgeServer2(State state) : state_(std::move(state)) {}
  State& state() { return state_; }
  static std::expected<State, ExitReason> code_change(int old_version, BytesView old,
                                                      const std::string& currency) {
    if (old_version != 1) return std::unexpected(ExitReason::term("bad_vsn"));
    if (currency == "throw") throw std::runtime_error("no such currency");
    if (currency == "refuse") return std::unexpected(ExitReason::term("refused"));
    auto state = unpack<PledgeServer::State>(old).value();
    return State{state.cache_size, std::move(state.pledges), currency};
  }
  std::string handle_call(const Total&) {
    std::int64_t sum = 0;
    for (const auto& pledge : state_.pledges) sum += pledge.amount;
    return std::to_string(sum) + " " + state_.currency;
  }

 private:
  State state_;
};

TEST(Sys, Row23ASuspendedServerIsReplacedByANewerOne) {
  VirtualNode node;
  const Pid pid = start_pledges();
  const auto running = sys::change_code<PledgeServer2>(pid, std::string("EUR"));
  EXPECT_EQ(running.error().code(), CallError::Code::refused) << "not suspended";
  ASSERT_TRUE(sys::suspend(pid));

  const auto thrown = sys::change_code<PledgeServer2>(pid, std::string("throw"));
  EXPECT_EQ(to_string(thrown.error().reason()),
            "{code_change_failed,{error,std::runtime_error,\"no such currency\"}}");
  const auto refused = sys::change_code<PledgeServer2>(pid, std::string("refuse"));
  EXPECT_EQ(refused.error().reason(), ExitReason::term("refused"));
  EXPECT_EQ(sys::get_state<PledgeServer>(pid)->pledges.size(), 2u) << "the old one goes on";

  ASSERT_TRUE(sys::change_code<PledgeServer2>(pid, std::string("EUR")));
  EXPECT_EQ(sys::get_status(pid)->version, 2);
  ASSERT_TRUE(sys::resume(pid));
  EXPECT_EQ(call(local("pledge_server"), PledgeServer2::Total{}).value(), "40 EUR");
  EXPECT_EQ(call(pid, PledgeServer::CreatePledge{}).error().code(), CallError::Code::refused);
  EXPECT_EQ(sys::get_state<PledgeServer2>(pid)->currency, "EUR");
}

/// Fields were only appended: no code_change is needed.
class PledgeServer3 final : public GenServer {
 public:
  struct State {
    std::int64_t cache_size = 0;
    std::vector<PledgeServer::Pledge> pledges;
    bool audited = true;
  };
  static constexpr int version = 3;
  State& state() { return state_; }

 private:
  State state_;
};

TEST(Sys, AppendedFieldsNeedNoCodeChange) {
  VirtualNode node;
  const Pid pid = start_pledges();
  ASSERT_TRUE(sys::suspend(pid));
  ASSERT_TRUE(sys::change_code<PledgeServer3>(pid));
  const auto state = sys::get_state<PledgeServer3>(pid).value();
  EXPECT_EQ(state.pledges.size(), 2u);
  EXPECT_TRUE(state.audited);
}

// ---- idle timeouts and hibernation

class Sleeper final : public GenServer {
 public:
  struct Idle {  // reply, then an idle timeout
    using Reply = void;
    std::int64_t ms = 0;
  };
  struct Sleep {
    using Reply = void;
  };
  struct Nap {};  // an info that hibernates
  using Calls = Messages<Idle, Sleep>;
  using Infos = Messages<Timeout, Nap>;
  struct State {
    int timeouts = 0, hibernations = 0;
  };
  State& state() { return state_; }
  Outcome<Nothing> handle_call(const Idle& m) { return reply(Nothing{}).timeout(1ms * m.ms); }
  Outcome<Nothing> handle_call(const Sleep&) { return reply(Nothing{}).hibernate(); }
  Next handle_info(const Nap&) { return noreply().hibernate(); }
  void handle_info(const Timeout&) { ++state_.timeouts; }
  void on_hibernate() { ++state_.hibernations; }

 private:
  State state_;
};

Status status_of(VirtualNode& node, const Pid& pid) {
  for (const ProcessInfo& info : node.runtime.snapshot(5s)) {
    if (info.pid == pid) return info.status;
  }
  return Status::exiting;
}

TEST(Sys, Row13ASysCallLeavesAHibernatingServerHibernating) {
  VirtualNode node;
  const Pid pid = GenServer::start<Sleeper>({}).value();
  EXPECT_EQ(status_of(node, pid), Status::waiting);
  call(pid, Sleeper::Sleep{}).value();
  settle(pid);
  EXPECT_EQ(status_of(node, pid), Status::hibernating);
  EXPECT_EQ(sys::get_state<Sleeper>(pid)->hibernations, 2) << "once more after the request";
  call(pid, Sleeper::Idle{60'000}).value();
  settle(pid);
  EXPECT_EQ(status_of(node, pid), Status::waiting);
}

TEST(Sys, HibernateAfterSleepsOnItsOwn) {
  VirtualNode node;
  const Pid pid = GenServer::start<Sleeper>({.hibernate_after = 1ms}).value();
  while (status_of(node, pid) != Status::hibernating) sleep(1ms);
  EXPECT_EQ(sys::get_state<Sleeper>(pid)->timeouts, 0);
}

}  // namespace
}  // namespace coterie
