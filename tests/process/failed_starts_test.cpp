// What a failed start leaves behind: nothing, when its starter hears of it (OTP 26: a start that
// fails returns when the process has ended). gen_server_SUITE and gen_statem_SUITE:loop_start_fail,
// proc_lib_SUITE:sync_start, on threads and on virtual time.

#include <gtest/gtest.h>

#include <coterie/gen_statem.hpp>

#include "tests/process/runtime_fixture.hpp"
#include "tests/process/sim_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::LocalNode;
using test::VirtualNode;

/// What only one process can hold at a time, such as a port or the lock of a file.
std::atomic<int> holders{0};
struct Held {
  Held() : alone(holders.fetch_add(1) == 0) {}
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() { holders.fetch_sub(1); }
  const bool alone;
};

enum class Fate { stops, ignores, errs, throws, exits, hangs };
constexpr Fate fates[] = {Fate::stops,  Fate::ignores, Fate::errs,
                          Fate::throws, Fate::exits,   Fate::hangs};

/// `Base`'s init, as `fate` says; `taken` if what it needs is still held.
template <class Base>
typename Base::Init meet(Fate fate, bool alone) {
  if (!alone) return Base::stop_init(ExitReason::term("taken"));
  switch (fate) {
    case Fate::stops:
      break;
    case Fate::ignores:
      return Base::ignore();
    case Fate::errs:
      return Base::error(ExitReason::term("failed"));
    case Fate::throws:
      throw std::runtime_error("failed");
    case Fate::exits:
      exit(ExitReason::term("failed"));
    case Fate::hangs:
      sleep(infinity);
  }
  return Base::stop_init(ExitReason::term("failed"));
}

class Server final : public GenServer {
 public:
  explicit Server(Fate fate) : fate_(fate) {}
  Init init() {
    register_name("taken in init", self());
    return meet<GenServer>(fate_, held_.alone);
  }

 private:
  Held held_;
  Fate fate_;
};

class Machine final : public GenStatem<Machine> {
 public:
  struct Only {};
  using States = OneOf<Only>;
  explicit Machine(Fate fate) : fate_(fate) {}
  Init init() { return meet<GenStatem<Machine>>(fate_, held_.alone); }

 private:
  Held held_;
  Fate fate_;
};

std::string outcome(const std::expected<Pid, StartError>& started) {
  if (started) return "started";
  if (started.error().code == StartError::Code::ignored) return "ignored";
  return to_string(started.error().reason);
}
std::string expected_of(Fate fate) {
  switch (fate) {
    case Fate::ignores:
      return "ignored";
    case Fate::throws:
      return "{error,std::runtime_error,\"failed\"}";
    case Fate::hangs:
      return "timeout";
    default:
      return "failed";
  }
}

template <class S>
void fail_again_and_again(int times) {
  for (const Fate fate : fates) {
    const StartOptions options{.name = local("failing"),
                               .timeout = fate == Fate::hangs ? Duration(5ms) : infinity};
    for (int i = 0; i < times; ++i) {
      ASSERT_EQ(outcome(GenServer::start<S>(options, fate)), expected_of(fate)) << i;
      ASSERT_EQ(holders.load(), 0);
      ASSERT_EQ(outcome(GenServer::start_link<S>(options, fate)), expected_of(fate)) << i;
      ASSERT_EQ(holders.load(), 0);
      ASSERT_FALSE(whereis("failing"));
      ASSERT_FALSE(whereis("taken in init"));
    }
  }
}

TEST(FailedStarts, LeaveNothingOnVirtualTime) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    VirtualNode node(seed);
    node.log.set_level(LogLevel::off);
    fail_again_and_again<Server>(5);
    fail_again_and_again<Machine>(5);
    EXPECT_TRUE(VirtualNode::mailbox_is_empty()) << "no Exit of those that were linked";
  }
}

TEST(FailedStarts, LeaveNothingOnThreads) {
  LocalNode node;
  node.log.set_level(LogLevel::off);
  fail_again_and_again<Server>(20);
  // And from a process, which may stand on another worker than its child.
  for (int i = 0; i < 4; ++i) {
    const auto [pid, ref] = spawn_monitor([] {
      trap_exit(true);
      fail_again_and_again<Server>(5);
      EXPECT_FALSE(receive([](AnyMessage) { return true; }, after(0s, [] { return false; })));
    });
    EXPECT_EQ(test::await_down(ref).reason, ExitReason::normal());
  }
}

// A child that was linked in init is told before the starter is.
TEST(FailedStarts, TakeTheirChildrenWithThem) {
  VirtualNode node;
  struct Parent final : GenServer {
    explicit Parent(Pid& child) : child_(child) {}
    Init init() {
      child_ = spawn_link([] { sleep(infinity); });
      return stop_init(ExitReason::term("no"));
    }
    Pid& child_;
  };
  Pid child;
  ASSERT_FALSE(GenServer::start<Parent>({}, std::ref(child)));
  EXPECT_EQ(test::wait_for_end(child), ExitReason::noproc());
}

// An init that comes to no suspension cannot be killed; its starter waits a second for it.
TEST(FailedStarts, AnInitThatCannotBeStoppedIsLeftToItself) {
  LocalNode node;
  node.log.set_level(LogLevel::off);
  struct Stuck final : GenServer {
    explicit Stuck(std::atomic<bool>& g) {
      while (!g.load()) std::this_thread::yield();
    }
  };
  std::atomic<bool> go{false};
  EXPECT_EQ(outcome(GenServer::start<Stuck>({.timeout = 5ms}, std::ref(go))), "timeout");
  go = true;
}

}  // namespace
}  // namespace coterie
