// A cluster-scope supervisor on real runtimes: processes, cells, storage on the blocking pool.

#include <gmock/gmock.h>

#include <algorithm>
#include <condition_variable>
#include <thread>

#include <coterie/dynamic_supervisor.hpp>
#include <coterie/supervisor.hpp>

#include "tests/supervision/cluster_fixture.hpp"
#include "tests/supervision/worker.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::ClusterNodeUnderTest;
using test::eventually;
using Code = ChildError::Code;

struct Terms {
  std::string owner;
  std::int64_t amount = 0;
};

class Account final : public GenServer {
 public:
  struct Get {
    using Reply = std::string;
  };
  struct Crash {};
  struct Finish {};
  using Calls = Messages<Get>;
  using Casts = Messages<Crash, Finish>;
  Account(std::string key, Terms terms) : text_(key + " of " + terms.owner) {
    if (terms.amount < 0) throw std::invalid_argument("negative");
  }
  std::string handle_call(const Get&) { return text_; }
  void handle_cast(const Crash&) { throw std::runtime_error("boom"); }
  Next handle_cast(const Finish&) { return stop(ExitReason::normal()); }

 private:
  std::string text_;
};

/// Storage whose commits wait while the test holds them.
class SlowRecords final : public Records {
 public:
  explicit SlowRecords(Records& records) : records_(records) {}
  void hold(bool on) {
    std::lock_guard lock(mutex_);
    held_ = on;
    changed_.notify_all();
  }
  int waiting() const {
    std::lock_guard lock(mutex_);
    return waiting_;
  }
  StorageResult<std::optional<Record>> read(std::string_view key) override {
    return records_.read(key);
  }
  StorageResult<std::vector<std::optional<Record>>> read_many(
      std::span<const std::string> keys) override {
    return records_.read_many(keys);
  }
  StorageResult<std::vector<Record>> scan(std::string_view prefix) override {
    return records_.scan(prefix);
  }
  StorageResult<std::vector<TransactionResult>> commit(
      std::span<const Transaction> transactions) override {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.wait(lock, [this] { return !held_; });
    --waiting_;
    lock.unlock();
    return records_.commit(transactions);
  }

 private:
  Records& records_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  int waiting_ = 0;
};

struct ClusterInstanceTest : ::testing::Test {
  MemoryRecords records;
  Records* storage = &records;
  test::FirstPlacement placement;
  test::SharedNames shared;
  std::map<std::string, std::unique_ptr<ClusterNodeUnderTest>> nodes;
  std::uint64_t view_number = 0;

  void boot(const std::string& name, std::uint64_t id) {
    nodes[name] = std::make_unique<ClusterNodeUnderTest>(name, id, shared);
    new_view();
    use(name);
    detail::ClusterInstanceOptions options{.name = "accounts",
                                           .kind = kind<Account, Terms>("accounts")};
    options.starts_in_flight = 8;
    const auto started = Supervisor::start({detail::ClusterInstance::child_spec(
        {*storage, nodes[name]->agreement, placement}, options)});
    ASSERT_TRUE(started);
  }
  void use(const std::string& name) { nodes.at(name)->local.self.use(); }
  void new_view() {
    auto view = std::make_shared<View>();
    view->number = ++view_number;
    for (const auto& [name, node] : nodes) {
      Member member;
      member.name = name;
      member.incarnation = node->incarnation;
      view->members.emplace(name, member);
    }
    for (const auto& [name, node] : nodes) {
      node->agreement.set(view);
      node->local.runtime.announce([n = view_number] {
        return detail::make_message(detail::MessageKind::send, ViewChanged{n});
      });
    }
  }
  ChildResult<Pid> start(const std::string& key, Terms terms = {"moe", 1},
                         Restart restart = Restart::permanent) {
    return DynamicSupervisor::start_child(
        local("accounts"), ClusterChild{.key = key, .args = pack(terms), .restart = restart});
  }
  ClusterStatus status() { return call(local("accounts"), cluster::Status{}).value(); }
};

TEST_F(ClusterInstanceTest, StartsOnceAndSaysWhoRuns) {
  boot("a", 11);
  const auto pid = start("x");
  ASSERT_TRUE(pid) << to_string(pid.error());
  EXPECT_EQ(call(*pid, Account::Get{}).value(), "x of moe");
  EXPECT_EQ(call(via("accounts", "x"), Account::Get{}).value(), "x of moe");
  const auto again = start("x");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::already_started);
  EXPECT_EQ(again.error().pid, *pid);
  EXPECT_EQ(status().running, 1u);
}

TEST_F(ClusterInstanceTest, FailedStartTellsWhyAndLeavesNothing) {
  boot("a", 11);
  const auto failed = start("x", {"moe", -1});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::start_failed);
  EXPECT_THAT(to_string(failed.error()), ::testing::HasSubstr("negative"));
  EXPECT_FALSE(records.read("spec/accounts/x").value().has_value());
  ClusterChild garbled{.key = "y", .args = "\xc1"};
  EXPECT_EQ(DynamicSupervisor::start_child(local("accounts"), garbled).error().code,
            Code::start_failed);
}

TEST_F(ClusterInstanceTest, RestartsAndEnds) {
  boot("a", 11);
  const Pid pid = start("x").value();
  cast(pid, Account::Crash{});
  ASSERT_TRUE(eventually([&] {
    const auto rows = call(local("accounts"), cluster::WhichChildren{}).value();
    return rows.size() == 1 && rows[0].pid && rows[0].pid != pid;
  }));
  EXPECT_TRUE(DynamicSupervisor::terminate_child(local("accounts"), "x"));
  EXPECT_FALSE(records.read("spec/accounts/x").value().has_value());
  EXPECT_FALSE(call(via("accounts", "x"), Account::Get{}));
  EXPECT_EQ(DynamicSupervisor::terminate_child(local("accounts"), "x").error().code,
            Code::not_found);
}

TEST_F(ClusterInstanceTest, CleanEndOfATransientChildForgetsIt) {
  boot("a", 11);
  const Pid pid = start("x", {"moe", 1}, Restart::transient).value();
  cast(pid, Account::Finish{});
  EXPECT_TRUE(eventually([&] { return !records.read("spec/accounts/x").value().has_value(); }));
}

// The instance ends, as beyond its intensity: its parent starts it again, and its children return.
TEST_F(ClusterInstanceTest, ARestartedInstanceStartsItsOwnAgain) {
  boot("a", 11);
  std::vector<Pid> before;
  for (int i = 0; i < 20; ++i) before.push_back(start("k" + std::to_string(i)).value());
  const Pid instance = *whereis("accounts");
  coterie::exit(instance, ExitReason::kill());
  ASSERT_TRUE(eventually([&] { return whereis("accounts").value_or(instance) != instance; }));
  EXPECT_TRUE(eventually([&] { return status().running == 20; }));
  for (const Pid& pid : before) EXPECT_FALSE(is_alive(pid));
}

TEST_F(ClusterInstanceTest, SurvivorsTakeOver) {
  boot("b", 12);
  boot("a", 11);
  use("a");
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(start("k" + std::to_string(i)));
  nodes.erase("a");
  use("b");
  const Time begin = nodes.at("b")->local.clock.now();
  new_view();
  EXPECT_TRUE(eventually([&] { return status().running == 200; }));
  const auto took = nodes.at("b")->local.clock.now() - begin;
  EXPECT_LT(took, 3s);
  RecordProperty(
      "takeover_ms",
      static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
  EXPECT_EQ(status().claimed_total, 200u);
  EXPECT_EQ(call(via("accounts", "k7"), Account::Get{}).value(), "k7 of moe");
}

TEST_F(ClusterInstanceTest, DrainsInBoundedTime) {
  boot("b", 12);
  boot("a", 11);
  use("a");
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(start("k" + std::to_string(i)));
  EXPECT_EQ(call(local("accounts"), cluster::Drain{5000}, 10s).value(), 0u);
  EXPECT_EQ(status().handed_over_total, 50u);
  EXPECT_EQ(start("late").error().code, Code::unavailable);
  use("b");  // no links here, so it is the sweep that finds its new rows
  EXPECT_TRUE(eventually([&] { return status().running == 50; }, 10s));
}

// Goal: an instance whose helper ends before storage has answered it hears of that, and tries
// again.
TEST_F(ClusterInstanceTest, GoesOnWhenAHelperEndsWithoutAnAnswer) {
  SlowRecords slow(records);
  storage = &slow;
  boot("a", 11);
  detail::Runtime& runtime = nodes.at("a")->local.runtime;
  slow.hold(true);
  std::optional<ChildResult<Pid>> answer;
  std::thread starter([&] {
    const detail::AttachedThread attached(runtime);
    answer = start("x");
  });
  const Pid instance = *whereis("accounts");
  EXPECT_TRUE(eventually([&] {
    if (slow.waiting() == 0) return false;
    for (const ProcessInfo& info : runtime.snapshot(1s)) {
      if (!info.ancestors.empty() && info.ancestors.front() == instance &&
          info.initial_call == "function") {
        coterie::exit(info.pid, ExitReason::kill());
      }
    }
    return status().last_error.ends_with("writes rows ended");
  }));
  slow.hold(false);
  starter.join();
  ASSERT_TRUE(*answer) << to_string(answer->error());
  EXPECT_EQ(call(via("accounts", "x"), Account::Get{}).value(), "x of moe");
}

// Goal: a row that cannot be read starts nothing, is counted and told of once, and holds up nobody.
TEST_F(ClusterInstanceTest, ARowThatCannotBeReadIsToldOfOnce) {
  Transaction damaged;
  damaged.writes.push_back({"spec/accounts/bad", Bytes("\xc1")});
  ASSERT_TRUE(records.commit({&damaged, 1}));
  boot("a", 11);
  ASSERT_TRUE(start("good"));
  ASSERT_TRUE(eventually([&] { return status().unreadable == 1; }));
  new_view();  // looks at all rows again
  new_view();
  ASSERT_TRUE(start("better"));
  // The last of its tries is at 515 ms: enough time is left for an answer on a busy machine.
  EXPECT_EQ(DynamicSupervisor::terminate_child(local("accounts"), "bad", 700ms).error().code,
            Code::unavailable);
  const auto entries = nodes.at("a")->local.sink.entries();
  EXPECT_EQ(std::ranges::count_if(entries,
                                  [](const auto& entry) {
                                    return entry.message.find("cannot be read") !=
                                               std::string::npos &&
                                           entry.field("key") == "bad";
                                  }),
            1);
  EXPECT_EQ(status().running, 2u);
}

}  // namespace
}  // namespace coterie
