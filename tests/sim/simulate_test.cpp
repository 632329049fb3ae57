// `coterie simulate` as its command does it: drawn seeds and the shipped scenarios, with contracts.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "sim/sim_draw.hpp"
#include "sim/sim_play.hpp"
#include "sim/sim_troubles.hpp"
#include "tests/sim/drawn_program.hpp"

namespace coterie::test {
namespace {

using namespace sim;

const std::set<std::string> rare_paths{"agreement.evicts_soon",
                                       "agreement.hint_doubled",
                                       "agreement.hint_lost",
                                       "agreement.peers_told_twice",
                                       "agreement.polls_often",
                                       "directory.few_wait",
                                       "directory.resends_soon",
                                       "directory.small_claims",
                                       "directory.strand_only",
                                       "gateway.three_calls",
                                       "journal.batches_of_one",
                                       "journal.queue_of_two",
                                       "journal.small_batches",
                                       "journal.small_queue",
                                       "journal.snapshots_often",
                                       "link.acks_late",
                                       "link.acks_often",
                                       "link.beats_often",
                                       "link.beats_seldom",
                                       "link.downs_soon",
                                       "link.flaps_soon",
                                       "link.frames_of_one",
                                       "link.hellos_often",
                                       "link.oversleeps",
                                       "link.redials_late",
                                       "link.small_pieces",
                                       "link.small_window",
                                       "link.stalls_soon",
                                       "link.window_of_one",
                                       "names.batches_of_one",
                                       "names.cache_dropped",
                                       "names.cache_missed",
                                       "names.confirmed_late",
                                       "names.forget_lost",
                                       "names.found_late",
                                       "names.looked_up_twice",

                                       "names.reserved_late",
                                       "names.retries_late",
                                       "names.retries_soon",
                                       "names.spec_unread",
                                       "names.sweeps_often",
                                       "names.tiny_cache",
                                       "names.view_told_twice",
                                       "node.death_told_twice",
                                       "node.death_unheard",
                                       "node.gate_told_late",
                                       "node.gate_told_twice",
                                       "node.lease_unwatched",
                                       "node.state_told_twice",
                                       "node.undrained",
                                       "node.view_told_twice",
                                       "process.few_fibers",
                                       "process.one_signal_waits",
                                       "process.one_worker",
                                       "process.small_mailboxes",
                                       "process.stuck_at_once",
                                       "supervision.adopt_unheard",
                                       "supervision.answers_lost",
                                       "supervision.looks_often",
                                       "supervision.one_handover_at_a_time",
                                       "supervision.one_local_try",
                                       "supervision.one_start_at_a_time",
                                       "supervision.row_unread",
                                       "supervision.rows_one_by_one",
                                       "supervision.rows_unread",
                                       "supervision.view_unheard",
                                       "supervision.writes_late"};

SimPlayed play_drawn(std::size_t nodes, std::uint64_t seed,
                     AgreementEngine agreement = AgreementEngine::store,
                     NameKeeper names = NameKeeper::members) {
  const auto plan =
      draw_plan(program(), nodes, seed, {.agreement = agreement, .names = names, .kinds = {}});
  EXPECT_TRUE(plan) << plan.error();
  auto played =
      play_simulated(*plan, program(), {.seed = seed, .rare_paths = true, .guests = true});
  EXPECT_TRUE(played) << "seed " << seed << ": " << played.error().message;
  return played ? *std::move(played) : SimPlayed{};
}

void expect_pass(const SimPlayed& played) {
  EXPECT_TRUE(passed(played.verdict)) << to_text(played.verdict);
}

// Goal: whatever a seed draws, every promise holds and everything runs again, whoever keeps the
// views and the names. More by hand.
TEST(Simulate, DrawnSeedsPass) {
  std::uint64_t moves = 0;
  std::set<std::string> rare;
  const auto play = [&](std::uint64_t seed, AgreementEngine agreement, NameKeeper names) {
    SCOPED_TRACE("names of " + std::string(word_of(names)));
    const SimPlayed played = play_drawn(3, seed, agreement, names);
    expect_pass(played);
    moves += played.moves;
    for (const auto& [name, count] : played.rare) rare.insert(name);
  };
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    play(seed, AgreementEngine::store, NameKeeper::members);
  }
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    play(seed, AgreementEngine::voters, NameKeeper::members);
  }
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    play(seed, seed % 3 == 0 ? AgreementEngine::voters : AgreementEngine::store, NameKeeper::store);
  }
  // A link is full when its session is lost.
  play(1056, AgreementEngine::store, NameKeeper::members);
  // Every rare path in the code (docs/failover-testing.md lists them) was taken.
  EXPECT_EQ(rare, rare_paths);
  EXPECT_GT(moves, 100u);  // names did move
  expect_pass(play_drawn(5, 101));
  expect_pass(play_drawn(7, 102));
  // A node that was asked to stop is paused, and goes on.
  expect_pass(play_drawn(3, 10057));
  // The store leaves look after look unanswered, on a rare path.
  expect_pass(play_drawn(3, 97001, AgreementEngine::store, NameKeeper::store));
  // A view that is told twice.
  expect_pass(play_drawn(5, 3001));
}

// Goal: so they do with the engine of voters, whose notes are lost, doubled and overtaken too.
// Seeds 36 and 54: a node starts while its store stumbles. 41: a voter loses its disk. 117: a
// command is cut short between the payout and the journal.
TEST(Simulate, DrawnSeedsPassWithVoters) {
  for (const std::uint64_t seed : {36, 41, 54, 117}) {
    expect_pass(play_drawn(3, seed, AgreementEngine::voters, NameKeeper::store));
  }
  expect_pass(play_drawn(3, 36, AgreementEngine::voters));
  expect_pass(play_drawn(5, 101, AgreementEngine::voters));
  EXPECT_EQ(play_drawn(3, 5, AgreementEngine::voters).digest,
            play_drawn(3, 5, AgreementEngine::voters).digest);
}

// Goal: a search may choose what is drawn; a word that no kind has is told with those there are.
TEST(Simulate, KindsCanBeChosen) {
  const auto plan = draw_plan(program(), 3, 1, {.kinds = {"clocks apart", "deaf"}});
  ASSERT_TRUE(plan) << plan.error();
  for (const PlannedFault& fault : timeline(plan->scenario, plan->nodes, 1)) {
    EXPECT_TRUE(fault.action.kind == FaultKind::clock_rate || fault.action.name == "deaf");
  }
  const auto wrong = draw_plan(program(), 3, 1, {.kinds = {"daef"}});
  ASSERT_FALSE(wrong);
  EXPECT_TRUE(
      wrong.error().starts_with("--faults: no kind of fault is called \"daef\"; there are "))
      << wrong.error();
}

// Goal: the same seed is the same run, another seed another one.
TEST(Simulate, TheSameSeedIsTheSameRun) {
  const SimPlayed first = play_drawn(3, 5);
  const SimPlayed second = play_drawn(3, 5);
  EXPECT_EQ(first.digest, second.digest);
  EXPECT_EQ(first.steps, second.steps);
  EXPECT_EQ(to_json_text(first.verdict), to_json_text(second.verdict));
  EXPECT_NE(first.digest, play_drawn(3, 6).digest);
}

// Goal: every shipped file, each written for real nodes too, ends here as it ends there.
TEST(Simulate, ShippedScenariosPass) {
  std::size_t files = 0;
  for (const auto& file : std::filesystem::directory_iterator(std::string(COTERIE_SOURCE_DIR) +
                                                              "/cluster-configs/scenarios")) {
    SCOPED_TRACE(file.path().filename());
    const auto plan = plan_failover(file.path(), program(), Engine::sim);
    ASSERT_TRUE(plan) << plan.error();
    const auto played = play_simulated(*plan, program(), {.seed = plan->scenario.seed});
    ASSERT_TRUE(played) << played.error().message;
    expect_pass(*played);
    ++files;
  }
  EXPECT_GE(files, 13u);
}

// Goal: what is there at the end is read through any node, though the clients' own is gone for
// good.
TEST(Simulate, TheEndIsReadThroughAllNodes) {
  const std::string file = testing::TempDir() + "clients_of_a_dead_node.toml";
  std::ofstream(file) << "[scenario]\nname = \"clients of a dead node\"\nduration = \"10s\"\n"
                         "[cluster]\nconfig = \"" COTERIE_SOURCE_DIR
                         "/cluster-configs/local-3.toml\"\n"
                         "[[workload]]\nkind = \"contracts\"\nkeys = 20\nclients = 4\n"
                         "rate = 100\non = [\"b\"]\n"
                         "[[fault]]\nat = \"2s\"\ndo = \"kill\"\nnode = \"b\"\n"
                         "[verdict]\nunknown_max = \"50%\"\n";
  const auto plan = plan_failover(file, program(), Engine::sim);
  ASSERT_TRUE(plan) << plan.error();
  const auto played = play_simulated(*plan, program(), {.seed = 1});
  ASSERT_TRUE(played) << played.error().message;
  expect_pass(*played);
}

// Goal: a rare path that is taken is part of the run.
TEST(Simulate, RarePathsChangeTheRun) {
  const auto plan = draw_plan(program(), 3, 4);
  ASSERT_TRUE(plan);
  const auto usual = play_simulated(*plan, program(), {.seed = 4});
  ASSERT_TRUE(usual);
  EXPECT_TRUE(usual->rare.empty());
  const SimPlayed with = play_drawn(3, 4);
  EXPECT_FALSE(with.rare.empty());
  EXPECT_NE(with.digest, usual->digest);
}

// Goal: leaving faults out changes the run, and none of them leaves a quiet one.
TEST(Simulate, FaultsCanBeLeftOut) {
  const auto plan = draw_plan(program(), 3, 5);
  ASSERT_TRUE(plan);
  ASSERT_GT(timeline(plan->scenario, plan->nodes, 5).size(), 1u);
  const auto quiet =
      play_simulated(*plan, program(), {.seed = 5, .faults = std::vector<PlannedFault>{}});
  ASSERT_TRUE(quiet);
  expect_pass(*quiet);
  EXPECT_EQ(quiet->moves, 0u);
}

// Goal: the documented kinds are all drawn, sooner or later, and each has a word of its own.
TEST(Simulate, EveryKindIsDrawn) {
  EXPECT_GE(drawn_kinds().size(), 40u);
  EXPECT_EQ(std::set(drawn_kinds().begin(), drawn_kinds().end()).size(), drawn_kinds().size());
  std::set<FaultKind> seen;
  std::set<std::string> troubles;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const auto plan = draw_plan(program(), 3, seed);
    ASSERT_TRUE(plan);
    for (const PlannedFault& fault : timeline(plan->scenario, plan->nodes, seed)) {
      seen.insert(fault.action.kind);
      if (fault.action.kind == FaultKind::trouble) troubles.insert(fault.action.name);
    }
  }
  for (const FaultKind kind :
       {FaultKind::kill, FaultKind::power_off, FaultKind::stop, FaultKind::pause,
        FaultKind::replace, FaultKind::partition, FaultKind::one_way, FaultKind::reset,
        FaultKind::delay, FaultKind::slow_disk, FaultKind::full_disk, FaultKind::failing_fsync,
        FaultKind::crash_name, FaultKind::poison, FaultKind::slow_node, FaultKind::clock_rate,
        FaultKind::clock_jump, FaultKind::clock_stop}) {
    EXPECT_TRUE(seen.contains(kind)) << to_string(kind);
  }
  EXPECT_EQ(troubles.size(), trouble_kinds().size());
}

}  // namespace
}  // namespace coterie::test
