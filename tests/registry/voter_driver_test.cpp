// The `voters` engine on real threads and real time, its notes as bytes; and what notes withstand.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

#include "process/seeded_random.hpp"
#include "process/system_clock.hpp"
#include "process/thread_executor.hpp"
#include "registry/engine_mark.hpp"
#include "registry/store_agreement.hpp"
#include "registry/voter_agreement_driver.hpp"
#include "tests/registry/locked_store.hpp"

namespace coterie::testing {
namespace {

using namespace std::chrono_literals;

class MemoryDisk final : public VoterDisk {
 public:
  StorageResult<Bytes> read() override { return content; }
  StorageResult<void> create(BytesView bytes) override {
    content = Bytes(bytes);
    return {};
  }
  StorageResult<void> write(std::size_t offset, BytesView bytes) override {
    if (broken) return std::unexpected(StorageError{.message = "no disk"});
    content.replace(offset, bytes.size(), bytes);
    return {};
  }
  StorageResult<void> sync() override { return {}; }

  Bytes content;
  std::atomic<bool> broken = false;
};

// Notes between the nodes of one program; a node that is cut off neither sends nor hears.
class Hub {
 public:
  void join(const std::string& name, VoterAgreementDriver* driver) {
    std::lock_guard lock(mutex_);
    if (driver) {
      drivers_[name] = driver;
    } else {
      drivers_.erase(name);
    }
  }
  void cut_off(const std::string& name, bool cut) {
    std::lock_guard lock(mutex_);
    if (cut) {
      cut_.insert(name);
    } else {
      cut_.erase(name);
    }
  }
  void send(const std::string& from, std::string_view to, const Bytes& note) {
    std::lock_guard lock(mutex_);
    ++notes;
    const auto found = drivers_.find(to);
    if (found == drivers_.end() || cut_.contains(from) || cut_.contains(found->first)) return;
    found->second->received(from, note);
  }
  std::uint64_t notes = 0;

 private:
  std::mutex mutex_;
  std::map<std::string, VoterAgreementDriver*, std::less<>> drivers_;
  std::set<std::string> cut_;
};

struct VotingNode final : Notes, AgreementEvents {
  VotingNode(Hub& to, std::string own, std::uint64_t counter, const Clock& clock,
             Executor& executor, Random& random, MemoryDisk* disk)
      : name(std::move(own)), hub(to) {
    VoterAgreementOptions options;
    options.member.self.name = name;
    options.member.self.incarnation = {counter,
                                       NodeId{counter * 256 + static_cast<unsigned char>(name[0])}};
    options.member.voters = {"a", "b", "c"};
    options.member.timing = {.interval = 50ms, .length = 1s};
    options.configured = {"a", "b", "c", "d"};
    options.cluster_id = "test";
    incarnation = options.member.self.incarnation;
    auto opened = VoterAgreementDriver::open(options, disk, *this, clock, random, executor, *this,
                                             [this](std::string_view text) {
                                               std::lock_guard lock(mutex);
                                               notices.emplace_back(text);
                                             });
    if (!opened) {
      ADD_FAILURE() << opened.error().message;
      return;
    }
    driver = std::move(*opened);
    hub.join(name, driver.get());
    driver->start();
  }
  ~VotingNode() override {
    hub.join(name, nullptr);
    driver.reset();
  }
  void send_note(std::string_view node, Bytes note) override { hub.send(name, node, note); }
  void view_installed(std::shared_ptr<const View> view) override {
    std::lock_guard lock(mutex);
    EXPECT_TRUE(numbers.empty() || numbers.back() < view->number);
    numbers.push_back(view->number);
  }
  void state_changed(NodeState, std::string_view) override {}

  bool active() const { return driver->state() == NodeState::active; }
  std::size_t members() const { return driver->view() ? driver->view()->members.size() : 0; }
  bool has_said(std::string_view what) {
    std::lock_guard lock(mutex);
    return std::ranges::any_of(
        notices, [&](const std::string& text) { return text.find(what) != std::string::npos; });
  }

  const std::string name;
  Hub& hub;
  Incarnation incarnation;
  std::mutex mutex;
  std::vector<std::uint64_t> numbers;
  std::vector<std::string> notices;
  std::unique_ptr<VoterAgreementDriver> driver;
};

class VoterDriverTest : public ::testing::Test {
 protected:
  std::unique_ptr<VotingNode> start(const std::string& name, std::uint64_t counter = 1) {
    return std::make_unique<VotingNode>(hub, name, counter, clock, executor, random,
                                        name == "d" ? nullptr : &disks[name]);
  }
  template <class Ready>
  bool eventually(Ready ready) {
    const Time end = clock.now() + 10s;
    while (!ready() && clock.now() < end) std::this_thread::sleep_for(1ms);
    return ready();
  }

  SystemClock clock;
  SeededRandom random{7};
  Hub hub;
  std::map<std::string, MemoryDisk> disks;
  ThreadExecutor executor{clock};
};

// The first view, a member without a vote, a confirmed death, a node that is cut off and freezes, a
// lost majority that freezes all, a restart from the disk, a leave.
TEST_F(VoterDriverTest, lives_through_a_day) {
  auto a = start("a"), b = start("b"), c = start("c"), d = start("d");
  const auto whole = [&](std::size_t members) {
    return eventually([&] {
      for (const auto* node : {&a, &b, &c, &d}) {
        if (*node && ((*node)->members() != members || !(*node)->active())) return false;
      }
      return true;
    });
  };
  ASSERT_TRUE(whole(4));

  const Incarnation dead = d->incarnation;
  d.reset();
  for (const auto* node : {&a, &b, &c}) (*node)->driver->confirm_death("d", dead);
  ASSERT_TRUE(whole(3));

  hub.cut_off("c", true);
  ASSERT_TRUE(eventually([&] { return c->driver->state() == NodeState::frozen; }));
  ASSERT_TRUE(eventually([&] { return a->members() == 2 && b->members() == 2; }));
  EXPECT_GE(a->driver->view()->tombstones.at("c"), c->incarnation.counter);
  // The links would refuse it from now on.
  c->driver->refused_as_dead(c->incarnation.counter);
  ASSERT_TRUE(eventually([&] { return c->driver->state() == NodeState::down; }));
  EXPECT_EQ(c->driver->departure()->kind, Departure::Kind::raise_counter);
  c.reset();
  hub.cut_off("c", false);
  c = start("c", 2);
  ASSERT_TRUE(whole(3)) << "a voter that starts again remembers its disk";

  // Without a majority of voters nobody is removed, and all thaw when it is back.
  hub.cut_off("b", true);
  hub.cut_off("c", true);
  ASSERT_TRUE(eventually([&] { return a->driver->state() == NodeState::frozen; }));
  EXPECT_TRUE(eventually([&] { return a->has_said("frozen: voters that answer"); }));
  hub.cut_off("b", false);
  hub.cut_off("c", false);
  ASSERT_TRUE(whole(3));
  EXPECT_EQ(a->driver->view()->find("c")->incarnation, c->incarnation);

  b->driver->leave();
  ASSERT_TRUE(eventually([&] { return b->driver->state() == NodeState::down; }));
  EXPECT_EQ(b->driver->departure()->kind, Departure::Kind::left);
  EXPECT_TRUE(eventually([&] { return a->members() == 2 && c->members() == 2; }));
}

// A voter whose disk fails votes no more and says so; the others go on, and it stays a member.
TEST_F(VoterDriverTest, a_disk_that_fails_ends_the_vote) {
  auto a = start("a"), b = start("b"), c = start("c");
  ASSERT_TRUE(eventually([&] { return a->members() == 3 && b->active() && c->active(); }));
  disks["b"].broken = true;
  auto d = start("d");
  ASSERT_TRUE(eventually([&] { return d->active() && b->members() == 4 && b->active(); }));
  EXPECT_TRUE(eventually([&] { return b->has_said("votes no more"); }));
}

TEST_F(VoterDriverTest, a_damaged_file_has_no_vote) {
  disks["b"].content = Bytes(2 * VoterFile::copy_bytes, 'x');
  auto b = start("b");
  EXPECT_TRUE(b->has_said("both copies in the voter's file are damaged"));
}

// Epochs of one engine mean nothing to the other, so storage belongs to the first that used it.
TEST(EngineMark, storage_is_for_one_engine) {
  LockedStore fresh, old;
  EXPECT_TRUE(claim_for_engine(fresh, "voters"));
  EXPECT_TRUE(claim_for_engine(fresh, "voters"));
  const auto refused = claim_for_engine(fresh, "store");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, StorageError::Code::misuse);
  EXPECT_NE(refused.error().message.find("agreement = \"voters\""), std::string::npos);

  Transaction view;
  view.writes.push_back({StoreAgreement::view_key(), Bytes("view")});
  ASSERT_TRUE(old.commit({&view, 1}));  // from before storage was marked
  EXPECT_FALSE(claim_for_engine(old, "voters"));
  EXPECT_TRUE(claim_for_engine(old, "store"));
}

// ---- the bytes

ViewPtr some_view() {
  View view;
  view.number = 7;
  view.config_digest = "digest";
  view.members["b"] = {.name = "b",
                       .incarnation = {3, NodeId{99}},
                       .address = "h:1",
                       .client_address = "h:2",
                       .kinds = {"contracts"},
                       .weight = 5,
                       .draining = true,
                       .since = 4};
  view.tombstones["c"] = 12;
  return std::make_shared<const View>(view);
}

std::vector<voters::Note> notes_of_every_kind() {
  voters::Renew renewal;
  renewal.member = some_view()->members.at("b");
  renewal.number = 300;
  renewal.echo = {17, Time(123456789ns)};
  renewal.installed = 7;
  renewal.config_digest = "digest";
  renewal.ready = true;
  renewal.heard = HeardReport{7, {"a", "c"}};
  const voters::Answer answer{.kind = voters::Answer::Kind::raise_counter,
                              .number = 300,
                              .echo = {18, Time(-5ns)},
                              .length = 2s,
                              .counter = 9,
                              .why = "why",
                              .newer = some_view()};
  const Ballot ballot{8, 2};
  const std::vector<NodeId> ids{NodeId{1}, NodeId{1ull << 63}};
  using R = ViewRegister;
  return {renewal,
          voters::AnswerTo{NodeId{4}, answer},
          voters::Told{some_view()},
          voters::PeerMessage(voters::Ask{3, ids, {}}),
          voters::PeerMessage(voters::Would{3, ids}),
          voters::PeerMessage(voters::Newest{ballot, 1, 2, 3, {{"a", 5}, {"b", 6}}}),
          voters::PeerMessage(voters::AdmitMe{77}),
          voters::PeerMessage(
              voters::Admit{77, 2, ballot, {7, 1}, some_view(), 2s, {{"a", 5}, {"b", 6}}}),
          voters::PeerMessage(voters::Admit{77, 0, ballot, {}, nullptr, 2s, {}}),
          voters::PeerMessage(R::Message(R::Prepare{ballot, ids, ids})),
          voters::PeerMessage(R::Message(R::Promised{ballot, {7, 1}, some_view(), ids})),
          voters::PeerMessage(R::Message(R::Promised{ballot, {}, nullptr, {}})),
          voters::PeerMessage(R::Message(R::Accept{ballot, some_view()})),
          voters::PeerMessage(R::Message(R::Accepted{ballot})),
          voters::PeerMessage(R::Message(R::Refused{ballot, {9, 0}, 3ms})),
          voters::PeerMessage(R::Message(R::Chosen{ballot, some_view()}))};
}

// Writing again what was read gives the same bytes, so nothing is lost on the way.
TEST(VoterNotes, every_kind_comes_back) {
  for (const voters::Note& note : notes_of_every_kind()) {
    const Bytes bytes = voters::encode(note);
    const auto read = voters::decode(bytes);
    ASSERT_TRUE(read) << note.index();
    EXPECT_EQ(read->index(), note.index());
    EXPECT_EQ(voters::encode(*read), bytes);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
      EXPECT_FALSE(voters::decode(BytesView(bytes).substr(0, cut))) << "cut at " << cut;
    }
  }
  const auto renewal = voters::decode(voters::encode(notes_of_every_kind().front()));
  EXPECT_EQ(std::get<voters::Renew>(*renewal).member, some_view()->members.at("b"));
  EXPECT_EQ(std::get<voters::Renew>(*renewal).echo.at, Time(123456789ns));
}

TEST(VoterNotes, a_view_that_is_missing_or_a_kind_that_is_unknown_is_no_note) {
  EXPECT_FALSE(voters::decode(voters::encode(voters::Told{})));
  EXPECT_FALSE(voters::decode(voters::encode(
      voters::PeerMessage(ViewRegister::Message(ViewRegister::Accept{{1, 1}, {}})))));
  EXPECT_FALSE(voters::decode(Bytes("\x01\x0d", 2)));
  EXPECT_FALSE(voters::decode(Bytes("\x02\x03\x00", 3))) << "a later version";
}

// What any bytes decode to is encoded to what decodes to the same.
TEST(VoterNotes, bytes_changed_at_random_do_no_harm) {
  std::mt19937_64 random(11);
  const auto notes = notes_of_every_kind();
  for (int round = 0; round < 20'000; ++round) {
    Bytes bytes = voters::encode(notes[random() % notes.size()]);
    for (auto changes = random() % 4 + 1; changes > 0; --changes) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    if (const auto note = voters::decode(bytes)) {
      const Bytes again = voters::encode(*note);
      const auto same = voters::decode(again);
      ASSERT_TRUE(same);
      EXPECT_EQ(voters::encode(*same), again);
    }
  }
}

}  // namespace
}  // namespace coterie::testing
