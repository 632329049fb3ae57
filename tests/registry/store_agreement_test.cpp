// Directed cases of the agreement core: who joins, who goes, who is told what. Nodes step by hand
// against a model store that answers at once.

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "registry/connectivity.hpp"
#include "registry/record_codec.hpp"
#include "registry/store_agreement.hpp"
#include "tests/registry/model_store.hpp"

namespace coterie::testing {
namespace {

using namespace std::chrono_literals;
using Core = StoreAgreement;

// One node: a core, its clock and what it did.
struct Node {
  Node(ModelStore& the_store, std::string name, std::uint64_t counter, std::string digest = "d",
       bool predecessor_dead = false)
      : store(the_store),
        core(options(std::move(name), counter, std::move(digest), predecessor_dead)) {}

  static AgreementOptions options(std::string name, std::uint64_t counter, std::string digest,
                                  bool predecessor_dead) {
    AgreementOptions options;
    options.self.incarnation = {counter,
                                NodeId{counter * 1000 + static_cast<unsigned char>(name[0])}};
    options.self.name = std::move(name);
    options.config_digest = std::move(digest);
    options.configured = {"a", "b", "c"};
    options.predecessor_dead = predecessor_dead;
    return options;
  }

  void step(Time now, const Core::Event& event) { carry_out(now, core.step(now, event)); }

  // Carries out the first commit that is held back.
  void release(Time now) {
    Core::CommitStore commit = std::get<Core::CommitStore>(std::move(held.front()));
    held.pop_front();
    commits.push_back(commit.transaction);
    step(now, Core::Committed{commit.id, now, store.commit({&commit.transaction, 1})->front()});
  }

  void carry_out(Time now, std::vector<Core::Action> actions) {
    for (auto& action : actions) {
      if (holds && std::holds_alternative<Core::CommitStore>(action)) {
        held.push_back(std::move(action));
      } else if (auto* scan = std::get_if<Core::ScanStore>(&action)) {
        ++scans;
        if (store_up) {
          step(now, Core::Scanned{scan->id, now, store.scan(scan->prefix)});
        } else {
          step(now, Core::Scanned{scan->id, now, std::unexpected(StorageError{})});
        }
      } else if (auto* commit = std::get_if<Core::CommitStore>(&action)) {
        commits.push_back(commit->transaction);
        Core::Committed committed{commit->id, now, std::unexpected(StorageError{})};
        if (store_up) committed.result = store.commit({&commit->transaction, 1})->front();
        step(now, committed);
      } else if (auto* install = std::get_if<Core::InstallView>(&action)) {
        view = install->view;
      } else if (auto* lease = std::get_if<Core::SetLeaseEnd>(&action)) {
        lease_end = lease->end;
      } else if (auto* depart = std::get_if<Core::Depart>(&action)) {
        departure = depart->departure;
      } else if (auto* notice = std::get_if<Core::Notice>(&action)) {
        notices.push_back(notice->text);
      }
    }
  }

  ModelStore& store;
  Core core;
  bool store_up = true;
  bool holds = false;  // commits wait for release()
  std::deque<Core::Action> held;
  int scans = 0;
  std::vector<Transaction> commits;
  std::shared_ptr<const View> view;
  Time lease_end = Time::min();
  std::optional<Departure> departure;
  std::vector<std::string> notices;
};

class StoreAgreementTest : public ::testing::Test {
 protected:
  // Everybody given ticks for `time`, in steps of 50 ms.
  void run(Duration time, std::initializer_list<Node*> nodes) {
    for (const Time end = now + time; now < end;) {
      now += 50ms;
      for (Node* node : nodes) node->step(now, Core::Tick{});
    }
  }
  void start(std::initializer_list<Node*> nodes) {
    for (Node* node : nodes) node->step(now, Core::Start{});
    run(400ms, nodes);
    for (Node* node : nodes) ASSERT_EQ(node->core.state(), NodeState::active);
  }

  ModelStore store;
  Time now{100s};
  Node a{store, "a", 1}, b{store, "b", 1}, c{store, "c", 1};
};

// Three nodes that start together agree on one view and hold leases just short of two seconds.
TEST_F(StoreAgreementTest, starts_alone_and_together) {
  start({&a, &b, &c});
  EXPECT_EQ(a.view->members.size(), 3u);
  EXPECT_EQ(*a.view, *b.view);
  EXPECT_EQ(a.view->find("b")->since, 2u);
  EXPECT_LE(a.lease_end, now + 1940ms);
  EXPECT_GE(a.lease_end, now + 1700ms);
}

// A silent member freezes by itself before the others remove it, and is told that it is out.
TEST_F(StoreAgreementTest, removes_the_silent_after_their_lease) {
  start({&a, &b, &c});
  const Time silent_since = now;
  while (b.view->find("a") && now < silent_since + 10s) run(50ms, {&b, &c});
  EXPECT_GE(now - silent_since, 1990ms);
  EXPECT_LE(now - silent_since, 2300ms);
  EXPECT_LT(a.lease_end, now);
  EXPECT_EQ(b.view->tombstones.at("a"), 1u);

  a.step(now, Core::Tick{});
  EXPECT_EQ(a.core.state(), NodeState::excluded);
  EXPECT_EQ(a.departure->kind, Departure::Kind::removed);
}

// A death that a guardian confirms is one commit, at once: no read before it, no lease waited for.
TEST_F(StoreAgreementTest, removes_the_confirmed_dead_at_once) {
  start({&a, &b, &c});
  const int scans = b.scans;
  b.commits.clear();
  b.step(now, Core::ConfirmDeath{"a", a.view->find("a")->incarnation});
  EXPECT_EQ(b.view->find("a"), nullptr);
  EXPECT_EQ(b.commits.size(), 1u);
  EXPECT_EQ(b.scans, scans);
  // The slower survivor learns the view from the refusal of its own attempt.
  c.step(now, Core::ConfirmDeath{"a", Incarnation{1, NodeId{1097}}});
  EXPECT_EQ(*c.view, *b.view);
}

// A confirmed death is remembered: that incarnation does not stay if its join was still under way.
TEST_F(StoreAgreementTest, refuses_the_confirmed_dead_later) {
  start({&a});
  a.step(now, Core::ConfirmDeath{"b", Incarnation{1, NodeId{1098}}});
  b.step(now, Core::Start{});
  EXPECT_NE(b.view, nullptr);
  run(250ms, {&a});
  EXPECT_EQ(a.view->find("b"), nullptr);
}

// Each change names the view it replaces, the author's own row and the silent one's counter.
TEST_F(StoreAgreementTest, conditions_of_a_removal) {
  start({&a, &b});
  const std::uint64_t view_version = store.records().at(Core::view_key()).version;
  const std::string row = Core::lease_key("a", a.view->find("a")->incarnation);
  const std::string own = Core::lease_key("b", b.view->find("b")->incarnation);
  const std::uint64_t counter = store.records().at(row).version;
  while (b.view->find("a")) run(50ms, {&b});
  const Transaction* removal = nullptr;
  for (const auto& commit : b.commits) {
    if (commit.writes[0].key == Core::view_key()) removal = &commit;
  }
  ASSERT_EQ(removal->conditions.size(), 3u);
  EXPECT_EQ(removal->conditions[0].version, view_version);
  EXPECT_EQ(removal->conditions[1].key, own);
  EXPECT_EQ(removal->conditions[1].version, std::nullopt);
  EXPECT_EQ(removal->conditions[2].key, row);
  EXPECT_EQ(removal->conditions[2].version, counter);
  EXPECT_EQ(store.records().count(row), 0u);
}

// The store away: all freeze, nobody is removed, all thaw in the same view.
TEST_F(StoreAgreementTest, an_outage_freezes_and_thaws) {
  start({&a, &b, &c});
  const auto before = a.view->number;
  for (Node* node : {&a, &b, &c}) node->store_up = false;
  run(10s, {&a, &b, &c});
  for (Node* node : {&a, &b, &c}) EXPECT_EQ(node->core.state(), NodeState::frozen);
  for (Node* node : {&a, &b, &c}) node->store_up = true;
  run(3s, {&a, &b, &c});
  for (Node* node : {&a, &b, &c}) EXPECT_EQ(node->core.state(), NodeState::active);
  EXPECT_EQ(a.view->number, before);
}

// Whoever comes too late with its own view asks, and is in the next one, whoever writes it: by one
// transaction for all, and without a lease until its own first renewal.
TEST_F(StoreAgreementTest, who_asks_is_taken_in) {
  start({&a});
  b.holds = c.holds = true;
  b.step(now, Core::Start{});
  c.step(now, Core::Start{});
  a.step(now, Core::Drain{});
  const auto before = a.view->number;
  c.release(now);  // refused: a was faster
  b.release(now);
  EXPECT_TRUE(store.scan("agreement/join/")->empty());
  c.release(now);  // asks
  b.release(now);  // asks
  EXPECT_EQ(store.scan("agreement/join/")->size(), 2u);
  EXPECT_TRUE(b.held.empty());
  run(50ms, {&b, &c});
  EXPECT_TRUE(c.held.empty()) << "the first of them writes the view";
  b.release(now);  // with both
  EXPECT_EQ(b.view->number, before + 1);
  EXPECT_EQ(b.view->members.size(), 3u);
  EXPECT_EQ(b.view->find("c")->since, before + 1);
  EXPECT_TRUE(store.scan("agreement/join/")->empty());
  EXPECT_EQ(store.scan("agreement/lease/")->size(), 3u);
  EXPECT_EQ(b.core.state(), NodeState::active);

  c.step(now, Core::Hint{});
  EXPECT_EQ(*c.view, *b.view);
  EXPECT_EQ(c.core.state(), NodeState::joining);
  c.release(now);  // its first renewal
  EXPECT_EQ(c.core.state(), NodeState::active);
}

// Of those who ask only the first writes the next view, for all; when it does not, the next one
// does after a while.
TEST_F(StoreAgreementTest, one_of_those_who_ask_writes_the_view) {
  start({&a});
  b.holds = c.holds = true;
  b.step(now, Core::Start{});
  c.step(now, Core::Start{});
  a.step(now, Core::Drain{});
  b.release(now);
  c.release(now);
  b.release(now);  // asks
  c.release(now);  // asks
  run(50ms, {&b, &c});
  EXPECT_EQ(b.held.size(), 1u);  // its view is held back
  EXPECT_TRUE(c.held.empty());
  c.holds = false;
  run(500ms, {&c});
  EXPECT_EQ(c.view, nullptr);
  run(300ms, {&c});
  ASSERT_NE(c.view, nullptr);
  EXPECT_NE(c.view->find("b"), nullptr);
  b.release(now);
  EXPECT_EQ(*b.view, *c.view);
}

// A request counts for no more than its author could do by itself, the later run of a node before
// the earlier, and not for ever.
TEST_F(StoreAgreementTest, requests_are_judged) {
  start({&a, &b});
  Node old{store, "c", 3}, gone{store, "x", 1};
  old.step(now, Core::Start{});
  gone.step(now, Core::Start{});
  run(1s, {&a, &b, &old});
  a.step(now, Core::ConfirmDeath{"c", {3, NodeId{3000 + 'c'}}});
  b.step(now, Core::ConfirmDeath{"e", {1, NodeId{1000 + 'e'}}});
  const auto ask = [&](std::string name, std::uint64_t counter, std::string digest, bool alone) {
    const AgreementOptions options = Node::options(std::move(name), counter, digest, alone);
    const JoinRequest request{options.self, options.config_digest, alone};
    Transaction write{.conditions = {},
                      .writes = {{Core::join_key(options.self.name, options.self.incarnation),
                                  encode_join(request)}}};
    ASSERT_TRUE(store.commit({&write, 1})->front().committed);
  };
  ask("a", 2, "d", false);  // has a living holder
  ask("c", 3, "d", false);  // is out
  ask("d", 1, "other", false);
  ask("e", 1, "d", false);  // its guardian saw it end
  ask("f", 1, "d", false);
  ask("f", 2, "d", false);
  ask("x", 2, "d", true);  // the earlier run is dead, says its lock
  const auto before = a.view->number;
  run(250ms, {&a, &b});
  EXPECT_EQ(b.view->number, before) << "nobody makes a view for a request alone";
  b.step(now, Core::Drain{});
  EXPECT_EQ(b.view->number, before + 1);
  EXPECT_EQ(b.view->members.size(), 4u);
  EXPECT_EQ(b.view->find("a")->incarnation.counter, 1u);
  EXPECT_EQ(b.view->find("f")->incarnation.counter, 2u);
  EXPECT_EQ(b.view->find("x")->incarnation.counter, 2u);
  EXPECT_EQ(b.view->tombstones.at("x"), 1u);
  EXPECT_EQ(store.scan("agreement/join/")->size(), 5u);
  run(2500ms, {&a, &b});
  EXPECT_TRUE(store.scan("agreement/join/")->empty());
}

// Who asks and leaves takes its request back.
TEST_F(StoreAgreementTest, who_leaves_asks_no_more) {
  start({&a});
  b.holds = true;
  b.step(now, Core::Start{});
  a.step(now, Core::Drain{});
  b.release(now);
  b.release(now);  // asks
  ASSERT_EQ(store.scan("agreement/join/")->size(), 1u);
  run(50ms, {&b});
  a.step(now, Core::Leave{});
  b.release(now);  // its view, refused
  b.step(now, Core::Leave{});
  while (!b.held.empty()) b.release(now);
  ASSERT_TRUE(b.departure);
  EXPECT_EQ(b.departure->kind, Departure::Kind::left);
  EXPECT_TRUE(store.scan("agreement/join/")->empty());
}

// A second process with a live node's name is told so and removes nobody.
TEST_F(StoreAgreementTest, name_taken) {
  start({&a, &b});
  const auto before = a.view->number;
  Node twin{store, "a", 2};
  twin.step(now, Core::Start{});
  run(1200ms, {&a, &b, &twin});
  ASSERT_TRUE(twin.departure);
  EXPECT_EQ(twin.departure->kind, Departure::Kind::name_taken);
  EXPECT_EQ(twin.core.state(), NodeState::down);
  EXPECT_EQ(a.view->number, before);
}

// The next incarnation of a dead node replaces the old one in one view, when that one is silent
// for long enough or proven dead; one last statement of the dead is not taken for life.
TEST_F(StoreAgreementTest, replaces_its_predecessor_in_one_view) {
  start({&a, &b});
  const auto before = b.view->number;
  const std::string row = Core::lease_key("a", a.view->find("a")->incarnation);
  Node again{store, "a", 2};
  again.step(now, Core::Start{});
  Transaction late{.conditions = {{row, std::nullopt}}, .writes = {{row, Bytes("late")}}};
  ASSERT_TRUE(store.commit({&late, 1})->front().committed);
  run(2400ms, {&again});
  ASSERT_EQ(again.core.state(), NodeState::active);
  EXPECT_EQ(again.view->number, before + 1);
  EXPECT_EQ(again.view->tombstones.at("a"), 1u);

  Node sure{store, "a", 3, "d", true};
  sure.step(now, Core::Start{});
  EXPECT_EQ(sure.core.state(), NodeState::active);
}

// An incarnation that is not newer than a removed one must raise its counter.
TEST_F(StoreAgreementTest, raises_the_counter) {
  start({&a, &b});
  while (b.view->find("a")) run(50ms, {&b});
  Node copy{store, "a", 1};
  copy.step(now, Core::Start{});
  ASSERT_TRUE(copy.departure);
  EXPECT_EQ(copy.departure->kind, Departure::Kind::raise_counter);
  EXPECT_EQ(copy.departure->counter, 1u);
}

// Another configuration is refused while somebody lives by the agreed one, and accepted when all
// of them are gone.
TEST_F(StoreAgreementTest, configurations_that_differ) {
  start({&a, &b});
  Node other{store, "c", 1, "other"};
  other.step(now, Core::Start{});
  run(1200ms, {&a, &b, &other});
  ASSERT_TRUE(other.departure);
  EXPECT_EQ(other.departure->kind, Departure::Kind::config_differs);
  EXPECT_NE(other.departure->why.find("other"), std::string::npos);

  Node later{store, "c", 2, "other"};
  later.step(now, Core::Start{});
  run(2400ms, {&later});
  EXPECT_EQ(later.core.state(), NodeState::active);
  EXPECT_EQ(later.view->config_digest, "other");
  EXPECT_EQ(later.view->members.size(), 1u);
}

// Draining shows in a view; leaving ends the own lease before the view without it is written.
TEST_F(StoreAgreementTest, drains_and_leaves) {
  start({&a, &b});
  a.step(now, Core::Drain{});
  EXPECT_TRUE(a.view->find("a")->draining);
  EXPECT_EQ(a.core.state(), NodeState::active);
  store.on_commit = [&](const Transaction&, const TransactionResult&) {
    EXPECT_EQ(a.lease_end, Time::min());
  };
  a.step(now, Core::Leave{});
  store.on_commit = nullptr;
  ASSERT_TRUE(a.departure);
  EXPECT_EQ(a.departure->kind, Departure::Kind::left);
  b.step(now, Core::Hint{});
  EXPECT_EQ(b.view->members.size(), 1u);
}

// b and c hear only a: no removal before 20 s; then the one outside the largest group with the
// first configured node is refused its renewals and removed like a silent one.
TEST_F(StoreAgreementTest, partial_connectivity_ends_whole) {
  start({&a, &b, &c});
  a.step(now, Core::Heard{{"b", "c"}});
  b.step(now, Core::Heard{{"a"}});
  c.step(now, Core::Heard{{"a"}});
  const std::string told = "c is outside the largest connected group";
  run(1s, {&a, &b, &c});
  EXPECT_EQ(std::ranges::count(a.notices, told), 0) << "as while the links of a newcomer come up";
  run(18s, {&a, &b, &c});
  EXPECT_EQ(std::ranges::count(a.notices, told), 1);
  EXPECT_EQ(a.view->members.size(), 3u);
  EXPECT_EQ(c.core.state(), NodeState::active);
  bool frozen_first = false;
  for (int i = 0; i < 100 && a.view->find("c"); ++i) {
    run(50ms, {&a, &b, &c});
    frozen_first |= c.core.state() == NodeState::frozen && a.view->find("c");
  }
  EXPECT_TRUE(frozen_first);
  EXPECT_EQ(a.view->find("c"), nullptr);
  run(250ms, {&b, &c});
  EXPECT_EQ(b.core.state(), NodeState::active);
  EXPECT_EQ(c.core.state(), NodeState::excluded);
  EXPECT_EQ(store.scan("agreement/evict/")->size(), 0u);
}

// When the member that it does not hear goes first, the refused one gets its renewals back.
TEST_F(StoreAgreementTest, partial_connectivity_heals) {
  start({&a, &b, &c});
  a.step(now, Core::Heard{{"b", "c"}});
  b.step(now, Core::Heard{{"a"}});
  c.step(now, Core::Heard{{"a"}});
  while (store.scan("agreement/evict/")->empty()) run(50ms, {&a, &b, &c});
  a.step(now, Core::ConfirmDeath{"b", b.view->find("b")->incarnation});
  run(1s, {&a, &c});
  EXPECT_TRUE(store.scan("agreement/evict/")->empty());
  EXPECT_EQ(c.core.state(), NodeState::active);
  EXPECT_EQ(c.view->members.size(), 2u);
}

// Two halves that do not hear each other, odd ones out, and ties.
TEST(Connectivity, finds_the_largest_group) {
  using Group = std::set<std::string>;
  EXPECT_EQ(largest_connected_group({"a", "b", "c"}, {}), (Group{"a", "b", "c"}));
  EXPECT_EQ(largest_connected_group({"a", "b", "c"}, {{1, 2}}), (Group{"a", "b"}));
  EXPECT_EQ(largest_connected_group({"c", "b", "a"}, {{2, 1}, {2, 0}, {1, 0}}), (Group{"c"}));
  EXPECT_EQ(largest_connected_group({"a", "b", "c", "d", "e"},
                                    {{0, 2}, {0, 3}, {0, 4}, {1, 2}, {1, 3}, {1, 4}}),
            (Group{"c", "d", "e"}));
  std::vector<std::string> many;
  std::vector<std::pair<std::size_t, std::size_t>> broken;
  for (int i = 0; i < 100; ++i) many.push_back(std::to_string(i));
  for (std::size_t i = 0; i < 50; ++i) {
    for (std::size_t j = 50; j < 100; ++j) broken.emplace_back(i, j);
  }
  EXPECT_TRUE(largest_connected_group(many, broken).contains("0"));
  EXPECT_EQ(largest_connected_group(many, broken).size(), 50u);
}

// Who is not heard: whom a report names, and whom its author cannot know yet. A report that is
// older than its author's place in the view says nothing.
TEST(Connectivity, is_judged_by_reports) {
  using Group = std::set<std::string>;
  View view{.number = 5, .members = {}, .tombstones = {}, .config_digest = {}};
  for (const char* name : {"a", "b", "c"}) {
    view.members[name].name = name;
    view.members[name].since = 3;
  }
  EXPECT_EQ(report_of(view, "a", {"b", "x"}), (HeardReport{5, {"c"}}));
  std::map<std::string, HeardReport> said{{"a", {5, {}}}, {"b", {5, {}}}, {"c", {5, {}}}};
  const auto group = [&](std::vector<std::string> configured = {"a", "b", "c"}) {
    return largest_connected_group(view, configured, [&](const Member& member) {
      const auto found = said.find(member.name);
      return found != said.end() ? &found->second : nullptr;
    });
  };
  EXPECT_EQ(group(), (Group{"a", "b", "c"}));
  said["b"].missing = {"c", "gone"};
  EXPECT_EQ(group(), (Group{"a", "b"}));
  EXPECT_EQ(group({"c", "a"}), (Group{"a", "c"}));
  said["b"].view = 2;  // of before it was in
  EXPECT_EQ(group(), (Group{"a", "b", "c"}));
  said["b"] = {4, {}};
  view.members["c"].since = 5;
  EXPECT_EQ(group(), (Group{"a", "b"}));
  said.erase("c");  // nobody is judged by who says nothing
  EXPECT_EQ(group(), (Group{"a", "b", "c"}));
}

// What was written is read back; anything cut short is refused, never guessed at.
TEST(RecordCodec, round_trips_and_refuses) {
  View view{.number = 7, .members = {}, .tombstones = {{"x", 3}}, .config_digest = "digest"};
  view.members["a"] = {.name = "a",
                       .incarnation = {2, NodeId{~0ull}},
                       .address = "h:1",
                       .client_address = "h:2",
                       .kinds = {"contracts", "carts"},
                       .weight = 50,
                       .draining = true,
                       .since = 6};
  const Bytes bytes = encode_view(view);
  EXPECT_EQ(decode_view(bytes), view);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(decode_view(BytesView(bytes).substr(0, size)), std::nullopt);
  }
  LeaseRow row{.incarnation = {1, NodeId{9}}, .heard = HeardReport{7, {"a", "b"}}};
  EXPECT_EQ(decode_lease(encode_lease(row)), row);
  EXPECT_EQ(decode_lease(encode_lease(row).substr(0, 5)), std::nullopt);
  row.heard.reset();
  EXPECT_EQ(decode_lease(encode_lease(row)), row);
  EXPECT_EQ(decode_lease("\x01"), std::nullopt);
  const JoinRequest request{view.members["a"], "digest", true};
  const Bytes asked = encode_join(request);
  EXPECT_EQ(decode_join(asked), request);
  for (std::size_t size = 0; size < asked.size(); ++size) {
    EXPECT_EQ(decode_join(BytesView(asked).substr(0, size)), std::nullopt);
  }
}

}  // namespace
}  // namespace coterie::testing
