// The members' directory, step by step: three members whose messages the test carries.

#include <gtest/gtest.h>

#include "registry/directory.hpp"

namespace coterie::testing {
namespace {

using namespace std::chrono_literals;
using name_requests::Confirm;
using name_requests::Confirmed;
using name_requests::Found;
using name_requests::Lookup;
using name_requests::Release;
using name_requests::Request;
using name_requests::Reserve;
using name_requests::Reserved;
using name_requests::Withdraw;

class DirectoryTest : public ::testing::Test {
 protected:
  struct Node {
    std::string name;
    std::unique_ptr<Directory> core;
    std::shared_ptr<const View> view;
  };
  struct Sent {
    NodeId from, to;
    directory::Message message;
  };

  DirectoryTest() {
    for (std::uint64_t i = 1; i <= 3; ++i) add(i);
  }
  void add(std::uint64_t i) {
    const std::string name(1, static_cast<char>('a' + i - 1));
    nodes_[NodeId{i}] = {
        name,
        std::make_unique<Directory>(DirectoryOptions{.node = name,
                                                     .incarnation = {.counter = 1, .id = NodeId{i}},
                                                     .lease_end = [this] { return lease_end_; },
                                                     .claims_bytes = 100,
                                                     .protections = rules_}),
        nullptr};
  }
  std::shared_ptr<const View> view(std::uint64_t number, const std::vector<std::uint64_t>& members,
                                   std::uint64_t newcomer = 0) {
    View made;
    made.number = number;
    for (const std::uint64_t i : members) {
      const std::string name(1, static_cast<char>('a' + i - 1));
      const std::uint64_t since = number == 1 || i == newcomer ? number : 1;
      made.members[name] = {.name = name,
                            .incarnation = {.counter = 1, .id = NodeId{i}},
                            .address = {},
                            .client_address = {},
                            .kinds = {},
                            .since = since};
    }
    return std::make_shared<const View>(std::move(made));
  }
  void install(std::uint64_t node, const std::shared_ptr<const View>& v) {
    nodes_.at(NodeId{node}).view = v;
    step(node, Directory::Installed{v});
  }
  void install_all(const std::shared_ptr<const View>& v) {
    for (const auto& [name, member] : v->members) {
      install(static_cast<std::uint64_t>(member.incarnation.id), v);
    }
  }
  void step(std::uint64_t node, const Directory::Event& event) {
    for (auto& action : nodes_.at(NodeId{node}).core->step(now_, event)) {
      if (auto* sent = std::get_if<Directory::Send>(&action)) {
        wire_.push_back({NodeId{node}, sent->to, std::move(sent->message)});
      } else if (auto* reserved = std::get_if<Reserved>(&action)) {
        reserved_.emplace(reserved->request, std::move(reserved->result));
      } else if (auto* confirmed = std::get_if<Confirmed>(&action)) {
        confirmed_.emplace(confirmed->request, std::move(confirmed->result));
      } else if (auto* found = std::get_if<Found>(&action)) {
        found_.emplace(found->request, std::move(found->result));
      } else if (auto* silent = std::get_if<Directory::Silent>(&action)) {
        silent_.emplace_back(NodeId{node}, silent->node);
      } else if (std::holds_alternative<Directory::ReadView>(action)) {
        ++reads_;
      }
    }
  }
  /// Carries everything but what `lost` says.
  void carry(const std::function<bool(const Sent&)>& lost = {}) {
    while (!wire_.empty()) {
      const Sent sent = wire_.front();
      wire_.pop_front();
      if ((lost && lost(sent)) || !nodes_.contains(sent.to)) continue;
      step(static_cast<std::uint64_t>(sent.to), Directory::Received{sent.from, sent.message});
    }
  }
  void pass(Duration time) {
    now_ += time;
    for (auto& [id, node] : nodes_) step(static_cast<std::uint64_t>(id), Directory::Tick{});
  }
  /// A name whose primary in `v` is that member.
  static std::string name_at(const View& v, std::uint64_t node) {
    for (int i = 0;; ++i) {
      std::string name = "name " + std::to_string(i);
      if (primary(v, directory_partition(name))->incarnation.id == NodeId{node}) return name;
    }
  }

  Time now_{1h};
  Time lease_end_ = Time::max();
  DirectoryProtections rules_;
  std::map<NodeId, Node> nodes_;
  std::deque<Sent> wire_;
  std::map<Request, NameResult<Registration>> reserved_;
  std::map<Request, NameResult<void>> confirmed_;
  std::map<Request, NameResult<Location>> found_;
  std::vector<std::pair<NodeId, NodeId>> silent_;
  int reads_ = 0;
};

TEST_F(DirectoryTest, GivesANameToTheFirstWhoAsks) {
  const auto v = view(1, {1, 2, 3});
  install_all(v);
  const std::string name = name_at(*v, 3);
  step(1, Reserve{7, name, 70, now_ + 5s});
  step(2, Reserve{8, name, 80, now_ + 5s});
  carry();
  ASSERT_TRUE(reserved_.at(7));
  EXPECT_EQ(reserved_.at(7)->epoch.view, 1u);
  ASSERT_FALSE(reserved_.at(8));
  EXPECT_EQ(reserved_.at(8).error().code, NameError::Code::taken);
  EXPECT_EQ(reserved_.at(8).error().holder, (Pid{NodeId{1}, 70}));
  EXPECT_EQ(nodes_.at(NodeId{3}).core->as_primary().names(), 1u);

  step(2, Lookup{9, name, now_ + 5s});
  carry();
  EXPECT_EQ(found_.at(9).error().code, NameError::Code::not_found);  // not confirmed yet
  step(1, Confirm{10, name, 7, now_ + 5s});
  step(2, Lookup{11, name, now_ + 5s});
  carry();
  EXPECT_TRUE(confirmed_.at(10));
  EXPECT_EQ(found_.at(11)->pid, (Pid{NodeId{1}, 70}));
  EXPECT_EQ(found_.at(11)->epoch, reserved_.at(7)->epoch);

  step(1, Release{name, 7});
  step(1, Reserve{12, name, 71, now_ + 5s});  // in order with the release
  carry();
  ASSERT_TRUE(reserved_.at(12));
  EXPECT_GT(reserved_.at(12)->epoch, reserved_.at(7)->epoch);
}

TEST_F(DirectoryTest, OpensAMovedPartitionWhenAllHaveSpoken) {
  const auto first = view(1, {1, 2, 3});
  install_all(first);
  const std::string name = name_at(*first, 3);
  step(1, Reserve{7, name, 70, now_ + 5s});
  carry();
  step(1, Confirm{8, name, 7, now_ + 5s});
  carry();
  // c goes; its partition moves. b is the first to see that, and asks before a has spoken.
  nodes_.erase(NodeId{3});
  const auto second = view(2, {1, 2});
  install(2, second);
  step(2, Reserve{9, name, 90, now_ + 5s});
  carry();
  EXPECT_FALSE(reserved_.contains(9));
  install(1, second);
  carry();
  ASSERT_TRUE(reserved_.contains(9));
  EXPECT_EQ(reserved_.at(9).error().holder, (Pid{NodeId{1}, 70}));  // a has said that it holds it
}

// Goal: whoever keeps its partitions asks nobody, and is told nothing, also by itself.
TEST_F(DirectoryTest, AsksOnlyForWhatIsNewToIt) {
  const auto first = view(1, {1, 2, 3});
  install_all(first);
  EXPECT_TRUE(wire_.empty());  // nobody holds anything yet
  std::map<std::string, Request> held;
  for (Request i = 100; i < 200; ++i) {
    const std::string name = "name " + std::to_string(i);
    step(1, Reserve{i, name, i, now_ + 5s});
    held[name] = i;
  }
  carry();
  const auto same = view(2, {1, 2, 3});
  install_all(same);
  EXPECT_TRUE(wire_.empty());
  step(2, Reserve{7, name_at(*same, 2), 70, now_ + 5s});
  EXPECT_TRUE(reserved_.at(7));

  nodes_.erase(NodeId{3});
  const auto third = view(3, {1, 2});
  install_all(third);
  std::size_t told = 0;
  carry([&](const Sent& sent) {
    if (const auto* want = std::get_if<directory::Want>(&sent.message)) {
      for (const unsigned partition : want->partitions) {
        EXPECT_EQ(primary(*same, partition)->name, "c");
        EXPECT_EQ(primary(*third, partition)->incarnation.id, sent.from);
      }
    } else if (const auto* claims = std::get_if<directory::Claims>(&sent.message)) {
      told += claims->claims.size();
    }
    return false;
  });
  std::size_t moved = 0;
  for (const auto& [name, request] : held) {
    const unsigned partition = directory_partition(name);
    moved += primary(*same, partition)->name == "c" && primary(*third, partition)->name == "b";
  }
  EXPECT_GT(moved, 5u);
  EXPECT_EQ(told, moved);
  for (const auto& [name, request] : held) {
    step(2, Reserve{1000 + request, name, 70, now_ + 5s});
    carry();
    EXPECT_EQ(reserved_.at(1000 + request).error().holder, (Pid{NodeId{1}, request}));
  }
}

// Goal: whatever is lost of the questions and answers, a partition opens with every name of it, and
// what has come is not told again.
TEST_F(DirectoryTest, AsksOnBehindWhatHasCome) {
  const auto first = view(1, {1, 2, 3});
  install_all(first);
  const auto second = view(2, {1, 2});
  std::vector<std::string> held;
  for (Request i = 100; held.size() < 20; ++i) {
    std::string name = "name " + std::to_string(i);
    if (primary(*first, directory_partition(name))->name != "c") continue;
    if (primary(*second, directory_partition(name))->name != "b") continue;
    step(1, Reserve{i, name, i, now_ + 5s});
    held.push_back(std::move(name));
  }
  carry();
  nodes_.erase(NodeId{3});
  install_all(second);
  step(2, Reserve{7, held.back(), 70, now_ + 60s});
  std::size_t turn = 0, told = 0;
  const auto every_third = [&](const Sent& sent) {
    if (++turn % 3 == 0) return true;
    if (const auto* claims = std::get_if<directory::Claims>(&sent.message)) {
      EXPECT_LE(claims->claims.size(), 3u);
      told += claims->claims.size();
    }
    return false;
  };
  for (int i = 0; i < 60 && !reserved_.contains(7); ++i) {
    carry(every_third);
    pass(200ms);
  }
  ASSERT_TRUE(reserved_.contains(7));
  EXPECT_EQ(reserved_.at(7).error().code, NameError::Code::taken);
  EXPECT_EQ(told, held.size());
  for (Request i = 0; i < held.size(); ++i) {
    step(2, Reserve{1000 + i, held[i], 70, now_ + 5s});
    carry();
    EXPECT_EQ(reserved_.at(1000 + i).error().code, NameError::Code::taken);
  }
}

// Goal: a name that somebody has found is found by everybody after a change of view, also when its
// holder has not heard yet that it is visible. Without the rule it is not: a directed mutant,
// because drawn runs meet this hardly ever.
TEST_F(DirectoryTest, ClaimsAsVisibleWhatOthersMayHaveFound) {
  for (const bool rule : {true, false}) {
    rules_.asked_confirm_claimed = rule;
    for (std::uint64_t i = 1; i <= 3; ++i) add(i);
    found_.clear();
    reserved_.clear();
    const auto first = view(1, {1, 2, 3});
    const auto second = view(2, {1, 2});
    install_all(first);
    std::string name;
    for (int i = 0; name.empty(); ++i) {
      const std::string next = "name " + std::to_string(i);
      const bool from_c = primary(*first, directory_partition(next))->name == "c";
      if (from_c && primary(*second, directory_partition(next))->name == "b") name = next;
    }
    step(1, Reserve{7, name, 70, now_ + 60s});
    carry();
    step(1, Confirm{8, name, 7, now_ + 60s});
    carry([](const Sent& sent) { return sent.from == NodeId{3}; });  // the answer is lost
    step(2, Lookup{9, name, now_ + 60s});
    carry();
    EXPECT_TRUE(found_.at(9));
    nodes_.erase(NodeId{3});
    install(2, second);
    step(2, Lookup{10, name, now_ + 60s});
    install(1, second);
    carry([](const Sent& sent) { return std::holds_alternative<directory::Ask>(sent.message); });
    ASSERT_TRUE(found_.contains(10));
    EXPECT_EQ(found_.at(10).has_value(), rule);
  }
}

TEST_F(DirectoryTest, FreesTheNamesOfTheDead) {
  const auto first = view(1, {1, 2, 3});
  install_all(first);
  const std::string name = name_at(*first, 1);
  step(3, Reserve{7, name, 70, now_ + 5s});
  carry();
  nodes_.erase(NodeId{3});
  const auto second = view(2, {1, 2});
  install(1, second);
  step(1, Reserve{8, name, 80, now_ + 5s});  // the partition stays, and is open
  ASSERT_TRUE(reserved_.at(8));
  EXPECT_EQ(reserved_.at(8)->epoch.view, 2u);
}

TEST_F(DirectoryTest, RefusesWhatWasAskedInAnOlderView) {
  const auto first = view(1, {1, 2, 3});
  install_all(first);
  carry();
  const auto second = view(2, {1, 2, 3});
  install(3, second);
  const std::string name = name_at(*first, 3);
  step(1, Reserve{7, name, 70, now_ + 5s});
  carry();
  EXPECT_FALSE(reserved_.contains(7));
  EXPECT_GE(reads_, 1);  // a looks for the newer view
  install(1, second);
  install(2, second);
  carry();
  EXPECT_TRUE(reserved_.at(7));
}

TEST_F(DirectoryTest, ClaimsGoAroundACut) {
  const auto first = view(1, {1, 2, 3});
  install_all(first);
  carry();
  const std::string name = name_at(*view(2, {1, 2, 3, 4}, 4), 4);
  step(1, Reserve{7, name, 70, now_ + 60s});
  carry();
  ASSERT_TRUE(reserved_.at(7));
  add(4);
  const auto cut = [](const Sent& sent) {
    return (sent.from == NodeId{1} && sent.to == NodeId{4}) ||
           (sent.from == NodeId{4} && sent.to == NodeId{1});
  };
  const auto second = view(2, {1, 2, 3, 4}, 4);
  install_all(second);
  step(2, Reserve{8, name, 80, now_ + 60s});
  carry(cut);
  EXPECT_FALSE(reserved_.contains(8));
  for (int i = 0; i < 3 && !reserved_.contains(8); ++i) {
    pass(200ms);
    carry(cut);
  }
  ASSERT_TRUE(reserved_.contains(8));
  EXPECT_EQ(reserved_.at(8).error().holder, (Pid{NodeId{1}, 70}));
}

TEST_F(DirectoryTest, NamesWhoIsSilentOnce) {
  add(4);
  const auto first = view(1, {1, 2, 3, 4});
  install_all(first);
  nodes_.erase(NodeId{4});
  const auto second = view(2, {1, 2, 3});
  install(1, second);
  install(2, second);
  for (int i = 0; i < 15; ++i) {
    pass(200ms);
    carry();
  }
  EXPECT_EQ(silent_,
            (std::vector{std::pair(NodeId{1}, NodeId{3}), std::pair(NodeId{2}, NodeId{3})}));
}

// Goal: a view that is told twice asks nobody for what it has said, and a member that keeps no
// names misses nobody's.
TEST_F(DirectoryTest, MissesNobodyWhoHasSpoken) {
  install_all(view(1, {1, 2, 3}));
  carry();
  View without_three = *view(2, {1, 2, 3});
  without_three.members["c"].draining = true;
  const auto second = std::make_shared<const View>(without_three);
  install_all(second);
  carry();
  install_all(second);
  const std::string name = name_at(*second, 1);
  step(2, Reserve{7, name, 70, now_ + 5s});
  carry();
  EXPECT_TRUE(reserved_.contains(7));
  for (int i = 0; i < 15; ++i) {
    pass(200ms);
    carry();
  }
  EXPECT_TRUE(silent_.empty());
}

// Goal: a restart that overtakes the release of its own old name, whose message was lost, waits for
// it instead of finding the name taken.
TEST_F(DirectoryTest, WaitsForItsOwnRelease) {
  const auto v = view(1, {1, 2, 3});
  install_all(v);
  const std::string name = name_at(*v, 3);
  step(1, Reserve{7, name, 70, now_ + 5s});
  carry();
  step(1, Release{name, 7, reserved_.at(7)->epoch});
  wire_.clear();
  step(1, Reserve{8, name, 80, now_ + 5s});
  carry();
  EXPECT_FALSE(reserved_.contains(8));
  pass(200ms);
  carry();
  pass(400ms);
  carry();
  ASSERT_TRUE(reserved_.contains(8));
  EXPECT_TRUE(reserved_.at(8));
}

// Goal: what is not answered is sent less and less often, and at once when there is a way again.
TEST_F(DirectoryTest, SendsAgainLessAndLessOften) {
  const auto v = view(1, {1, 2, 3});
  install_all(v);
  carry();
  step(1, Lookup{7, name_at(*v, 3), now_ + 60s});
  std::size_t sent = 0;
  for (int i = 0; i < 100; ++i) {
    sent += wire_.size();
    wire_.clear();
    pass(100ms);
  }
  EXPECT_GE(sent, 7u);
  EXPECT_LE(sent, 10u);
  wire_.clear();
  step(1, Directory::Connected{NodeId{2}});
  EXPECT_TRUE(wire_.empty());
  step(1, Directory::Connected{NodeId{3}});
  EXPECT_EQ(wire_.size(), 1u);
  carry();
  EXPECT_TRUE(found_.contains(7));
}

TEST_F(DirectoryTest, GivesUpAtTheDeadlineAndTakesTheNameBack) {
  const auto v = view(1, {1, 2, 3});
  install_all(v);
  const std::string name = name_at(*v, 3);
  const auto answers_lost = [](const Sent& sent) { return sent.from == NodeId{3}; };
  step(1, Reserve{7, name, 70, now_ + 1s});
  carry(answers_lost);
  EXPECT_EQ(nodes_.at(NodeId{3}).core->as_primary().names(), 1u);
  pass(1s);
  EXPECT_EQ(reserved_.at(7).error().code, NameError::Code::unavailable);
  carry();
  EXPECT_EQ(nodes_.at(NodeId{3}).core->as_primary().names(), 0u);
  EXPECT_EQ(nodes_.at(NodeId{1}).core->changes_pending(), 0u);
}

TEST_F(DirectoryTest, AnswersNoLookupWithoutALease) {
  const auto v = view(1, {1, 2, 3});
  install_all(v);
  const std::string name = name_at(*v, 1);
  lease_end_ = now_;
  step(1, Lookup{7, name, now_ + 1s});
  EXPECT_FALSE(found_.contains(7));
  lease_end_ = Time::max();
  pass(200ms);
  EXPECT_EQ(found_.at(7).error().code, NameError::Code::not_found);
}

TEST_F(DirectoryTest, TakesBackWhatNobodyWaitsForAnyMore) {
  const auto v = view(1, {1, 2, 3});
  install_all(v);
  const std::string name = name_at(*v, 3);
  step(1, Reserve{7, name, 70, now_ + 5s});
  step(1, Withdraw{7});
  carry();
  EXPECT_FALSE(reserved_.contains(7));
  EXPECT_EQ(nodes_.at(NodeId{3}).core->as_primary().names(), 0u);
  step(1, Reserve{8, name, 80, now_ + 5s});
  carry();
  step(1, Withdraw{8});  // granted, but whoever asked has ended before it took the answer
  carry();
  EXPECT_EQ(nodes_.at(NodeId{3}).core->as_primary().names(), 0u);
}

TEST_F(DirectoryTest, AnswersEverybodyWhenItStops) {
  const auto v = view(1, {1, 2, 3});
  install_all(v);
  const std::string name = name_at(*v, 3);
  step(1, Reserve{7, name, 70, now_ + 5s});
  step(1, Lookup{8, name, now_ + 5s});
  step(1, Directory::Stop{"it is out"});
  step(1, Reserve{9, name, 90, now_ + 5s});
  step(1, Lookup{10, name, now_ + 5s});
  for (const Request request : {7, 9}) {
    EXPECT_EQ(reserved_.at(request).error().message, "it is out");
  }
  for (const Request request : {8, 10}) {
    EXPECT_EQ(found_.at(request).error().message, "it is out");
  }
}

TEST_F(DirectoryTest, RefusesNamesThatAreTooLong) {
  install_all(view(1, {1, 2, 3}));
  const std::string name(1001, 'n');
  step(1, Reserve{7, name, 70, now_ + 5s});
  step(1, Lookup{8, name, now_ + 5s});
  EXPECT_EQ(reserved_.at(7).error().code, NameError::Code::failed);
  EXPECT_EQ(found_.at(8).error().code, NameError::Code::not_found);
}

}  // namespace
}  // namespace coterie::testing
