// The journal of a process: requests inside and before the window, also after a restart.

#include <coterie/journal.hpp>

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <coterie/gen_server.hpp>

#include "journal/group_commit.hpp"
#include "journal/kept_state.hpp"
#include "journal/memory.hpp"
#include "tests/supervision/cluster_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class Account final : public GenServer {
 public:
  struct Deposit {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "account.deposit";
    std::int64_t amount = 0;
  };
  struct Deposited {
    std::int64_t amount = 0;
  };
  using Calls = Messages<Deposit>;

  Init init() {
    trap_exit(true);
    const auto opened = journal_.open(
        "account", [this](const Balance& snapshot) { sum_ = snapshot.sum; },
        [this](const Deposited& e) {
          sum_ += e.amount;
          ++replayed;
        });
    if (!opened) return stop_init(opened.error().reason());
    return ok();
  }
  Outcome<std::int64_t> handle_call(const Deposit& deposit) {
    if (const Bytes* done = journal_.outcome(current_request_id())) {
      return *unpack<std::int64_t>(*done);
    }
    const auto stored = journal_.append(Deposited{deposit.amount}, current_request_id(),
                                        pack(sum_ + deposit.amount));
    if (!stored) return fail(stored.error());
    sum_ += deposit.amount;
    if (journal_.snapshot_due()) {
      EXPECT_TRUE(journal_.snapshot(Balance{sum_}));
    }
    return sum_;
  }

  void terminate(const ExitReason&) {
    if (options.snapshot_every != 0 && journal_.since_snapshot() > 0) {
      EXPECT_TRUE(journal_.snapshot(Balance{sum_}));
    }
  }

  static inline std::size_t replayed = 0;
  static inline JournalOptions options{.requests = 2};

 private:
  struct Balance {
    std::int64_t sum = 0;
  };
  Journal journal_{options};
  std::int64_t sum_ = 0;
};

class JournalProcessTest : public testing::Test {
 protected:
  JournalProcessTest() {
    Account::replayed = 0;
    Account::options = {.requests = 2};
    node_.local.runtime.set_journals(&journals_);
  }

  void start() { ASSERT_TRUE(GenServer::start<Account>({.name = account_})); }
  std::expected<std::int64_t, CallError> deposit(std::int64_t amount, std::string id) {
    return call(account_, Account::Deposit{amount}, CallOptions{5s, std::move(id)});
  }

  const ViaName account_ = via("accounts", "one");
  MemoryStreams streams_;
  SystemClock clock_;
  ThreadExecutor executor_{clock_};
  std::unique_ptr<Strand> strand_ = executor_.make_strand("journal");
  test::SharedNames shared_;
  test::ClusterNodeUnderTest node_{"a", 7, shared_};
  // Ends before the node, whose processes it wakes; at the end of a test none of them appends.
  JournalWriter journals_{streams_, *strand_, *strand_};
};

// Goal: a repeat gets its first outcome, or is refused when that is no longer remembered; it never
// runs again, before and after a restart of the process.
TEST_F(JournalProcessTest, ARequestRunsOnceHoweverOldItsRepeatIs) {
  start();
  EXPECT_EQ(deposit(1, "a"), 1);
  EXPECT_EQ(deposit(10, "b"), 11);
  EXPECT_EQ(deposit(100, "c"), 111);
  for (const bool restarted : {false, true}) {
    if (restarted) {
      ASSERT_TRUE(GenServer::stop(account_));
      start();
    }
    EXPECT_EQ(deposit(10, "b"), 11);
    EXPECT_EQ(deposit(100, "c"), 111);
    const auto old = deposit(1, "a");
    ASSERT_FALSE(old);
    EXPECT_EQ(old.error().code(), CallError::Code::refused);
    EXPECT_EQ(old.error().execution(), CallError::Execution::executed);
    EXPECT_THAT(old.error().detail(), HasSubstr("request a ran before the last 2 of account"));
  }
  EXPECT_EQ(deposit(1000, "d"), 1111);  // the server has lived on
  EXPECT_EQ(deposit(1000, ""), 2111);   // without an id each call is a new one
  EXPECT_EQ(deposit(1000, ""), 3111);
}

// Goal: the same with snapshots and no events before them: a replay is bounded, and the window of
// requests begins where it ended.
TEST_F(JournalProcessTest, SnapshotsKeepTheStateAndTheRequests) {
  Account::options = {.requests = 2, .snapshot_every = 3, .delete_events_on_snapshot = true};
  start();
  std::int64_t sum = 0;
  for (int i = 1; i <= 10; ++i) EXPECT_EQ(deposit(i, "r" + std::to_string(i)), sum += i);
  ASSERT_TRUE(GenServer::stop(account_));
  start();
  EXPECT_EQ(Account::replayed, 0u);  // the last snapshot was taken when it was stopped
  EXPECT_LE(streams_.read("account")->size(), 6u);
  EXPECT_EQ(deposit(9, "r9"), 45);
  EXPECT_EQ(deposit(10, "r10"), 55);
  for (int i = 1; i <= 8; ++i) {
    const auto old = deposit(i, "r" + std::to_string(i));
    ASSERT_FALSE(old) << i;
    EXPECT_EQ(old.error().code(), CallError::Code::refused);
  }
  EXPECT_EQ(deposit(100, "new"), 155);
}

// Goal: a program that does not know snapshots is told, and starts nothing without the past.
TEST_F(JournalProcessTest, AStreamWithSnapshotsIsNotOpenedWithoutThem) {
  class Old final : public GenServer {
   public:
    Init init() {
      auto opened = journal_.open("account", [](const Account::Deposited&) {});
      EXPECT_FALSE(opened);
      if (opened) return ok();
      EXPECT_THAT(opened.error().message, HasSubstr("the snapshot of event 3 of account"));
      return stop_init(opened.error().reason());
    }

   private:
    Journal journal_;
  };
  Account::options.snapshot_every = 3;
  start();
  for (int i = 1; i <= 3; ++i) EXPECT_TRUE(deposit(i, {}));
  ASSERT_TRUE(GenServer::stop(account_));
  EXPECT_FALSE(GenServer::start<Old>({.name = account_}));
}

// Goal: the ids of earlier requests have a bound; at the bound a call is told that it did not run,
// and what needs no memory goes on.
TEST_F(JournalProcessTest, MoreRequestsThanMayBeRememberedAreNotLetIn) {
  Account::options = {.requests = 1, .request_ids_max = 2};
  start();
  std::int64_t sum = 0;
  for (const char* id : {"a", "b", "c"}) EXPECT_EQ(deposit(1, id), ++sum) << id;
  const auto refused = deposit(1, "d");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().execution(), CallError::Execution::not_executed);
  EXPECT_THAT(refused.error().detail(), HasSubstr("stream account has had 2 requests within"));
  EXPECT_EQ(deposit(1, "c"), sum);
  EXPECT_EQ(deposit(1, ""), ++sum);
}

// Goal: earlier requests are forgotten in time, also in what snapshots keep of them.
TEST_F(JournalProcessTest, EarlierRequestsAreForgotten) {
  Account::options = {.requests = 1, .request_memory = Duration::zero(), .snapshot_every = 1};
  start();
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(deposit(1, "request " + std::to_string(i)));
  const auto stored = streams_.read("account");
  ASSERT_TRUE(stored);
  const auto kept = unpack<KeptState>(stored->back().payload);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->window.requests.size(), 1u);
  EXPECT_LE(kept->window.expired.size(), 2u);
  EXPECT_EQ(deposit(1, "request 1"), 101);  // it came too late to be known, as documented
}

// Goal: where snapshots are asked for often, one follows each event, for those who take any.
TEST_F(JournalProcessTest, SnapshotsCanBeMadeFrequent) {
  JournalWriter often(streams_, *strand_, *strand_, {}, {.snapshots_often = true});
  node_.local.runtime.set_journals(&often);
  Account::options.snapshot_every = 100;
  start();
  EXPECT_TRUE(deposit(1, {}));
  EXPECT_TRUE(deposit(1, {}));
  const auto stored = streams_.read("account");
  ASSERT_TRUE(stored);
  EXPECT_EQ(std::ranges::count(*stored, Event::Kind::snapshot, &Event::kind), 2);
  ASSERT_TRUE(GenServer::stop(account_));
  node_.local.runtime.set_journals(&journals_);
}

}  // namespace
}  // namespace coterie
