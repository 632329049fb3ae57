// Two simulated nodes and a name that one of them remembers where it was. What is remembered is a
// guess: whatever became of the process there, the name is reached where it is now. Virtual time.

#include <gtest/gtest.h>

#include "tests/sim/sim_cluster.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::run_on;
using test::SimCluster;

class Box final : public GenServer {
 public:
  struct Put {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "box.put";
    std::int64_t value = 0;
  };
  struct Stall {  // never answered
    using Reply = void;
    static constexpr std::string_view type_name = "box.stall";
  };
  struct Note {
    static constexpr std::string_view type_name = "box.note";
  };
  using Calls = Messages<Put, Stall>;
  using Casts = Messages<Note>;

  explicit Box(int* notes) : notes_(notes) {}
  std::int64_t handle_call(const Put& put) { return sum_ += put.value; }
  Next handle_call(const Stall&, From<Stall>) { return noreply(); }
  void handle_cast(const Note&) { ++*notes_; }

 private:
  std::int64_t sum_ = 0;
  int* notes_;
};

/// One name: where it is, and where the asking node last saw it.
class RememberedName final : public NameService {
 public:
  NameResult<Location> resolve(std::string_view, std::string_view, bool fresh, Duration) override {
    if (fresh || !remembered) {
      ++lookups;
      remembered = now;
    }
    return *remembered;
  }
  void forget(std::string_view, std::string_view, const Location& there) override {
    forget_epoch(there.epoch);
  }
  void forget_epoch(const Epoch& epoch) override {
    if (remembered && remembered->epoch == epoch) remembered.reset();
  }
  NameResult<Registration> reserve(std::string_view, std::string_view, Pid, Duration) override {
    return Registration{.id = ++registered, .epoch = {1, registered}};
  }
  NameResult<void> confirm(std::string_view, std::string_view, const Registration&,
                           Duration) override {
    return {};
  }
  void release(std::string_view, std::string_view, const Pid&, const Registration&) override {}

  Location now;
  std::optional<Location> remembered;
  std::uint64_t registered = 0;
  int lookups = 0;
};

struct NamedBox : SimCluster {
  NamedBox() : SimCluster(1) {
    a = start("a");
    b = start("b");
    join_all();
    runtime(a).set_names(&name);
    runtime(b).set_names(&name);
    runtime(b).gate().follow(lease_of_b);
    start_box();
  }
  ~NamedBox() {
    kill(a, true);
    kill(b, true);
  }
  void start_box() {
    run_on(runtime(b), [this] {
      const Pid pid = GenServer::start<Box>({.name = via("boxes", "x")}, &notes).value();
      name.now = {.pid = pid, .epoch = {1, name.registered}};
    });
    world.run_for(1ms);
  }
  /// The process ends and another takes its name, on the same node; a is not told.
  void replace_box() {
    run_on(runtime(b), [pid = name.now.pid] { exit(pid, ExitReason::kill()); });
    world.run_for(1ms);
    start_box();
  }
  void on_a(std::move_only_function<void()> body) { complete_on(a, std::move(body)); }

  NodeId a{}, b{};
  static constexpr std::int64_t for_ever = Time::max().time_since_epoch().count();
  Gate::Nanoseconds lease_of_b{for_ever};
  RememberedName name;
  int notes = 0;
};

ServerRef box() { return via("boxes", "x"); }

// Goal: a name whose process has been replaced on its node is reached at once from other nodes,
// however they remember it. (Once the old node's word that there is no such process was dropped,
// and the calls of that one node timed out for ever.)
TEST(SimNames, ACallFollowsANameThatWasRestartedOnItsNode) {
  NamedBox cluster;
  cluster.on_a([] { EXPECT_EQ(call(box(), Box::Put{1}).value(), 1); });
  cluster.replace_box();
  cluster.on_a([&] {
    const Time asked = cluster.world.now();
    EXPECT_EQ(call(box(), Box::Put{2}).value(), 2);
    EXPECT_LT(cluster.world.now() - asked, 100ms);
  });
  EXPECT_EQ(cluster.name.lookups, 2);
}

// Goal: casts to a remembered place are lost at most until its node has said that nobody is there.
TEST(SimNames, CastsFollowANameThatWasRestartedOnItsNode) {
  NamedBox cluster;
  cluster.on_a([] { cast(box(), Box::Note{}); });
  cluster.world.run_for(10ms);
  EXPECT_EQ(cluster.notes, 1);
  cluster.replace_box();
  cluster.on_a([] {
    for (int i = 0; i < 10; ++i) {
      cast(box(), Box::Note{});
      sleep(20ms);
    }
  });
  cluster.world.run_for(10ms);
  EXPECT_EQ(cluster.notes, 10);  // all but the one that found nobody
}

// Goal: whoever does not answer is not trusted to be there: the next call looks the name up.
TEST(SimNames, ACallThatTimesOutForgetsWhereItWent) {
  NamedBox cluster;
  cluster.on_a([] {
    EXPECT_EQ(call(box(), Box::Stall{}, 1s).error().code(), CallError::Code::timeout);
    EXPECT_EQ(call(box(), Box::Put{1}).value(), 1);
  });
  EXPECT_EQ(cluster.name.lookups, 2);
}

// Goal: a request that waits at a server whose node holds no lease is taken back at the deadline,
// and its caller knows that it certainly did not run.
TEST(SimNames, ARequestToAFrozenNodeIsTakenBack) {
  NamedBox cluster;
  cluster.on_a([&] {
    EXPECT_EQ(call(box(), Box::Put{1}).value(), 1);
    cluster.lease_of_b.store(0);
    const auto frozen = call(box(), Box::Put{2}, 100ms);
    ASSERT_FALSE(frozen);
    EXPECT_EQ(frozen.error().code(), CallError::Code::timeout);
    EXPECT_EQ(frozen.error().execution(), CallError::Execution::not_executed);
    cluster.lease_of_b.store(NamedBox::for_ever);
    cluster.runtime(cluster.b).gate_moved();
    EXPECT_EQ(call(box(), Box::Put{4}).value(), 5);
  });
}

}  // namespace
}  // namespace coterie
