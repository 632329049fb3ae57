// Many seeds of a cluster under faults: leases and views keep their promises, and every rule that
// is switched off is noticed.

#include <gtest/gtest.h>

#include "tests/registry/cluster_sim.hpp"

namespace coterie::testing {
namespace {

Faults drawn_faults(std::uint64_t seed) {
  std::mt19937_64 random(seed * 77);
  auto chance = [&] { return std::uniform_real_distribution<double>(0, 1)(random); };
  Faults faults;
  if (chance() < 0.5) faults.request_lost = chance() * 0.1;
  if (chance() < 0.5) faults.answer_lost = chance() * 0.1;
  if (chance() < 0.5) faults.applied_late = chance() * 0.1;
  if (chance() < 0.3) faults.slow = chance() * 0.1;
  if (chance() < 0.7) faults.drift = 1.0;
  if (chance() < 0.6) faults.crash_every = 8s;
  if (chance() < 0.6) faults.pause_every = 6s;
  if (chance() < 0.4) faults.outage_every = 15s;
  if (chance() < 0.6) faults.cut_every = 6s;
  if (chance() < 0.3) faults.leave_every = 20s;
  if (chance() < 0.3) faults.twin_every = 15s;
  if (chance() < 0.5) faults.guardian = 0.8;
  if (chance() < 0.3) faults.counter_kept = 0.3;
  return faults;
}

// One owner and one history of views, whatever happens; agreement again when it is over.
TEST(AgreementSim, keeps_its_promises_under_faults) {
  std::uint64_t silent = 0, confirmed = 0, thaws = 0, views = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    ClusterSim sim(seed, 3 + static_cast<int>(seed % 3), drawn_faults(seed));
    sim.run(60s);
    ASSERT_TRUE(sim.violations().empty()) << "seed " << seed << ": " << sim.violations().front();
    silent += sim.removals_by_silence;
    confirmed += sim.removals_confirmed;
    thaws += sim.thaws;
    views += sim.views_agreed();
  }
  // The faults did happen.
  EXPECT_GT(silent, 500u);
  EXPECT_GT(confirmed, 200u);
  EXPECT_GT(thaws, 200u);
  EXPECT_GT(views, 4'000u);
}

// A failing seed can be run again to the same end.
TEST(AgreementSim, replays_a_seed_exactly) {
  ClusterSim one(7, 5, drawn_faults(7)), same(7, 5, drawn_faults(7)), other(8, 5, drawn_faults(8));
  one.run(30s);
  same.run(30s);
  other.run(30s);
  EXPECT_EQ(one.digest, same.digest);
  EXPECT_NE(one.digest, other.digest);
}

// Those who start together are in after a few views, and each by one request and no more attempts
// than two; alone each makes a view, and everybody tries again at each.
TEST(AgreementSim, many_join_in_few_views) {
  for (const int nodes : {50, 200}) {
    for (const bool together : {true, false}) {
      if (nodes == 200 && !together) continue;  // 200 views of up to 200 members, 20,000 attempts
      Protections protections;
      protections.joins_together = together;
      ClusterSim sim(7, nodes, {.starts = 20ms}, protections);
      const auto agreed = sim.agreed_within(30s);
      ASSERT_TRUE(agreed) << nodes;
      EXPECT_TRUE(sim.violations().empty()) << sim.violations().front();
      std::printf("%d nodes%s: %lu views, %.3f s, %lu commits, %lu refused\n", nodes,
                  together ? "" : " each for itself", sim.views_agreed(),
                  static_cast<double>(agreed->count()) / 1e9, sim.commits, sim.refused);
      if (together) {
        EXPECT_LE(sim.views_agreed(), 10u);
        EXPECT_LE(sim.refused, 2u * static_cast<unsigned>(nodes));
      } else {
        EXPECT_EQ(sim.views_agreed(), static_cast<unsigned>(nodes));
      }
    }
  }
}

Faults crowd_faults(std::uint64_t seed) {
  Faults faults = drawn_faults(seed);
  faults.starts = 15ms;
  faults.twin_every = 2s;
  faults.crash_every = 3s;
  return faults;
}

// The same promises when many join at once, twins among them, again and again.
TEST(AgreementSim, crowds_keep_the_promises) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    ClusterSim sim(seed, 9, crowd_faults(seed));
    sim.run(20s);
    ASSERT_TRUE(sim.violations().empty()) << "seed " << seed << ": " << sim.violations().front();
  }
}

struct Mutant {
  const char* name;
  bool Protections::*rule;
  const char* symptom;
  bool crowd = false;
};

class AgreementMutants : public ::testing::TestWithParam<Mutant> {};

// Each rule, switched off, breaks a promise that a checker names.
TEST_P(AgreementMutants, is_caught) {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    Protections protections;
    protections.*GetParam().rule = false;
    const bool crowd = GetParam().crowd;
    ClusterSim sim(seed, crowd ? 9 : 3 + static_cast<int>(seed % 3),
                   crowd ? crowd_faults(seed) : drawn_faults(seed), protections);
    sim.run(crowd ? 20s : 60s);
    for (const auto& violation : sim.violations()) {
      if (violation.find(GetParam().symptom) == std::string::npos) continue;
      RecordProperty("seed", std::to_string(seed));
      RecordProperty("violation", violation);
      std::printf("caught by seed %lu: %s\n", seed, violation.c_str());
      return;
    }
  }
  FAIL() << "no seed noticed that the rule " << GetParam().name << " is off";
}

INSTANTIATE_TEST_SUITE_P(
    Rules, AgreementMutants,
    ::testing::Values(Mutant{"tombstones", &Protections::tombstones, "V4"},
                      Mutant{"counter_unchanged", &Protections::counter_unchanged, "I1"},
                      Mutant{"row_present", &Protections::row_present, "I1"},
                      Mutant{"drift_margin", &Protections::drift_margin, "I1"},
                      Mutant{"restart_wait", &Protections::restart_wait, "outage"},
                      Mutant{"confirmed_only", &Protections::confirmed_only, "I1"},
                      Mutant{"view_unchanged", &Protections::view_unchanged, "I8"},
                      Mutant{"requests_judged", &Protections::requests_judged, "V4", true}),
    [](const auto& mutant) { return std::string(mutant.param.name); });

}  // namespace
}  // namespace coterie::testing
