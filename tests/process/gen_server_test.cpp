// GenServer: typed calls and casts, init's results, the order of reply and exit, idle timeouts.

#include <gtest/gtest.h>

#include <optional>

#include <coterie/gen_server.hpp>

#include "tests/process/runtime_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::LocalNode;

class Counter final : public GenServer {
 public:
  struct Increment {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "counter.increment";
    std::int64_t by = 1;
  };
  struct Get {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "counter.get";
  };
  struct Later {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "counter.later";
    bool after_reset = false;  // else by a process of its own, at once
  };
  struct Crash {
    using Reply = void;
    static constexpr std::string_view type_name = "counter.crash";
  };
  struct Finish {
    using Reply = std::string;
    static constexpr std::string_view type_name = "counter.finish";
  };
  struct Reset {
    static constexpr std::string_view type_name = "counter.reset";
  };
  struct Load {};

  using Calls = Messages<Increment, Get, Later, Crash, Finish>;
  using Casts = Messages<Reset>;
  using Infos = Messages<Timeout, Down>;
  using Continues = Messages<Load>;

  explicit Counter(std::int64_t initial, std::vector<std::string>* trace = nullptr)
      : count_(initial), trace_(trace) {
    if (initial < 0) throw std::invalid_argument("negative");
  }
  Init init() {
    if (count_ == 1000) return ignore();
    if (count_ == 2000) return stop_init(ExitReason::term("no"));
    if (count_ == 3000) return ok().then_continue(Load{});
    return ok();
  }
  std::int64_t handle_call(const Increment& m) { return count_ += m.by; }
  Outcome<std::int64_t> handle_call(const Get&) { return reply(count_).timeout(20ms); }
  Next handle_call(const Later& m, From<Later> from) {
    if (m.after_reset) {
      waiting_ = from;
    } else {
      spawn([from, value = count_] { from.reply(value); });
    }
    return noreply();
  }
  void handle_call(const Crash&) { throw std::runtime_error("boom"); }
  Outcome<std::string> handle_call(const Finish&) {
    return stop(ExitReason::normal(), std::string("bye"));
  }
  void handle_cast(const Reset&) {
    count_ = 0;
    if (waiting_) waiting_->reply(count_);
  }
  void handle_info(const Timeout&) { count_ += 100; }
  void handle_info(const Down&) {}
  void handle_continue(const Load&) { count_ = 3001; }
  void terminate(const ExitReason& reason) {
    if (trace_ != nullptr) trace_->push_back("terminate " + to_string(reason));
  }

 private:
  std::int64_t count_;
  std::vector<std::string>* trace_;
  std::optional<From<Later>> waiting_;
};

struct Unlisted {
  using Reply = int;
  static constexpr std::string_view type_name = "counter.unlisted";
};

TEST(GenServer, AnswersTypedCallsByPidAndByName) {
  LocalNode node;
  const auto counter = GenServer::start_link<Counter>({.name = local("counter")}, 0);
  ASSERT_TRUE(counter);
  EXPECT_EQ(call<Counter>(local("counter"), Counter::Increment{.by = 2}, 1s).value(), 2);
  EXPECT_EQ(call(*counter, Counter::Increment{}).value(), 3);
  cast<Counter>(*counter, Counter::Reset{});
  EXPECT_EQ(call(at("counter", "test"), Counter::Increment{}).value(), 1);
}

TEST(GenServer, TellsEachWayInWhichAStartFails) {
  LocalNode node;
  const auto first = GenServer::start<Counter>({.name = local("counter")}, 0);
  ASSERT_TRUE(first);
  const auto second = GenServer::start<Counter>({.name = local("counter")}, 0);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, StartError::Code::already_started);
  EXPECT_EQ(second.error().holder, *first);
  EXPECT_EQ(GenServer::start<Counter>({}, 1000).error().code, StartError::Code::ignored);
  EXPECT_EQ(GenServer::start<Counter>({}, 2000).error().reason, ExitReason::term("no"));
  EXPECT_EQ(to_string(GenServer::start_link<Counter>({}, -1).error().reason),
            "{error,std::invalid_argument,\"negative\"}");
}

TEST(GenServer, AFailedInitFreesItsNameBeforeTheStarterHearsOfIt) {
  LocalNode node;
  for (int i = 0; i < 2000; ++i) {
    const auto failed = GenServer::start<Counter>({.name = local("counter")}, -1);
    ASSERT_FALSE(failed);
    ASSERT_EQ(failed.error().code, StartError::Code::failed) << i;
  }
  EXPECT_TRUE(GenServer::start<Counter>({.name = local("counter")}, 0));
}

TEST(GenServer, ANameIsFreeBeforeTheEndIsSeen) {
  LocalNode node;
  for (int i = 0; i < 500; ++i) {
    const auto pid = GenServer::start<Counter>({.name = local("counter")}, 0);
    ASSERT_TRUE(pid) << i;
    const Ref ref = monitor(*pid);
    exit(*pid, ExitReason::kill());
    receive(when([ref](const Down& d) { return d.ref == ref; }, [](const Down&) {}));
  }
}

TEST(GenServer, ContinuesBeforeAnyMessage) {
  LocalNode node;
  const auto pid = GenServer::start<Counter>({}, 3000);
  EXPECT_EQ(call(*pid, Counter::Increment{}).value(), 3002);
}

/// Servers stand behind their loop in one block of memory, wherever their alignment says.
class Aligned final : public GenServer {
 public:
  struct Misplaced {
    using Reply = std::uint64_t;
  };
  using Calls = Messages<Misplaced>;
  std::uint64_t handle_call(const Misplaced&) {
    return reinterpret_cast<std::uintptr_t>(&value_) % alignof(decltype(value_));
  }

 private:
  struct alignas(256) Value {
    std::byte bytes[256]{};
  } value_;
};

TEST(GenServer, AServerStandsWhereItsAlignmentSays) {
  LocalNode node;
  for (int i = 0; i < 20; ++i) {
    const auto pid = GenServer::start<Aligned>({});
    EXPECT_EQ(call(*pid, Aligned::Misplaced{}).value(), 0u);
  }
}

TEST(GenServer, RepliesLaterFromAnyProcess) {
  LocalNode node;
  const auto pid = GenServer::start<Counter>({}, 5);
  EXPECT_EQ(call(*pid, Counter::Later{}).value(), 5);
}

TEST(GenServer, ALateReplyNeverReachesTheMailbox) {
  LocalNode node;
  const auto pid = GenServer::start<Counter>({}, 5);
  // One that the server has not begun by the deadline is taken back, and never answered.
  const auto given_up = [&](auto wait) {
    const std::uint64_t before = node.runtime.counters().expired_requests;
    const auto late = call(*pid, Counter::Later{.after_reset = true}, wait);
    EXPECT_EQ(late.error().code(), CallError::Code::timeout);
    EXPECT_TRUE(call(*pid, Counter::Get{}));  // the server has read that it is given up
    return node.runtime.counters().expired_requests == before;
  };
  for (auto wait = 1ms; !given_up(wait);) wait *= 2;
  cast(*pid, Counter::Reset{});
  EXPECT_EQ(call(*pid, Counter::Get{}).value(), 0);  // what it sent before has come
  EXPECT_FALSE(receive([](AnyMessage) { return true; }, after(0s, [] { return false; })));
  EXPECT_EQ(node.runtime.counters().late_replies, 1u);
}

TEST(GenServer, FailedCallsSayWhetherTheyRan) {
  LocalNode node;
  const auto pid = GenServer::start<Counter>({}, 5);
  const auto crashed = call(*pid, Counter::Crash{});
  ASSERT_FALSE(crashed);
  EXPECT_EQ(crashed.error().code(), CallError::Code::exited);
  EXPECT_EQ(crashed.error().execution(), CallError::Execution::executed);
  EXPECT_EQ(to_string(crashed.error().reason()), "{error,std::runtime_error,\"boom\"}");
  const auto dead = call(*pid, Counter::Get{});
  EXPECT_EQ(dead.error().code(), CallError::Code::noproc);
  EXPECT_FALSE(dead.error().maybe_executed());
  EXPECT_EQ(call(local("nobody"), Counter::Get{}).error().code(), CallError::Code::noproc);
  EXPECT_EQ(call(self(), Counter::Get{}).error().code(), CallError::Code::calling_self);
  const auto other = GenServer::start<Counter>({}, 5);
  EXPECT_EQ(call(*other, Unlisted{}).error().code(), CallError::Code::refused);
  EXPECT_EQ(call(*other, Counter::Get{}).value(), 5);
}

TEST(GenServer, StopTerminatesThenRepliesThenExits) {
  LocalNode node;
  std::vector<std::string> trace;
  const auto pid = GenServer::start<Counter>({}, 5, &trace);
  const Ref ref = monitor(*pid);
  EXPECT_EQ(call(*pid, Counter::Finish{}).value(), "bye");
  EXPECT_EQ(trace, std::vector<std::string>{"terminate normal"});
  receive(when([ref](const Down& d) { return d.ref == ref; },
               [](const Down& d) { EXPECT_EQ(d.reason, ExitReason::normal()); }));

  const auto other = GenServer::start<Counter>({}, 5, &trace);
  EXPECT_TRUE(GenServer::stop(*other, ExitReason::shutdown(), 1s));
  EXPECT_EQ(trace.back(), "terminate shutdown");
  EXPECT_FALSE(is_alive(*other));
  EXPECT_EQ(GenServer::stop(*other, ExitReason::normal(), 1s).error().code(),
            CallError::Code::noproc);
}

TEST(GenServer, ExitOfTheParentTerminatesAServerThatTraps) {
  LocalNode node;
  std::vector<std::string> trace;
  spawn_monitor([&] {
    GenServer::start_link<Counter>({.name = local("child"), .trap_exit = true}, 0, &trace).value();
    exit(ExitReason::shutdown());
  });
  receive([](const Down&) {});
  while (whereis("child")) sleep(1ms);
  EXPECT_EQ(trace, std::vector<std::string>{"terminate shutdown"});
}

TEST(GenServer, IdleTimeoutFiresOnceAndAMessageClearsIt) {
  LocalNode node;
  const auto pid = GenServer::start<Counter>({}, 5);
  EXPECT_EQ(call(*pid, Counter::Get{}).value(), 5);
  sleep(50ms);
  EXPECT_EQ(call(*pid, Counter::Increment{}).value(), 106);  // no timeout with this reply
  sleep(50ms);
  EXPECT_EQ(call(*pid, Counter::Increment{}).value(), 107);
}

TEST(GenServer, ASlowInitIsKilledAndItsNameFreed) {
  struct Slow final : GenServer {
    Slow() { sleep(infinity); }
  };
  LocalNode node;
  const auto slow = GenServer::start<Slow>({.name = local("slow"), .timeout = 10ms});
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().reason, ExitReason::term("timeout"));
  EXPECT_FALSE(whereis("slow"));
}

TEST(GenServer, CallsByTypeNameCarryPackedBytes) {
  LocalNode node;
  const auto pid = GenServer::start<Counter>({.name = local("counter")}, 5);
  const auto reply = call_packed(local("counter"), "counter.increment",
                                 pack(Counter::Increment{.by = 4}, Form::named));
  ASSERT_TRUE(reply);
  EXPECT_EQ(unpack<std::int64_t>(reply->bytes).value(), 9);
  EXPECT_EQ(call_packed(local("counter"), "counter.increment", "\xc1").error().code(),
            CallError::Code::undecodable);
}

TEST(GenServer, ManyClientsOnManyServers) {
  LocalNode node;
  std::vector<Pid> servers;
  for (int i = 0; i < 50; ++i) servers.push_back(GenServer::start<Counter>({}, 0).value());
  std::vector<Ref> clients;
  for (int c = 0; c < 50; ++c) {
    clients.push_back(spawn_monitor([&servers, c] {
                        for (std::size_t i = 0; i < 500; ++i) {
                          const auto& server = servers[(i * 7 + static_cast<std::size_t>(c)) % 50];
                          call(server, Counter::Increment{}).value();
                        }
                      }).second);
  }
  for (const Ref ref : clients) {
    receive(when([ref](const Down& d) { return d.ref == ref; },
                 [](const Down& d) { EXPECT_EQ(d.reason, ExitReason::normal()); }));
  }
  std::int64_t total = 0;
  for (const Pid& server : servers) total += call(server, Counter::Get{}).value();
  EXPECT_EQ(total, 50 * 500);
}

TEST(Snapshot, EveryProcessSpeaksForItself) {
  LocalNode node;
  GenServer::start<Counter>({.name = local("counter")}, 0).value();
  const auto infos = node.runtime.snapshot(5s);
  EXPECT_EQ(infos.size(), 2u);
  EXPECT_TRUE(std::ranges::any_of(
      infos, [](const ProcessInfo& info) { return info.registered_name == "counter"; }));
}

}  // namespace
}  // namespace coterie
