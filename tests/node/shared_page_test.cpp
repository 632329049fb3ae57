// The page that a node shares with its guardian, also when the node is killed in the middle of it.

#include "node/shared_page.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <thread>

#include "process/seeded_random.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

FileDescriptor same(const SharedPage& page) {
  return FileDescriptor(::fcntl(page.descriptor(), F_DUPFD_CLOEXEC, 0));
}

// Goal: what the node writes is what the guardian reads, and nothing is there before.
TEST(SharedPage, CarriesWhatTheNodeTells) {
  auto guardian = SharedPage::create();
  ASSERT_TRUE(guardian) << guardian.error();
  EXPECT_FALSE(guardian->snapshot().incarnation);
  EXPECT_FALSE(guardian->snapshot().lease_end);
  EXPECT_FALSE(guardian->snapshot().frozen);

  auto node = SharedPage::attach(same(*guardian));
  ASSERT_TRUE(node) << node.error();
  node->set_incarnation({3, NodeId{99}});
  node->lease_renewed(Time(5s));
  node->beat();
  node->beat();
  RunningName running(node->running(), "contracts/contract-1");

  const PageSnapshot seen = guardian->snapshot();
  EXPECT_EQ(seen.incarnation, (Incarnation{3, NodeId{99}}));
  EXPECT_EQ(seen.lease_end, Time(5s));
  EXPECT_FALSE(seen.frozen);
  EXPECT_EQ(seen.beats, 2u);
  EXPECT_THAT(guardian->running().names(), ElementsAre("contracts/contract-1"));
}

// Goal: freezing is acknowledged for one lease and counts for no later one.
TEST(SharedPage, AcknowledgementBelongsToOneLease) {
  auto page = SharedPage::create().value();
  page.lease_renewed(Time(5s));
  page.acknowledge_frozen(Time(5s));
  EXPECT_TRUE(page.snapshot().frozen);
  page.lease_renewed(Time(7s));
  EXPECT_FALSE(page.snapshot().frozen);
  page.acknowledge_frozen(Time(5s));  // late, of the lease before
  EXPECT_FALSE(page.snapshot().frozen);
}

// Goal: what is no page is refused.
TEST(SharedPage, RefusesWhatIsNoPage) {
  EXPECT_FALSE(SharedPage::attach(FileDescriptor()));
  FileDescriptor small(::memfd_create("small", MFD_CLOEXEC));
  EXPECT_FALSE(SharedPage::attach(std::move(small)));
  auto page = SharedPage::create().value();
  FileDescriptor blank(::memfd_create("blank", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(blank.get(), ::lseek(page.descriptor(), 0, SEEK_END)), 0);
  EXPECT_FALSE(SharedPage::attach(std::move(blank)));
  EXPECT_NE(::ftruncate(page.descriptor(), 0), 0);  // sealed
}

// Goal: names come and go; what does not fit is counted, never shortened.
TEST(RunningNames, AreBounded) {
  auto table = std::make_unique<RunningNameTable>();
  EXPECT_THAT(table->names(), IsEmpty());
  std::vector<std::unique_ptr<RunningName>> running;
  for (std::size_t i = 0; i < RunningNameTable::slots_max + 3; ++i) {
    running.push_back(std::make_unique<RunningName>(*table, "n/" + std::to_string(i)));
  }
  EXPECT_EQ(table->names().size(), RunningNameTable::slots_max);
  EXPECT_EQ(table->overflow(), 3u);
  running.clear();
  EXPECT_THAT(table->names(), IsEmpty());
  const std::string longest(RunningNameTable::name_bytes_max, 'x');
  RunningName fits(*table, longest), too_long(*table, longest + "x");
  EXPECT_THAT(table->names(), ElementsAre(longest));
  EXPECT_EQ(table->overflow(), 4u);
}

const std::string long_name(200, 'a'), short_name(17, 'b');

bool whole(const std::string& name) { return name == long_name || name == short_name; }

// Goal: a reader beside the writers sees whole names only.
TEST(RunningNames, AreWholeForALiveReader) {
  auto table = std::make_unique<RunningNameTable>();
  std::atomic<bool> stop{false};
  std::vector<std::jthread> writers;
  for (int i = 0; i < 3; ++i) {
    writers.emplace_back([&] {
      const std::size_t slot = table->claim().value();
      while (!stop) {
        table->enter(slot, long_name);
        table->enter(slot, short_name);
        table->leave(slot);
      }
      table->release(slot);
    });
  }
  int torn = 0;
  for (int i = 0; i < 3'000; ++i) {
    for (const std::string& name : table->names()) torn += !whole(name);
  }
  stop = true;
  writers.clear();
  EXPECT_EQ(torn, 0);
  EXPECT_THAT(table->names(), IsEmpty());
}

// Goal: after kill -9 at any instant a name is there whole or not at all.
TEST(RunningNames, AreWholeAfterAKill) {
  SeededRandom random(5);
  int seen = 0;
  for (int round = 0; round < 40; ++round) {
    auto page = SharedPage::create().value();
    const pid_t child = ::fork();
    if (child == 0) {
      for (;;) {
        RunningName first(page.running(), long_name);
        RunningName second(page.running(), short_name);
        page.beat();
      }
    }
    while (page.snapshot().beats < 10) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::microseconds(random.below(500)));
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    for (const std::string& name : page.running().names()) {
      EXPECT_TRUE(whole(name)) << name;
      ++seen;
    }
  }
  EXPECT_GT(seen, 0);
}

}  // namespace
}  // namespace coterie
