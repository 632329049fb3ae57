#include "transport/zmq_distribution.hpp"

#include <gtest/gtest.h>

#include "fault_storm.hpp"
#include "process/seeded_random.hpp"
#include "transport_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using testing::eventually;
using testing::join;
using testing::storm;
using testing::storm_time;
using testing::TcpProxy;
using testing::TestNode;

bool connected(TestNode& a, TestNode& b) {
  return eventually([&] { return a.net->connected("b") == b.id && b.net->connected("a") == a.id; });
}

std::uint16_t port_of(const TestNode& node) { return parse_host_port(node.net->address())->port; }

LinkCounters counters_of(const TestNode& node, const std::string& peer) {
  for (const PeerState& state : node.net->peer_states()) {
    if (state.name == peer) return state.counters;
  }
  return {};
}

// A hundred thousand messages arrive in order, once, both ways at the same time.
TEST(ZmqDistribution, CarriesMessagesInOrder) {
  TestNode a("a", 1), b("b", 1);
  join({&a, &b}, {"a", "b"});
  ASSERT_TRUE(connected(a, b));
  std::thread other([&] { b.send_numbered(a.id, 100'000, 16); });
  EXPECT_TRUE(a.send_numbered(b.id, 100'000, 16));
  other.join();
  EXPECT_TRUE(eventually([&] { return a.events.delivered() == 100'000; }));
  EXPECT_TRUE(eventually([&] { return b.events.delivered() == 100'000; }));
  EXPECT_EQ(a.events.complaint(), "");
  EXPECT_EQ(b.events.complaint(), "");
}

// Every field of an envelope arrives, from the right node.
TEST(ZmqDistribution, CarriesWholeEnvelopes) {
  TestNode a("a", 1), b("b", 1);
  b.events.keep(true);
  join({&a, &b}, {"a", "b"});
  ASSERT_TRUE(connected(a, b));
  Envelope e;
  e.signal = Signal::call;
  e.from = {a.id, 7};
  e.to = LocalName{"counter"};
  e.ref = static_cast<Ref>(9);
  e.epoch = {3, 4};
  e.budget = 2s;
  e.request_id = "r-1";
  e.type = "counter.get";
  e.payload.assign(300'000, 'p');
  ASSERT_EQ(a.net->send(b.id, std::move(e)), SendResult::sent);
  ASSERT_TRUE(eventually([&] { return b.events.delivered() == 1; }));
  const Envelope got = b.events.kept().front();
  EXPECT_EQ(got.from, (Pid{a.id, 7}));
  EXPECT_EQ(got.to, Target(LocalName{"counter"}));
  EXPECT_EQ(got.epoch, (Epoch{3, 4}));
  EXPECT_EQ(got.request_id, "r-1");
  EXPECT_EQ(got.payload.size(), 300'000u);
  EXPECT_LE(got.budget, 2s);
  EXPECT_GT(got.budget, 1s);
}

// Three nodes form a full mesh.
TEST(ZmqDistribution, ConnectsEverybody) {
  TestNode a("a", 1), b("b", 1), c("c", 1);
  join({&a, &b, &c}, {"a", "b", "c"});
  EXPECT_TRUE(eventually([&] {
    return a.net->peers().size() == 2 && b.net->peers().size() == 2 && c.net->peers().size() == 2;
  }));
}

// A node that is destroyed without a word is lost at once, and its next incarnation is another.
TEST(ZmqDistribution, NoticesADeathAtOnceAndTheNextIncarnation) {
  TestNode a("a", 1);
  auto b = std::make_unique<TestNode>("b", 1);
  join({&a, b.get()}, {"a", "b"});
  ASSERT_TRUE(connected(a, *b));
  const std::string address = b->net->address();
  const NodeId old = b->id;
  const auto before = a.clock.now();
  b->net.reset();
  ASSERT_TRUE(eventually([&] { return a.events.downs().size() == 1; }, 3s));
  EXPECT_LT(a.clock.now() - before, 1s);
  EXPECT_EQ(a.events.downs()[0].peer.incarnation.id, old);
  EXPECT_FALSE(a.events.downs()[0].confirmed);
  EXPECT_EQ(a.net->send(old, Envelope{}), SendResult::no_node);
  TransportOptions options;
  options.listen = address;
  TestNode again("b", 2, options);
  ASSERT_EQ(again.error, "");
  again.net->set_members({{"a", a.net->address(), ""}});
  ASSERT_TRUE(connected(a, again));
  EXPECT_TRUE(a.send_numbered(again.id, 10, 10));
  EXPECT_TRUE(eventually([&] { return again.events.delivered() == 10; }));
  EXPECT_EQ(a.events.complaint(), "");
}

// Leaving in order: everything sent before arrives, then the peer is told.
TEST(ZmqDistribution, StopsAfterWhatWasSentHasArrived) {
  TestNode a("a", 1), b("b", 1);
  join({&a, &b}, {"a", "b"});
  ASSERT_TRUE(connected(a, b));
  ASSERT_TRUE(a.send_numbered(b.id, 5000, 100));
  a.net->stop(5s);
  ASSERT_TRUE(eventually([&] { return b.events.downs().size() == 1; }));
  EXPECT_EQ(b.events.delivered(), 5000u);
  EXPECT_EQ(b.events.downs()[0].why, "the node has left");
  EXPECT_EQ(a.net->send(b.id, Envelope{}), SendResult::no_node);
}

// Notes go beside the sessions, from the hellos of the control lane on, and to nobody after stop().
TEST(ZmqDistribution, CarriesNotes) {
  std::mutex mutex;
  std::vector<std::string> notes;
  TransportOptions options;
  options.note = [&](const std::string& node, BytesView note) {
    std::lock_guard lock(mutex);
    notes.push_back(node + ":" + std::string(note));
  };
  TestNode a("a", 1), b("b", 1, options);
  join({&a, &b}, {"a", "b"});
  ASSERT_TRUE(connected(a, b));
  const auto heard = [&](const std::string& note) {
    std::lock_guard lock(mutex);
    return std::ranges::find(notes, note) != notes.end();
  };
  ASSERT_TRUE(eventually([&] {  // lost until the control lane is up
    a.net->send_note("b", Bytes("one"));
    return heard("a:one");
  }));
  a.net->send_note("nobody", Bytes("lost"));
  a.net->send_note("b", Bytes(200'000, 'x'));
  EXPECT_TRUE(eventually([&] { return heard("a:" + std::string(200'000, 'x')); }));
  b.net->send_note("a", Bytes("unheard"));  // nobody takes notes there
  a.net->stop(1s);
  a.net->send_note("b", Bytes("late"));
}

// A proven death ends the session, confirmed, and that incarnation never comes back. It is told so.
TEST(ZmqDistribution, RefusesTheProvenDead) {
  std::atomic<std::uint64_t> outlived = 0;
  TransportOptions options;
  options.outlived = [&](std::uint64_t counter) { outlived = counter; };
  TestNode a("a", 1), b("b", 1, options);
  join({&a, &b}, {"a", "b"});
  ASSERT_TRUE(connected(a, b));
  a.net->confirm_dead({1, b.id});
  ASSERT_TRUE(eventually([&] { return a.events.downs().size() == 1; }));
  EXPECT_TRUE(a.events.downs()[0].confirmed);
  EXPECT_TRUE(eventually([&] { return b.events.downs().size() == 1; }));
  EXPECT_TRUE(eventually([&] { return outlived == 1; }));
  EXPECT_EQ(a.net->connected("b"), NodeId::none);
}

// Another cluster id is refused with the reason visible on both sides.
TEST(ZmqDistribution, RefusesAnotherCluster) {
  TestNode a("a", 1);
  TransportOptions options;
  options.cluster_id = "other";
  TestNode b("b", 1, options);
  join({&a, &b}, {"a", "b"});
  const auto says = [](TestNode& node, const std::string& text) {
    return eventually([&] {
      const auto states = node.net->peer_states();
      return !states.empty() && states[0].state.find(text) != std::string::npos;
    });
  };
  EXPECT_TRUE(says(a, "of cluster 'other'")) << a.net->peer_states()[0].state;
  EXPECT_TRUE(says(b, "of cluster 'test'")) << b.net->peer_states()[0].state;
  EXPECT_EQ(a.events.ups() + b.events.ups(), 0u);
}

// A port in use, a foreign address and an unknown host are clear errors that say what to do.
TEST(ZmqDistribution, SaysWhyItCannotListen) {
  TestNode a("a", 1);
  TransportOptions options;
  options.listen = a.net->address();
  const TestNode taken("b", 1, options);
  EXPECT_NE(taken.error.find(options.listen), std::string::npos);
  EXPECT_NE(taken.error.find("another program listens there"), std::string::npos) << taken.error;
  options.listen = "192.0.2.1:0";
  const TestNode foreign("b", 1, options);
  EXPECT_NE(foreign.error.find("no address of this host"), std::string::npos) << foreign.error;
  options.listen = "no-such-host.invalid:7000";
  const TestNode unknown("b", 1, options);
  EXPECT_NE(unknown.error.find("does not resolve"), std::string::npos) << unknown.error;
  options.listen = "127.0.0.1";
  const TestNode wrong("b", 1, options);
  EXPECT_NE(wrong.error.find("write host:port"), std::string::npos) << wrong.error;
}

// A peer whose name does not resolve is retried and shown; the others are not disturbed.
TEST(ZmqDistribution, RetriesNamesThatDoNotResolve) {
  TestNode a("a", 1), b("b", 1);
  a.net->set_members({{"b", b.net->address(), ""}, {"c", "no-such-host.invalid:7000", ""}});
  b.net->set_members({{"a", a.net->address(), ""}});
  ASSERT_TRUE(connected(a, b));
  EXPECT_TRUE(eventually(
      [&] {
        for (const PeerState& state : a.net->peer_states()) {
          if (state.name == "c" && state.state.find("does not resolve") != std::string::npos) {
            return true;
          }
        }
        return false;
      },
      20s));
}

// Names are looked up at each dial.
TEST(ZmqDistribution, ConnectsByName) {
  TestNode a("a", 1), b("b", 1);
  const auto by_name = [](const TestNode& node) {
    return "localhost:" + std::to_string(port_of(node));
  };
  a.net->set_members({{"b", by_name(b), ""}});
  b.net->set_members({{"a", by_name(a), ""}});
  EXPECT_TRUE(connected(a, b));
}

// A connection that comes up is news to who watches it, also if nobody has asked it before.
TEST(ZmqConnection, ItsFirstEventIsNews) {
  zmq::context_t context;
  zmq::socket_t listener(context, zmq::socket_type::router);
  listener.bind("tcp://127.0.0.1:*");
  ZmqConnection connection(context, listener.get(zmq::sockopt::last_endpoint));
  ZmqLookout lookout;
  lookout.watch_readable(connection.monitor_fd(), ZmqLookout::links);
  auto event = ZmqConnectionEvent::none;
  while (event == ZmqConnectionEvent::none && lookout.wait(10s) == ZmqLookout::links) {
    event = connection.next_event();
  }
  EXPECT_EQ(event, ZmqConnectionEvent::up);
  lookout.forget(connection.monitor_fd());
}

// Hundreds of resets under load: no gap, no repeat, and not one session lost.
TEST(ZmqDistribution, SurvivesResetsUnderLoad) {
  TestNode a("a", 1), b("b", 1);
  TcpProxy to_b(port_of(b)), to_a(port_of(a));
  a.net->set_members({{"b", to_b.address(), "127.0.0.1:" + std::to_string(b.net->control_port())}});
  b.net->set_members({{"a", to_a.address(), "127.0.0.1:" + std::to_string(a.net->control_port())}});
  ASSERT_TRUE(connected(a, b));
  std::atomic<bool> done{false};
  std::thread sender([&] {
    while (!done) {
      if (!a.send_numbered(b.id, 100, 200)) break;
    }
  });
  std::thread back([&] {
    while (!done) {
      if (!b.send_numbered(a.id, 100, 200)) break;
    }
  });
  for (int i = 0; i < 200; ++i) {
    (i % 2 == 0 ? to_b : to_a).reset();
    std::this_thread::sleep_for(std::chrono::milliseconds(5 + i % 20));
  }
  done = true;
  sender.join();
  back.join();
  EXPECT_TRUE(eventually([&] { return b.events.delivered() == a.last_number; }));
  EXPECT_TRUE(eventually([&] { return a.events.delivered() == b.last_number; }));
  EXPECT_EQ(a.events.complaint(), "");
  EXPECT_EQ(b.events.complaint(), "");
  EXPECT_EQ(a.events.downs().size(), 0u) << a.events.downs()[0].why;
  EXPECT_EQ(b.events.downs().size(), 0u) << b.events.downs()[0].why;
  EXPECT_TRUE(eventually([&] { return counters_of(a, "b").resumed > 20; }));
  EXPECT_GT(a.last_number, 1000u);
}

// Every fault of the proxy, drawn by a seed, one after the other and under load, with keys:
// whatever happens, nothing is missing or doubled within a session, and each session ends once for
// each side.
TEST(ZmqDistribution, KeepsItsPromisesInAStormOfFaults) {
  const CurveKeys key_a = make_curve_keys(), key_b = make_curve_keys();
  const AllowList list{{key_a.public_key, {KeyRole::member, "a"}},
                       {key_b.public_key, {KeyRole::member, "b"}}};
  TransportOptions options;
  options.link.link_down_after = 400ms;
  options.link.flap_losses = 1'000'000;  // the back-off has a test of its own
  options.beat_interval = 50ms;
  options.admission = std::make_shared<Admission>(key_a, list);
  TestNode a("a", 1, options);
  options.admission = std::make_shared<Admission>(key_b, list);
  TestNode b("b", 1, options);
  ASSERT_EQ(a.error + b.error, "");
  TcpProxy to_b(port_of(b)), to_a(port_of(a));
  TcpProxy to_b_control(b.net->control_port()), to_a_control(a.net->control_port());
  a.net->set_members({{"b", to_b.address(), to_b_control.address(), {key_b.public_key}}});
  b.net->set_members({{"a", to_a.address(), to_a_control.address(), {key_a.public_key}}});
  std::atomic<bool> done{false};
  const auto load = [&done](TestNode& from, NodeId to) {
    while (!done) {
      // Between two sessions the numbers begin anew: they are of the session.
      if (!from.send_numbered(to, 50, 300)) std::this_thread::sleep_for(1ms);
    }
  };
  std::thread one([&] { load(a, b.id); }), other([&] { load(b, a.id); });
  SeededRandom random(11);
  TcpProxy* const proxies[] = {&to_b, &to_a, &to_b_control, &to_a_control};
  const std::size_t faults = storm(proxies, random, after(a.clock.now(), storm_time()));
  done = true;
  one.join();
  other.join();
  ASSERT_TRUE(connected(a, b)) << "after " << faults << " faults";
  ASSERT_TRUE(eventually([&] { return b.net->connected("a") == a.id; }));
  EXPECT_GT(faults, 20u);
  EXPECT_EQ(a.events.complaint(), "") << faults << " faults";
  EXPECT_EQ(b.events.complaint(), "") << faults << " faults";
  // One end for each session that was, but for the one that is.
  EXPECT_TRUE(eventually([&] { return a.events.ups() == a.events.downs().size() + 1; }));
  EXPECT_TRUE(eventually([&] { return b.events.ups() == b.events.downs().size() + 1; }));
  const std::uint64_t before = b.events.delivered();
  ASSERT_TRUE(a.send_numbered(b.id, 1000, 10));
  EXPECT_TRUE(eventually([&] { return b.events.delivered() >= before + 1000; }));
  EXPECT_EQ(b.events.complaint(), "");
}

// A connection that stalls: the window fills and says busy, memory stays bounded, and after the
// stall everything arrives.
TEST(ZmqDistribution, AStalledPeerPushesBack) {
  TransportOptions options;
  options.link.stream.window_bytes = 200'000;
  TestNode a("a", 1, options), b("b", 1, options);
  TcpProxy to_b(port_of(b)), to_a(port_of(a));
  a.net->set_members({{"b", to_b.address(), ""}});
  b.net->set_members({{"a", to_a.address(), ""}});
  ASSERT_TRUE(connected(a, b));
  to_b.stall(true, false);
  std::uint64_t accepted = 0;
  const auto offer = [&] {
    Envelope e;
    e.signal = Signal::send;
    e.from = {a.id, 1};
    e.to = Pid{b.id, 2};
    e.ref = static_cast<Ref>(accepted + 1);
    e.payload.assign(1000, 'x');
    return a.net->send(b.id, std::move(e));
  };
  while (offer() == SendResult::sent) ++accepted;
  EXPECT_EQ(offer(), SendResult::busy);
  EXPECT_LE(accepted, 210u);
  EXPECT_EQ(a.events.writables(), 0u);
  to_b.stall(false, false);
  EXPECT_TRUE(eventually([&] { return b.events.delivered() == accepted; }));
  EXPECT_TRUE(eventually([&] { return a.events.writables() == 1; }));
  EXPECT_EQ(offer(), SendResult::sent);
  EXPECT_EQ(b.events.complaint(), "");
}

// A one-way cut is noticed by both sides, each is told once, and the heal gives a new session.
TEST(ZmqDistribution, AOneWayCutEndsTheSessionOnBothSides) {
  TransportOptions options;
  options.link.link_down_after = 1s;
  TestNode a("a", 1, options), b("b", 1, options);
  TcpProxy to_b(port_of(b)), to_a(port_of(a));
  TcpProxy to_b_control(b.net->control_port()), to_a_control(a.net->control_port());
  a.net->set_members({{"b", to_b.address(), to_b_control.address()}});
  b.net->set_members({{"a", to_a.address(), to_a_control.address()}});
  ASSERT_TRUE(connected(a, b));
  std::this_thread::sleep_for(300ms);
  to_b.stall(true, true);
  to_b_control.stall(true, true);
  EXPECT_TRUE(eventually([&] { return b.events.downs().size() == 1; }, 4s));
  EXPECT_TRUE(eventually([&] { return a.events.downs().size() == 1; }, 4s));
  std::this_thread::sleep_for(1500ms);
  EXPECT_EQ(a.events.downs().size(), 1u);
  EXPECT_EQ(b.events.downs().size(), 1u);
  to_b.stall(false, false);
  to_b_control.stall(false, false);
  to_b.reset();
  to_b_control.reset();
  EXPECT_TRUE(connected(a, b));
  EXPECT_EQ(a.events.complaint(), "");
  EXPECT_EQ(b.events.complaint(), "");
}

// View numbers travel as hints on the control lane.
TEST(ZmqDistribution, HintsAtNewerViews) {
  std::atomic<std::uint64_t> hinted{0};
  TransportOptions options;
  options.view_hint = [&](std::uint64_t view) { hinted = view; };
  TestNode a("a", 1, options), b("b", 1);
  join({&a, &b}, {"a", "b"});
  ASSERT_TRUE(connected(a, b));
  b.net->set_view(17);
  EXPECT_TRUE(eventually([&] { return hinted == 17; }));
}

// Bytes that are no frames, from a stranger and without a hello, are counted and do no harm.
TEST(ZmqDistribution, IgnoresGarbage) {
  TestNode a("a", 1), b("b", 1);
  join({&a, &b}, {"a", "b"});
  ASSERT_TRUE(connected(a, b));
  zmq::context_t context;
  zmq::socket_t stranger(context, zmq::socket_type::dealer);
  stranger.set(zmq::sockopt::linger, 1000);
  stranger.connect("tcp://" + a.net->address());
  for (int i = 0; i < 100; ++i) {
    stranger.send(zmq::buffer(std::string("\xdd\xff\xff\xff\xff", 5)), zmq::send_flags::none);
    stranger.send(zmq::buffer(encode(wire::Ack{{1, 1, 0, 0}, false})), zmq::send_flags::none);
  }
  EXPECT_TRUE(eventually([&] {
    const auto counters = a.net->counters();
    return counters.malformed >= 100 && counters.before_hello >= 100;
  }));
  EXPECT_TRUE(b.send_numbered(a.id, 10, 10));
  EXPECT_TRUE(eventually([&] { return a.events.delivered() == 10; }));
}

// Goal: whoever says again what a member has said, hello and records alike, from connections of his
// own, delivers nothing, and the member's own connection stays the one that is read.
TEST(ZmqDistribution, WhatIsSaidAgainChangesNothing) {
  TestNode a("a", 1), b("b", 1);
  join({&a, &b}, {"a", "b"});
  ASSERT_TRUE(connected(a, b));
  ASSERT_TRUE(b.send_numbered(a.id, 10, 10));
  ASSERT_TRUE(eventually([&] { return a.events.delivered() == 10; }));
  const auto connections = [&] {
    const auto states = b.net->peer_states();
    return states.empty() ? 0 : states[0].counters.connections;
  };
  ASSERT_TRUE(eventually([&] { return connections() > 0; }));
  const auto before = connections();

  wire::Hello hello;
  hello.cluster_id = "test";
  hello.name = "b";
  hello.incarnation = {1, b.id};
  hello.to = a.id;
  hello.connection = before;
  hello.position = {1, 1, 0, 1};
  Envelope envelope;
  envelope.signal = Signal::send;
  envelope.from = {b.id, 1};
  envelope.to = Pid{a.id, 2};
  const Bytes record = wire::encode_envelope(envelope, {b.id, a.id});
  zmq::context_t context;
  constexpr std::uint64_t strangers = 20, times = 50;
  for (std::uint64_t i = 0; i < strangers; ++i) {
    zmq::socket_t stranger(context, zmq::socket_type::dealer);
    stranger.set(zmq::sockopt::linger, 5000);
    stranger.connect("tcp://" + a.net->address());
    for (std::uint64_t n = 0; n < times; ++n) {
      stranger.send(zmq::buffer(encode(hello)), zmq::send_flags::none);
      stranger.send(zmq::buffer(encode(wire::Data{hello.position, 1 + n, {record}})),
                    zmq::send_flags::none);
    }
  }
  EXPECT_TRUE(eventually([&] {
    const auto counters = a.net->counters();
    return counters.said_again >= strangers * times && counters.before_hello >= strangers * times;
  }));
  EXPECT_EQ(a.events.delivered(), 10u);
  ASSERT_TRUE(b.send_numbered(a.id, 1000, 10));
  EXPECT_TRUE(eventually([&] { return a.events.delivered() == 1010; }));
  EXPECT_EQ(connections(), before);
  EXPECT_TRUE(a.events.downs().empty());
  EXPECT_TRUE(b.events.downs().empty());
  EXPECT_EQ(a.events.complaint(), "");
}

}  // namespace
}  // namespace coterie
