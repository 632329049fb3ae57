#include "tests/transport/documented_frames.hpp"
#include "transport/wire.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "model_network.hpp"
#include "transport/envelope_codec.hpp"
#include "transport/msgpack_io.hpp"
#include "transport/pieces.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using model::SeededRandom;

constexpr wire::Ends ends{static_cast<NodeId>(0x1111222233334444), static_cast<NodeId>(0x5555)};

bool same(const Envelope& a, const Envelope& b) {
  return a.signal == b.signal && a.named == b.named && a.link == b.link && a.from == b.from &&
         a.to == b.to && a.ref == b.ref && a.epoch == b.epoch && a.budget == b.budget &&
         a.request_id == b.request_id && a.type == b.type && a.trace == b.trace &&
         a.payload == b.payload && a.reason == b.reason && a.reason.trace() == b.reason.trace() &&
         (a.signal != Signal::call_failed || (a.code == b.code && a.execution == b.execution)) &&
         a.detail == b.detail;
}

std::string text(SeededRandom& random, std::size_t most) {
  return std::string(random.below(most + 1), static_cast<char>('a' + random.below(26)));
}

Envelope random_envelope(SeededRandom& random) {
  Envelope e;
  e.signal = static_cast<Signal>(1 + random.below(13));
  e.named = random.chance(30);
  e.link = random.chance(30);
  if (random.chance(80)) e.from = {ends.sender, 1 + random.next() % 100'000};
  switch (random.below(4)) {
    case 0:
      e.to = Pid{ends.receiver, 1 + random.next() % 1000};
      break;
    case 1:
      e.to = Pid{static_cast<NodeId>(random.next()), 1 + random.next()};
      break;
    case 2:
      e.to = LocalName{text(random, 60)};
      break;
    default:
      e.to = ViaName{text(random, 20), text(random, 300)};
  }
  if (random.chance(50)) e.ref = static_cast<Ref>(random.next());
  if (random.chance(50)) e.epoch = {random.next() % 1000, random.next()};
  if (random.chance(50)) {
    e.budget = std::chrono::microseconds(static_cast<std::int64_t>(random.next() % 1'000'000'000));
  }
  if (random.chance(50)) e.request_id = text(random, 40);
  if (random.chance(80)) e.type = text(random, 40);
  if (random.chance(20)) e.trace = text(random, 60);
  if (random.chance(80)) e.payload = text(random, random.chance(10) ? 70'000 : 300);
  if (random.chance(30)) {
    e.reason = ExitReason::make(static_cast<ExitReason::Kind>(random.below(8)), text(random, 30),
                                text(random, 30), text(random, 30), random.chance(50));
  }
  if (e.signal == Signal::call_failed) {
    e.code = static_cast<CallError::Code>(random.below(16));
    e.execution = static_cast<CallError::Execution>(random.below(3));
    e.detail = text(random, 50);
  }
  return e;
}

// Every field of semantics.md 2.6 survives the wire.
TEST(EnvelopeCodec, RoundTripsEveryField) {
  SeededRandom random(1);
  for (int i = 0; i < 5000; ++i) {
    const Envelope e = random_envelope(random);
    const auto back = wire::decode_envelope(wire::encode_envelope(e, ends), ends);
    ASSERT_TRUE(back) << back.error();
    ASSERT_TRUE(same(e, *back)) << i;
    Envelope whole;  // whose payload takes the bytes over
    ASSERT_TRUE(wire::decode_envelope(wire::encode_envelope(e, ends), ends, whole));
    ASSERT_TRUE(same(e, whole)) << i;
  }
}

// A small cast costs few bytes beside its type and payload.
TEST(EnvelopeCodec, IsCompact) {
  Envelope e;
  e.signal = Signal::cast;
  e.from = {ends.sender, 100};
  e.to = Pid{ends.receiver, 101};
  e.type = "t";
  e.payload = "0123456789abcdef";
  EXPECT_LE(wire::encode_envelope(e, ends).size(), 14 + e.type.size() + e.payload.size());
}

// The budget is lowered in place by the time that a record waited; it never becomes negative.
TEST(EnvelopeCodec, RewritesTheBudget) {
  Envelope e;
  e.signal = Signal::call;
  e.to = LocalName{"x"};
  e.budget = 5s;
  Bytes bytes = wire::encode_envelope(e, ends);
  ASSERT_TRUE(wire::has_budget(bytes));
  wire::set_budget(bytes, 0, 2s);
  EXPECT_EQ(wire::decode_envelope(bytes, ends)->budget, 2s);
  wire::set_budget(bytes, 0, -2s);
  EXPECT_EQ(wire::decode_envelope(bytes, ends)->budget, 0s);
  e.budget = infinity;
  EXPECT_FALSE(wire::has_budget(wire::encode_envelope(e, ends)));
}

// A sender of another node is refused: nobody speaks for others.
TEST(EnvelopeCodec, RefusesAForeignSender) {
  Envelope e;
  e.from = {static_cast<NodeId>(9), 1};
  e.to = LocalName{"x"};
  EXPECT_FALSE(wire::decode_envelope(wire::encode_envelope(e, ends), ends));
}

std::vector<Bytes> all_frames(SeededRandom& random) {
  const wire::Position position{3, 4, 500, 2};
  wire::Hello hello;
  hello.cluster_id = "prod";
  hello.config_digest = "d";
  hello.history = 2;
  hello.name = "a";
  hello.incarnation = {7, static_cast<NodeId>(0xffffffffffffffff)};
  hello.to = static_cast<NodeId>(5);
  hello.connection = 9;
  hello.lane = wire::Lane::control;
  hello.position = position;
  hello.control_port = 4711;
  hello.guardian_key = "key";
  const Bytes record = wire::encode_envelope(random_envelope(random), ends);
  wire::DeathNotice notice{"prod", "a", hello.incarnation, "token", 9, 0, {"x", "y"}};
  return {encode(hello),
          encode(wire::Refuse{wire::Refuse::Code::old_incarnation, "no", NodeId{5}, 7}),
          encode(wire::Data{position, 17, {record, record}}),
          encode(wire::Ack{position, true}),
          encode(wire::Beat{position, 77}),
          encode(wire::Bye{position, 88}),
          encode(wire::Note{"note"}),
          encode(wire::ClientHello{1, 2, "prod", "cli"}),
          encode(wire::ClientWelcome{1, "a", hello.incarnation}),
          encode(wire::ClientEnvelope{record}),
          encode(notice),
          encode(wire::NoticeTaken{true, "thanks"})};
}

// Each frame kind comes back as it was sent.
TEST(Wire, RoundTripsEveryFrame) {
  SeededRandom random(2);
  std::size_t index = 0;
  for (const Bytes& bytes : all_frames(random)) {
    const auto frame = wire::decode(bytes);
    ASSERT_TRUE(frame) << index << ": " << frame.error();
    EXPECT_EQ(frame->index(), index++);
    std::visit(
        [&](const auto& value) { EXPECT_EQ(encode(value), bytes) << "frame " << frame->index(); },
        *frame);
  }
}

// The specification's examples are frames, and exactly those that this program writes.
TEST(Wire, DocumentedBytesAreTrue) {
  const auto frames = testing::documented_frames(COTERIE_SOURCE_DIR);
  EXPECT_EQ(frames.size(), 17u);
  std::set<std::size_t> kinds;
  for (const auto& [title, bytes] : frames) {
    const auto frame = wire::decode(bytes);
    ASSERT_TRUE(frame) << title << ": " << frame.error();
    kinds.insert(frame->index());
    EXPECT_EQ(std::visit([](const auto& held) { return wire::encode(held); }, *frame), bytes)
        << title;
    if (const auto* client = std::get_if<wire::ClientEnvelope>(&*frame)) {
      const auto envelope = wire::decode_envelope(client->envelope, ends);
      ASSERT_TRUE(envelope) << title << ": " << envelope.error();
      EXPECT_EQ(wire::encode_envelope(*envelope, ends), client->envelope) << title;
    }
    if (const auto* data = std::get_if<wire::Data>(&*frame)) {
      ASSERT_EQ(data->records.size(), 1u);
      EXPECT_TRUE(wire::decode_envelope(data->records[0], ends)) << title;
    }
  }
  EXPECT_EQ(kinds.size(), std::variant_size_v<wire::Frame>) << "each kind has an example";
}

// Fields that a later version appends are skipped, whatever they are.
TEST(Wire, IgnoresAppendedFields) {
  Bytes bytes = encode(wire::Ack{{1, 2, 3, 4}, false});
  bytes[0] = static_cast<char>(bytes[0] + 1);
  bytes += "\x92\x81\xa1x\x01\xc0";  // [{"x": 1}, nil]
  EXPECT_TRUE(wire::decode(bytes));
}

// Announced sizes are checked against the bytes present, and depth is bounded.
TEST(Wire, RefusesLies) {
  using namespace std::string_literals;
  EXPECT_FALSE(wire::decode(""));
  EXPECT_FALSE(wire::decode("\xdd\xff\xff\xff\xff"s));          // 2^32 elements
  EXPECT_FALSE(wire::decode("\x92\x08\xc6\xff\xff\xff\xff"s));  // unknown kind
  EXPECT_FALSE(wire::decode("\x92\x12\xc6\xff\xff\xff\xff"s));  // 4 GiB of envelope
  EXPECT_FALSE(wire::decode("\x97\x03\x01\x01\x00\x00\x01\xdd\x7f\xff\xff\xff"s));
  Bytes deep = encode(wire::Ack{{1, 2, 3, 4}, false});
  deep[0] = static_cast<char>(deep[0] + 1);
  deep += std::string(100'000, '\x91') + "\x01";
  EXPECT_FALSE(wire::decode(deep));
}

// A hundred thousand damaged frames and envelopes: an error or a value, never a crash, and an
// envelope that decodes can be encoded again.
TEST(Wire, SurvivesMutations) {
  SeededRandom random(3);
  std::size_t decoded = 0, refused = 0;
  for (int i = 0; i < 10'000; ++i) {
    for (Bytes bytes : all_frames(random)) {
      if (bytes.size() > 2000) continue;
      for (std::uint64_t hits = 1 + random.below(4); hits > 0 && !bytes.empty(); --hits) {
        const std::size_t at = random.below(bytes.size());
        switch (random.below(4)) {
          case 0:
            bytes[at] = static_cast<char>(random.next());
            break;
          case 1:
            bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
            break;
          case 2:
            bytes.resize(at);
            break;
          default:
            bytes.insert(at, 1, static_cast<char>(random.next()));
        }
      }
      const auto frame = wire::decode(bytes);
      ++(frame ? decoded : refused);
      if (!frame) continue;
      const auto check = [](BytesView envelope) {
        if (const auto e = wire::decode_envelope(envelope, ends)) {
          ASSERT_TRUE(wire::decode_envelope(wire::encode_envelope(*e, ends), ends));
        }
      };
      if (const auto* data = std::get_if<wire::Data>(&*frame)) {
        for (const BytesView record : data->records) check(record);
      } else if (const auto* one = std::get_if<wire::ClientEnvelope>(&*frame)) {
        check(one->envelope);
      }
    }
  }
  EXPECT_GT(decoded, 1000u);
  EXPECT_GT(refused, 1000u);
}

OutgoingMessage message(std::uint64_t from, Target to, std::size_t size, int number) {
  Envelope e;
  e.from = {ends.sender, from};
  e.to = to;
  e.type = std::to_string(number);
  e.payload.assign(size, 'x');
  // Half of them as a node does that spares itself a copy.
  if (number % 2 == 0) return encode_apart(e, ends, {.piece_bytes = 1000});
  return {wire::encode_envelope(e, ends), {}, e.from, e.to};
}

// Big messages are cut and put together again; a small one to another receiver passes between the
// pieces; per pair of processes the order stays, names included.
TEST(Pieces, InterleaveReceiversAndKeepTheOrderOfPairs) {
  SeededRandom random(4);
  for (int round = 0; round < 300; ++round) {
    Interleaver out(1000);
    Assembler in({1 << 20, 1 << 24});
    std::map<std::uint64_t, int> sent, received;  // by sender: total order is more than promised
    std::map<std::string, std::vector<int>> order_in, order_out;
    int number = 0;
    std::vector<Bytes> arrived;
    const auto pop = [&] {
      const StreamRecord record = out.pop(Time(1s));
      if (!Assembler::is_piece(record.bytes)) return arrived.push_back(record.bytes);
      ASSERT_LE(record.bytes.size(), 1040u);
      auto whole = in.add(record.bytes);
      ASSERT_TRUE(whole) << whole.error();
      if (*whole) arrived.push_back((*whole)->first + (*whole)->rest);
    };
    // Name "p1" is the process with serial 1: a pair's order must hold across both addresses.
    const auto pair_of = [](std::uint64_t from, const Target& to) {
      const auto* pid = std::get_if<Pid>(&to);
      return std::to_string(from) + " " + std::to_string(pid ? pid->serial : 1);
    };
    for (int i = 0; i < 60; ++i) {
      const std::uint64_t from = 1 + random.below(3);
      const Target to = random.chance(20) ? Target(LocalName{"p1"})
                                          : Target(Pid{ends.receiver, 1 + random.below(3)});
      out.push(message(from, to, random.chance(20) ? random.below(9000) : 20, number));
      order_in[pair_of(from, to)].push_back(number++);
      while (random.chance(45) && !out.empty()) pop();
    }
    while (!out.empty()) pop();
    for (const Bytes& bytes : arrived) {
      const auto e = wire::decode_envelope(bytes, ends);
      ASSERT_TRUE(e);
      order_out[pair_of(e->from.serial, e->to)].push_back(std::stoi(e->type));
    }
    ASSERT_EQ(order_in, order_out) << "round " << round;
    EXPECT_EQ(in.held_bytes(), 0u);
  }
}

// One huge message does not hold up what goes to others.
TEST(Pieces, ASmallMessagePassesAHugeOne) {
  Interleaver out(1000);
  out.push(message(1, Pid{ends.receiver, 1}, 100'000, 1));
  out.pop(Time(1s));
  out.push(message(1, Pid{ends.receiver, 2}, 10, 2));
  EXPECT_FALSE(Assembler::is_piece(out.pop(Time(1s)).bytes));
}

// A peer that announces too much, or leaves holes, is refused before anything is allocated.
TEST(Pieces, RefusesPiecesThatDoNotFit) {
  const auto piece = [](std::uint64_t id, std::uint64_t total, std::uint64_t offset,
                        std::size_t size) {
    Bytes bytes;
    wire::Writer w(bytes);
    w.array(5);
    for (const std::uint64_t v : {std::uint64_t{0}, id, total, offset}) w.unsigned_integer(v);
    w.binary(Bytes(size, 'x'));
    return bytes;
  };
  Assembler in({10'000, 15'000});
  EXPECT_FALSE(in.add(piece(1, 10'001, 0, 10)));
  EXPECT_FALSE(in.add(piece(1, 1000, 10, 10)));
  EXPECT_TRUE(in.add(piece(1, 1000, 0, 900)));
  EXPECT_FALSE(in.add(piece(1, 1000, 900, 101)));
  EXPECT_TRUE(in.add(piece(2, 10'000, 0, 9000)));
  EXPECT_FALSE(in.add(piece(3, 10'000, 0, 9000)));
  EXPECT_EQ(in.held_bytes(), 9900u);
}

}  // namespace
}  // namespace coterie
