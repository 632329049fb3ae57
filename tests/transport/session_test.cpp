#include "transport/session.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "model_network.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using model::World;

LinkOptions small_options() {
  LinkOptions options;
  options.stream.window_messages = 200;
  options.stream.window_bytes = 20'000;
  options.stream.message_bytes_max = 100'000;
  options.stream.piece_bytes = 500;
  options.stream.frame_bytes = 1500;
  options.stream.frame_records = 8;
  options.flap_redial_max = 4s;
  return options;
}

std::string first(const World& world) {
  return world.violations.empty() ? "" : world.violations.front();
}

struct Totals {
  std::uint64_t delivered = 0, losses = 0, resumed = 0, repeats = 0, gaps = 0, stale = 0,
                refused = 0, stalls = 0, overslept = 0;
  void add(const LinkCounters& c) {
    delivered += c.delivered, losses += c.losses, resumed += c.resumed, repeats += c.repeats;
    gaps += c.gaps, stale += c.stale_frames, refused += c.refused, stalls += c.stalls;
    overslept += c.overslept;
  }
};

/// One hostile life of a link, drawn from the seed, then a heal and the check that all is well.
void play(std::uint64_t seed, Totals& totals) {
  model::SeededRandom draw(seed * 77 + 1);
  World world(seed, small_options());
  world.latency = 100us + draw.upto(20ms);
  world.lose_control = draw.chance(50) ? static_cast<unsigned>(draw.below(60)) : 0;
  world.double_control = draw.chance(50) ? 20 : 0;
  world.dial_fails = draw.chance(50) ? static_cast<unsigned>(draw.below(50)) : 0;
  world.lose_data = draw.chance(20) ? 5 : 0;
  world.keep_in_flight = static_cast<unsigned>(draw.below(101));
  const bool resets = draw.chance(80), kills = draw.chance(40), stalls = draw.chance(40),
             pauses = draw.chance(30), cuts = draw.chance(30);
  const std::size_t size_max = draw.chance(50) ? 100 : 5000;
  for (int round = 0; round < 40; ++round) {
    for (int i : {0, 1}) {
      const auto count = draw.below(60);
      world.send(i, count, size_max, 7);
      if (resets && draw.chance(25)) world.reset(i);
      if (stalls && draw.chance(5)) world.stall(i, true);
      if (stalls && draw.chance(25)) world.stall(i, false);
      if (pauses && draw.chance(5)) world.pause(i, draw.upto(8s));
      if (cuts && draw.chance(10)) world.control_cut[i] = draw.chance(50);
      if (kills && draw.chance(5)) {
        if (world.process(i)) totals.add(world.process(i)->link.counters());
        world.kill(i);
      }
      if (draw.chance(40)) world.start(i);
    }
    world.run(draw.chance(10) ? draw.upto(7s) : draw.upto(50ms));
    ASSERT_TRUE(world.violations.empty()) << "seed " << seed << ": " << first(world);
  }
  for (int i : {0, 1}) {
    world.stall(i, false);
    world.control_cut[i] = false;
    world.start(i);
    world.pause(i, 0s);
  }
  world.lose_control = world.dial_fails = world.lose_data = 0;
  world.run(20s);
  for (int i : {0, 1}) world.send(i, 20, size_max, 7);
  world.run(5s);
  ASSERT_TRUE(world.violations.empty()) << "seed " << seed << ": " << first(world);
  for (int i : {0, 1}) {
    ASSERT_TRUE(world.process(i)->up)
        << "seed " << seed << ": " << world.process(i)->link.describe();
    ASSERT_EQ(world.process(i)->sent, world.process(1 - i)->received) << "seed " << seed;
    ASSERT_TRUE(world.process(i)->link.sending().idle()) << "seed " << seed;
    ASSERT_EQ(world.process(i)->link.sending().held().bytes, 0u) << "seed " << seed;
    ASSERT_EQ(world.process(i)->link.sending().held().messages, 0u) << "seed " << seed;
    totals.add(world.process(i)->link.counters());
  }
}

// No gap, repeat or reordering before an announced loss, nothing after it, one loss per session,
// and a link that works again once the faults are over: on a hostile network, thousands of seeds.
TEST(Link, KeepsItsPromisesOnAHostileNetwork) {
  Totals totals;
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    play(seed, totals);
    if (HasFatalFailure()) return;
  }
  // The rare paths were taken, or the test proves nothing.
  EXPECT_GT(totals.delivered, 100'000u);
  EXPECT_GT(totals.losses, 300u);
  EXPECT_GT(totals.resumed, 1000u);
  EXPECT_GT(totals.repeats, 100u);
  EXPECT_GT(totals.gaps, 100u);
  EXPECT_GT(totals.stale, 1000u);
  EXPECT_GT(totals.stalls, 20u);
  EXPECT_GT(totals.overslept, 20u);
}

// Resets alone, with the process alive, are invisible above: no session is ever lost.
TEST(Link, ResetsAreInvisible) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    World world(seed, small_options());
    world.run(100ms);
    for (int round = 0; round < 50; ++round) {
      for (int i : {0, 1}) world.send(i, 20, 3000, 7);
      world.reset(round % 2);
      world.run(static_cast<int>(seed % 50) * 1ms);
    }
    world.run(2s);
    ASSERT_TRUE(world.violations.empty()) << first(world);
    for (int i : {0, 1}) {
      ASSERT_EQ(world.process(i)->losses, 0u) << "seed " << seed;
      ASSERT_EQ(world.process(i)->sent, world.process(1 - i)->received) << "seed " << seed;
    }
  }
}

// Goal: a connection that broke without anybody's word before its session was there is given up.
TEST(Link, AConnectionThatCarriesNoHelloIsGivenUp) {
  World world(1, {});
  world.stall(0, true);
  world.run(1s);
  ASSERT_FALSE(world.process(0)->up);
  world.stall(0, false);
  world.process(0)->out.stalled = true;  // the connection that is, not those that follow
  world.run(LinkOptions{}.link_down_after + 2s);
  EXPECT_TRUE(world.process(0)->up);
  EXPECT_TRUE(world.process(1)->up);
}

// A killed process is told as soon as its host refuses the next connection.
TEST(Link, AKilledProcessIsLostAtTheFirstRefusal) {
  World world(1, {});
  world.run(100ms);
  ASSERT_TRUE(world.process(0)->up);
  world.kill(1);
  world.run(5ms);
  EXPECT_FALSE(world.process(0)->up);
  EXPECT_EQ(world.process(0)->losses, 1u);
}

// Refusals while there is no session prove nothing: a node that is just starting is not harmed.
TEST(Link, RefusalsBeforeTheFirstSessionAreRetried) {
  World world(1, {});
  world.refuse_dials = true;
  world.run(10s);
  EXPECT_EQ(world.process(0)->losses, 0u);
  world.refuse_dials = false;
  world.run(2s);
  EXPECT_TRUE(world.process(0)->up);
  EXPECT_TRUE(world.process(1)->up);
}

// A cut of one direction ends the session on both sides, within a second of link_down_after.
TEST(Link, AOneWayCutLosesTheSessionOnBothSides) {
  World world(1, {});
  world.run(100ms);
  world.stall(0, true);
  world.control_cut[0] = true;
  world.run(7s);
  EXPECT_EQ(world.process(0)->losses, 1u);
  EXPECT_EQ(world.process(1)->losses, 1u);
  EXPECT_FALSE(world.process(0)->up);
  EXPECT_FALSE(world.process(1)->up);
  world.stall(0, false);
  world.control_cut[0] = false;
  world.run(5s);
  EXPECT_TRUE(world.process(0)->up);
  EXPECT_TRUE(world.process(1)->up);
  EXPECT_EQ(world.process(0)->losses, 1u);
}

// Acks that stall twice end the session even while beats go on.
TEST(Link, StalledAcksLoseTheSession) {
  World world(1, {});
  world.run(100ms);
  world.stall(0, true);
  world.send(0, 5, 10, 7);
  world.run(4s);
  EXPECT_TRUE(world.process(0)->up);
  EXPECT_EQ(world.process(0)->link.counters().stalls, 1u);
  world.run(3s);
  EXPECT_FALSE(world.process(0)->up);
  EXPECT_EQ(world.process(0)->losses, 1u);
  EXPECT_EQ(world.process(1)->losses, 1u);
}

// A node that overslept suspects nobody until it has caught up.
TEST(Link, AnOversleptNodeSuspectsNobody) {
  World world(1, {});
  world.run(100ms);
  world.pause(0, 4s);
  world.run(4500ms);
  EXPECT_EQ(world.process(0)->losses, 0u);
  EXPECT_EQ(world.process(1)->losses, 0u);
  EXPECT_GE(world.process(0)->link.counters().overslept, 1u);
}

// Once a newer incarnation was seen, or one is proven dead, the older one is refused for ever.
TEST(Link, OldAndDeadIncarnationsAreRefused) {
  World world(1, {});
  world.run(100ms);
  const Incarnation old = world.process(1)->self.incarnation;
  world.confirm_dead(0, old);
  EXPECT_FALSE(world.process(0)->up);
  world.run(20s);
  EXPECT_FALSE(world.process(0)->up);
  EXPECT_FALSE(world.process(1)->up);
  EXPECT_GT(world.process(0)->link.counters().refused, 0u);
  world.kill(1);
  world.start(1);
  world.run(20s);
  EXPECT_TRUE(world.process(0)->up);
  wire::Hello late;
  late.cluster_id = "test";
  late.config_digest = "digest";
  late.name = "b";
  late.incarnation = old;
  late.connection = 99;
  EXPECT_FALSE(world.process(0)->link.hello(world.now(), late));
  EXPECT_TRUE(world.process(0)->link.up());
}

// A node of another cluster, configuration, history or protocol is refused with the reason.
TEST(Link, HellosThatDoNotFitAreRefusedWithTheReason) {
  model::SeededRandom random(1);
  const LinkSelf self{"a", {1, static_cast<NodeId>(7)}, "prod", "d1", 3, 0, ""};
  const LinkOptions options;
  wire::Hello good;
  good.cluster_id = "prod";
  good.config_digest = "d1";
  good.history = 3;
  good.name = "b";
  good.incarnation = {1, static_cast<NodeId>(8)};
  good.connection = 1;
  const auto answer = [&](const wire::Hello& hello) {
    Link link(self, "b", options, random, Time(1s));
    const bool let_in = link.hello(Time(1s), hello);
    return let_in ? std::string("welcome") : link.describe();
  };
  EXPECT_EQ(answer(good), "welcome");
  auto bad = good;
  bad.cluster_id = "test";
  EXPECT_NE(answer(bad).find("of cluster 'test', node a of 'prod'"), std::string::npos);
  bad = good;
  bad.config_digest = "d2";
  EXPECT_NE(answer(bad).find("digests d2 and d1"), std::string::npos);
  bad = good;
  bad.history = 2;
  EXPECT_NE(answer(bad).find("history 2"), std::string::npos);
  bad = good;
  bad.version_min = bad.version_max = 9;
  EXPECT_NE(answer(bad).find("speaks protocol 9 to 9"), std::string::npos);
}

// More than three losses of one incarnation in a minute: dial less often, and say so.
TEST(Link, AFlappingPeerIsDialledLessOften) {
  model::SeededRandom random(1);
  const LinkSelf self{"a", {1, static_cast<NodeId>(7)}, "", "", 0, 0, ""};
  const LinkOptions options;
  Time now(10s);
  Link link(self, "b", options, random, now);
  wire::Hello hello;
  hello.name = "b";
  hello.incarnation = {1, static_cast<NodeId>(8)};
  hello.to = self.incarnation.id;
  for (int i = 1; i <= 4; ++i) {
    link.tick(now);
    link.dialled(now);
    hello.connection = static_cast<std::uint64_t>(i);
    hello.position.from_attempt = static_cast<std::uint64_t>(i);
    hello.position.to_attempt = link.position().from_attempt;
    hello.position.resumed = link.connection();
    ASSERT_TRUE(link.hello(now, hello));
    ASSERT_TRUE(link.up());
    EXPECT_FALSE(link.flapping(now));
    link.frame(now, hello, wire::Bye{hello.position, 0});
    ASSERT_FALSE(link.up());
  }
  EXPECT_TRUE(link.flapping(now));
  EXPECT_FALSE(link.flapping(now + 61s));
}

// The golden transcripts: a command, then everything that both sides did.
std::string replay(const std::string& script) {
  World world(1, {});
  world.trace_on = true;
  world.keep_in_flight = 0;
  std::string out;
  std::istringstream lines(script);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("#")) {
      out += line + "\n";
      continue;
    }
    if (!line.starts_with("> ")) continue;
    std::istringstream words(line.substr(2));
    std::string verb, who;
    words >> verb >> who;
    const int i = who == "b" ? 1 : 0;
    if (verb == "run") world.run(std::stoi(who) * 1ms);
    if (verb == "kill") world.kill(i);
    if (verb == "start") world.start(i);
    if (verb == "reset") world.reset(i);
    if (verb == "bye") world.bye(i);
    if (verb == "cut") world.stall(i, true), world.control_cut[i] = true;
    if (verb == "heal") world.stall(i, false), world.control_cut[i] = false;
    if (verb == "dead") world.confirm_dead(1 - i, world.process(i)->self.incarnation);
    int count = 0;
    if (verb == "send" && words >> count) {
      world.send(i, static_cast<std::uint64_t>(count), 0, 1);
    }
    out += line + "\n" + world.trace;
    world.trace.clear();
  }
  return out;
}

class Transcript : public testing::TestWithParam<const char*> {};

// What a link does in the cases of protocol.md section 7, to be read and compared.
TEST_P(Transcript, IsWhatTheFileSays) {
  const std::string path = std::string(TESTDATA) + "/" + GetParam() + ".txt";
  std::stringstream expected;
  expected << std::ifstream(path).rdbuf();
  const std::string actual = replay(expected.str());
  const std::string told = testing::TempDir() + GetParam() + ".actual.txt";
  if (actual != expected.str()) std::ofstream(told) << actual;
  EXPECT_EQ(actual, expected.str()) << "the transcript is in " << told;
}

INSTANTIATE_TEST_SUITE_P(Golden, Transcript,
                         testing::Values("handshake", "reset_and_resume", "kill_and_restart",
                                         "one_way_cut", "bye"));

}  // namespace
}  // namespace coterie
