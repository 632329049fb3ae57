// What a failover test does and when: a timeline played on a cluster that is only a table, in steps
// of 10 ms. Each test reads a scenario, so that words, plan and deeds are tried together.

#include "sim/failover_director.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/fault_kinds.hpp"
#include "sim/scenario_reader.hpp"

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// Nodes as a table. Deeds take effect at once; a guardian needs `leaves_after` to end once its
/// program has.
class Table {
 public:
  explicit Table(const std::string& faults, std::vector<std::string> nodes = {"a", "b", "c"}) {
    const std::string text =
        "[scenario]\nname = \"t\"\nduration = \"10s\"\n[cluster]\nconfig = \"c.toml\"\n" + faults;
    const auto scenario = read_scenario(text, "t.toml", {});
    if (!scenario) throw std::runtime_error(scenario.error());
    for (const std::string& node : nodes) facts.push_back({node, ++pids_, true, true});
    director.emplace(timeline(*scenario, nodes, 1), timeline_end(*scenario));
    seen.asked = -1s;
    for (const std::string& node : nodes) seen.nodes[node] = {1, true, {{"contracts", {}}}};
  }

  NodeFacts& at(const std::string& node) {
    return *std::ranges::find(facts, node, &NodeFacts::name);
  }

  /// Plays up to `end`; what was done is in `log`, "5000 kill b".
  void run(Duration end) {
    for (; now <= end; now += 10ms) {
      if (before) before();
      if (sighted && director->wants_sighting(now)) seen.asked = seen.answered = now;
      for (const Deed& deed : director->step(now, facts, &seen)) {
        log.push_back(std::to_string(now / 1ms) + " " + std::string(to_string(deed.verb)) + " " +
                      (deed.fault ? describe(*deed.fault) : deed.node));
        perform(deed);
        director->done(now, deed, result);
      }
      for (Event& event : director->take_events()) events.push_back(event.what + ": " + event.text);
    }
  }

  void perform(const Deed& deed) {
    if (deed.node.empty()) return;
    NodeFacts& node = at(deed.node);
    switch (deed.verb) {
      case Deed::Verb::kill:
        node.program.reset();
        node.active = node.guardian = false;
        break;
      case Deed::Verb::power_off:
      case Deed::Verb::stop:
        node = {node.name, std::nullopt, false, false};
        break;
      case Deed::Verb::start:
        node = {node.name, ++pids_, true, true};
        director->came_back(node.name);
        break;
      case Deed::Verb::pause:
        node.active = false;
        break;
      case Deed::Verb::resume:
        node.active = true;
        break;
      case Deed::Verb::begin:
      case Deed::Verb::end:
        break;
    }
  }

  Duration now{};
  std::vector<NodeFacts> facts;
  Sighting seen;
  bool sighted = true;
  std::optional<FailoverDirector> director;
  std::function<void()> before;
  std::expected<void, std::string> result;
  std::vector<std::string> log;
  std::vector<std::string> events;

 private:
  std::int64_t pids_ = 100;
};

// A kill comes back after its time, and the names that lived there are those whose downtime counts.
TEST(FailoverDirector, KillsAndRestarts) {
  Table table("[[fault]]\nat = \"5s\"\ndo = \"kill\"\nnode = \"b\"\nrestart_after = \"2s\"\n");
  table.seen.nodes["b"].names["contracts"] = {"contract-1", "contract-2"};
  table.run(10s);
  EXPECT_THAT(table.log, ElementsAre("5000 kill b", "7000 restart b"));
  ASSERT_THAT(table.director->moments(), SizeIs(1));
  EXPECT_EQ(table.director->moments()[0].at, 5s);
  EXPECT_THAT(table.director->moments()[0].keys, ElementsAre("contract-1", "contract-2"));
  EXPECT_THAT(table.director->texts()[0], HasSubstr("kill b, restarted after 2s"));
  EXPECT_TRUE(table.director->finished());
  EXPECT_THAT(table.director->unplayed(), IsEmpty());
  EXPECT_THAT(table.director->left_away(), IsEmpty());
}

// A node that drains longer than restart_after is started when it has gone, not before.
TEST(FailoverDirector, WaitsForADrain) {
  Table table("[[fault]]\nat = \"1s\"\ndo = \"stop\"\nnode = \"a\"\nrestart_after = \"1s\"\n");
  table.run(1s);
  table.at("a") = {"a", 101, true, true};  // still there
  table.run(4s);
  EXPECT_THAT(table.log, ElementsAre("1000 stop a"));
  EXPECT_FALSE(table.director->finished());
  table.at("a").program.reset();
  table.run(5s);
  EXPECT_THAT(table.log, ElementsAre("1000 stop a")) << "its guardian still runs";
  table.at("a").guardian = false;
  table.run(6s);
  EXPECT_THAT(table.log, ElementsAre("1000 stop a", "5010 restart a"));
}

// "owner:" and "most_names" are found when their moment has come, by an answer that is not older.
TEST(FailoverDirector, FindsTheOwnerAtItsMoment) {
  Table table(
      "[[fault]]\nat = \"1s\"\ndo = \"kill\"\nnode = \"owner:contracts/contract-7\"\n"
      "[[fault]]\nat = \"2s\"\ndo = \"kill\"\nnode = \"most_names\"\n");
  table.seen.nodes["a"].names["contracts"] = {"contract-7"};
  table.sighted = false;
  table.before = [&] {
    if (table.now == 1200ms) {
      table.seen.nodes["a"].names["contracts"] = {"x"};
      table.seen.nodes["b"].names["contracts"] = {"y", "z"};
      table.seen.nodes["c"].names["contracts"] = {"contract-7"};
      table.sighted = true;
    }
  };
  table.run(9s);
  EXPECT_THAT(table.log, ElementsAre("1200 kill c", "2000 kill b"));
  EXPECT_EQ(table.director->left_away(), (std::set<std::string>{"b", "c"}));
}

// A frozen node runs nothing: it is nobody's owner. What cannot be found in time is told and fails.
TEST(FailoverDirector, GivesUpOnAnOwnerThatNobodyIs) {
  Table table("[[fault]]\nat = \"1s\"\ndo = \"pause\"\nnode = \"owner:contracts/contract-7\"\n");
  table.seen.nodes["a"].names["contracts"] = {"contract-7"};
  table.seen.nodes["a"].active = false;
  table.run(9s);
  EXPECT_THAT(table.log, IsEmpty());
  EXPECT_THAT(table.director->unplayed(),
              ElementsAre("pause owner:contracts/contract-7 at 1s: no node that answers runs "
                          "contracts/contract-7"));
  EXPECT_TRUE(table.director->finished());
}

// A pause ends by itself; once the guardian has ended that run, there is nothing to resume.
TEST(FailoverDirector, ResumesOnlyTheRunThatItPaused) {
  Table table(
      "[[fault]]\nat = \"1s\"\ndo = \"pause\"\nnode = \"a\"\nfor = \"500ms\"\n"
      "[[fault]]\nat = \"3s\"\ndo = \"pause\"\nnode = \"b\"\nfor = \"5s\"\n");
  table.before = [&] {
    if (table.now == 2s) {
      EXPECT_FALSE(table.director->paused(table.at("a")));
    }
    if (table.now == 4s) {
      EXPECT_TRUE(table.director->paused(table.at("b")));
      table.at("b").program = 999;
      EXPECT_FALSE(table.director->paused(table.at("b")));
      table.director->came_back("b");
    }
  };
  table.run(9s);
  EXPECT_THAT(table.log, ElementsAre("1000 pause a", "1500 resume a", "3000 pause b"));
  EXPECT_THAT(table.events, testing::Contains(HasSubstr("that run of it has ended meanwhile")));
  EXPECT_THAT(table.director->unplayed(), IsEmpty());
  EXPECT_TRUE(table.director->finished());
}

// Drawn faults ask again at their moment who is really away: here c never came back from its start.
TEST(FailoverDirector, AsksMaxDownAgainAtRunTime) {
  Table table(
      "[[fault]]\nevery = \"2s\"\nafter = \"1s\"\nuntil = \"6s\"\nmax_down = 1\n"
      "pick = [{ do = \"kill\", node = \"*\", restart_after = \"1s\" }]\n");
  table.at("c").active = false;
  table.run(9s);
  EXPECT_THAT(table.log, IsEmpty());
  EXPECT_THAT(table.events, SizeIs(3));
  EXPECT_THAT(table.events[0], HasSubstr("1 down, paused or on the way back, and max_down is 1"));
  EXPECT_THAT(table.director->unplayed(), IsEmpty()) << "drawn faults may be kept back";
}

// What a fault of the file wants done and cannot be done fails the run: nothing was tested then.
TEST(FailoverDirector, TellsWhatItCouldNotPlay) {
  Table table("[[fault]]\nat = \"1s\"\ndo = \"kill\"\nnode = \"b\"\n");
  table.result = std::unexpected("no such process");
  table.run(2s);
  EXPECT_THAT(table.director->unplayed(), ElementsAre("kill b: no such process"));

  Table down("[[fault]]\nat = \"1s\"\ndo = \"kill\"\nnode = \"b\"\n");
  down.at("b") = {"b", std::nullopt, false, false};
  down.run(9s);
  EXPECT_THAT(down.director->unplayed(), ElementsAre("kill b at 1s: b is down"));
}

// A node that drains is asked to stop once more: when it has gone at last it is started once.
TEST(FailoverDirector, StartsOnceWhoWasStoppedTwice) {
  const std::string stop = "do = \"stop\"\nnode = \"a\"\nrestart_after = \"500ms\"\n";
  Table table("[[fault]]\nat = \"1s\"\n" + stop + "[[fault]]\nat = \"2s\"\n" + stop);
  table.run(1s);
  table.at("a") = {"a", 101, true, true};  // still there
  table.run(2s);
  table.at("a") = {"a", 101, true, true};
  table.run(3s);
  EXPECT_THAT(table.log, ElementsAre("1000 stop a", "2000 stop a"));
  table.at("a") = {"a", std::nullopt, false, false};
  table.run(5s);
  EXPECT_THAT(table.log, ElementsAre("1000 stop a", "2000 stop a", "3010 restart a"));
  EXPECT_TRUE(table.director->finished());
}

// Whoever runs a name may have been killed a moment before a crash of it that the seed has drawn.
TEST(FailoverDirector, SkipsADrawnFaultOfWhoIsGone) {
  const std::string crash = "do = \"crash_name\", name = \"contracts/contract-3\"";
  Table drawn("[[fault]]\nevery = \"9s\"\nafter = \"1s\"\npick = [{ " + crash + " }]\n");
  drawn.result = std::unexpected("the connection broke");
  drawn.run(2s);
  EXPECT_THAT(drawn.log, SizeIs(1));
  EXPECT_THAT(drawn.director->unplayed(), IsEmpty());
  EXPECT_THAT(drawn.events, Contains(HasSubstr("skipped: begin crash_name")));

  // Or its guardian has killed it.
  Table kill(
      "[[fault]]\nevery = \"9s\"\nafter = \"1s\"\npick = [{ do = \"kill\", node = \"a\" }]\n");
  kill.result = std::unexpected("the program of node a does not run");
  kill.run(2s);
  EXPECT_THAT(kill.log, SizeIs(1));
  EXPECT_THAT(kill.director->unplayed(), IsEmpty());

  Table fixed("[[fault]]\nat = \"1s\"\ndo = \"crash_name\"\nname = \"contracts/contract-3\"\n");
  fixed.result = std::unexpected("the connection broke");
  fixed.run(2s);
  EXPECT_THAT(fixed.director->unplayed(), SizeIs(1));
}

// Explicit restart and resume; doing again what is done already is needless, not wrong.
TEST(FailoverDirector, ReturnsAreNeededOnce) {
  Table table(
      "[[fault]]\nat = \"1s\"\ndo = \"power_off\"\nnode = \"a\"\n"
      "[[fault]]\nat = \"2s\"\ndo = \"restart\"\nnode = \"a\"\n"
      "[[fault]]\nat = \"3s\"\ndo = \"restart\"\nnode = \"a\"\n"
      "[[fault]]\nat = \"4s\"\ndo = \"pause\"\nnode = \"b\"\n"
      "[[fault]]\nat = \"5s\"\ndo = \"resume\"\nnode = \"b\"\n"
      "[[fault]]\nat = \"6s\"\ndo = \"resume\"\nnode = \"b\"\n");
  table.run(7s);
  EXPECT_THAT(table.log,
              ElementsAre("1000 power_off a", "2000 restart a", "4000 pause b", "5000 resume b"));
  EXPECT_THAT(table.director->unplayed(), IsEmpty());
  EXPECT_THAT(table.director->left_away(), IsEmpty());
}

// The end of the timeline ends what is still to be undone; without restart_after a node stays away.
TEST(FailoverDirector, HealsAtTheEnd) {
  Table table(
      "[[fault]]\nat = \"8s\"\ndo = \"kill\"\nnode = \"a\"\nrestart_after = \"30s\"\n"
      "[[fault]]\nat = \"9s\"\ndo = \"kill\"\nnode = \"b\"\n");
  table.run(11s);
  EXPECT_THAT(table.log, ElementsAre("8000 kill a", "9000 kill b", "10000 restart a"));
  EXPECT_EQ(table.director->left_away(), std::set<std::string>{"b"});
}

// A node that does not answer delays no fault for ever: then the names last seen there count.
TEST(FailoverDirector, GoesWithoutASightingAtLast) {
  Table table("[[fault]]\nat = \"1s\"\ndo = \"kill\"\nnode = \"b\"\n");
  table.seen.nodes["b"].names["contracts"] = {"contract-1"};
  table.sighted = false;
  table.run(4s);
  EXPECT_THAT(table.log, ElementsAre("2500 kill b"));
  EXPECT_THAT(table.director->moments()[0].keys, ElementsAre("contract-1"));
}

// What a node ran before it was started again is not what a second fault takes away.
TEST(FailoverDirector, ANodeThatIsBackRunsNothingYet) {
  Table table(
      "[[fault]]\nat = \"1s\"\ndo = \"kill\"\nnode = \"b\"\nrestart_after = \"1s\"\n"
      "[[fault]]\nat = \"3s\"\ndo = \"kill\"\nnode = \"b\"\n");
  table.seen.nodes["b"].names["contracts"] = {"contract-1"};
  table.before = [&] { table.sighted = table.now <= 1s; };
  table.run(6s);
  EXPECT_THAT(table.log, ElementsAre("1000 kill b", "2000 restart b", "4500 kill b"));
  EXPECT_THAT(table.director->moments(), SizeIs(1));
  EXPECT_THAT(table.events, testing::Contains("fault: kill b, where 0 names live"));
}

// "primary:" is asked at its moment, of the nodes that are active then.
TEST(FailoverDirector, FindsThePrimaryAmongActiveNodes) {
  Table table("");
  std::vector<std::string> asked;
  DirectorPolicy policy;
  policy.primary = [&](const std::string& name, std::span<const std::string> members) {
    asked.assign(members.begin(), members.end());
    return name == "contracts/contract-7" && !members.empty() ? std::optional(members.back())
                                                              : std::nullopt;
  };
  const auto scenario = read_scenario(
      "[scenario]\nname = \"t\"\nduration = \"10s\"\n[cluster]\nconfig = \"c.toml\"\n"
      "[[fault]]\nat = \"1s\"\ndo = \"kill\"\nnode = \"primary:contracts/contract-7\"\n",
      "t.toml", {});
  const std::vector<std::string> nodes{"a", "b", "c"};
  table.director.emplace(timeline(*scenario, nodes, 1), timeline_end(*scenario), policy);
  table.at("c").active = false;
  table.run(2s);
  EXPECT_THAT(asked, ElementsAre("a", "b"));
  EXPECT_THAT(table.log, ElementsAre("1000 kill b"));
}

// The node that a poisonous name kills was killed by the test, once for each poison, and is not
// waited for; its guardian may bring it back.
TEST(FailoverDirector, PoisonAsksForADeath) {
  Table table("[[fault]]\nat = \"1s\"\ndo = \"poison\"\nname = \"contracts/contract-7\"\n");
  EXPECT_FALSE(table.director->poison_took("b", 0s));
  table.run(2s);
  EXPECT_TRUE(table.director->poison_took("b", 2s));
  EXPECT_TRUE(table.director->death_is_asked_for("b"));
  EXPECT_EQ(table.director->left_away(), std::set<std::string>{"b"});
  EXPECT_FALSE(table.director->poison_took("c", 2s));
  table.director->came_back("b");
  EXPECT_THAT(table.director->left_away(), IsEmpty());
}

// The storage of a cluster that is parted stays with the largest group, of equals with the first
// node's, and with everybody when some node sees all.
TEST(FaultKinds, APartitionPartsTheSmallerGroupsFromTheStorage) {
  const auto apart = [](const std::string& groups) {
    const auto scenario = read_scenario(
        "[scenario]\nname = \"t\"\nduration = \"10s\"\n[cluster]\nconfig = \"c.toml\"\n"
        "[[fault]]\nat = \"1s\"\ndo = \"partition\"\ngroups = " +
            groups + "\n",
        "t.toml", {});
    const std::vector<std::string> nodes{"a", "b", "c", "d"};
    return apart_from_storage(std::get<FaultAt>(scenario->faults[0].when).action, nodes);
  };
  EXPECT_THAT(apart(R"([["a"], ["b", "c", "d"]])"), ElementsAre("a"));
  EXPECT_THAT(apart(R"([["c", "d"], ["b", "a"]])"), ElementsAre("c", "d"));
  EXPECT_THAT(apart(R"([["c", "d"], ["b"], ["a"]])"), ElementsAre("a", "b"));
  EXPECT_THAT(apart(R"([["a", "d"], ["c"]])"), IsEmpty());
}

}  // namespace
}  // namespace coterie::sim
