#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <limits>
#include <list>
#include <map>
#include <set>
#include <string>
#include <unordered_map>

#include <coterie/pack.hpp>
#include <coterie/server_ref.hpp>

#include "process/seeded_random.hpp"

using namespace std::chrono_literals;

namespace coterie {
namespace {

enum class Status : std::uint8_t { pending, approved, rejected };
enum class Flags : std::uint8_t { read = 1, write = 2, append = 4 };
enum class Level : std::int16_t { low = 1, high = 2 };
enum Loose { loose_a, loose_b };

struct Nothing {
  static constexpr std::string_view type_name = "test.nothing";
};
struct Item {
  std::string name;
  std::int64_t amount_minor = 20;
  friend bool operator==(const Item&, const Item&) = default;
};
struct Everything {
  using Reply = std::int64_t;
  static constexpr std::string_view type_name = "test.everything";
  bool yes = false;
  std::int8_t tiny = 0;
  std::uint64_t huge = 0;
  double real = 0;
  float small = 0;
  std::string text;
  std::vector<std::uint8_t> blob;
  std::array<std::byte, 2> pair_of_bytes{};
  std::vector<Item> items;
  std::array<int, 3> three{};
  std::map<std::string, int> by_name;
  std::unordered_map<std::int32_t, std::string> by_number;
  std::optional<Item> maybe;
  std::variant<std::monostate, int, std::string> either;
  std::pair<int, std::string> two;
  std::tuple<int, bool, double> row;
  std::expected<Item, std::string> outcome;
  std::expected<void, CallError> done;
  Status status = Status::pending;
  Flags flags = Flags::read;
  std::vector<bool> bits;
  std::set<Level> levels;
  std::deque<std::list<std::string>> nested;
  Item item;
};
struct Coterie {
  Pid pid;
  Ref ref = Ref::none;
  Epoch epoch;
  NodeId node = NodeId::none;
  Incarnation incarnation;
  Duration wait{};
  WallTime at{};
  std::chrono::seconds seconds{};
  ExitReason reason;
  ServerRef server;
};
struct Tree {
  std::vector<Tree> children;
  int value = 0;
};
struct NumberV1 {
  int number = 7;
};
struct NumberV2 {
  int number = 7;
  std::string note = "none";
  std::optional<int> extra;
};

// A type with a representation of its own.
class Money {
 public:
  explicit Money(std::int64_t minor) : minor_(minor) {}
  std::int64_t minor() const { return minor_; }

 private:
  std::int64_t minor_;
};
struct Account {
  std::vector<Money> entries;
};

Everything full() {
  Everything e;
  e.yes = true;
  e.tiny = -128;
  e.huge = std::numeric_limits<std::uint64_t>::max();
  e.real = 0.1;
  e.small = -2.5F;
  e.text = std::string("moe\0x", 5);
  e.blob = {0, 255, 128};
  e.pair_of_bytes = {std::byte{1}, std::byte{254}};
  e.items = {{"a", -1}, {"b", std::numeric_limits<std::int64_t>::min()}};
  e.three = {1, 128, 70'000};
  e.by_name = {{"x", 1}, {"", 2}};
  e.by_number = {{-5, "minus"}, {5, "plus"}};
  e.maybe = Item{"some", 3};
  e.either = std::string("right");
  e.two = {4, "four"};
  e.row = {5, true, 5.5};
  e.outcome = std::unexpected("refused");
  e.done = std::unexpected(CallError(CallError::Code::timeout, CallError::Execution::unknown,
                                     ExitReason::error("boom", "text"), "detail"));
  e.status = Status::rejected;
  e.flags = static_cast<Flags>(5);
  e.bits = {true, false, true};
  e.levels = {Level::low, Level::high};
  e.nested = {{"p", "q"}, {}};
  e.item = {std::string(300, 'z'), 1};
  return e;
}

void expect_full(const Everything& got) {
  const Everything want = full();
  EXPECT_EQ(got.yes, want.yes);
  EXPECT_EQ(got.tiny, want.tiny);
  EXPECT_EQ(got.huge, want.huge);
  EXPECT_EQ(got.real, want.real);
  EXPECT_EQ(got.small, want.small);
  EXPECT_EQ(got.text, want.text);
  EXPECT_EQ(got.blob, want.blob);
  EXPECT_EQ(got.pair_of_bytes, want.pair_of_bytes);
  EXPECT_EQ(got.items, want.items);
  EXPECT_EQ(got.three, want.three);
  EXPECT_EQ(got.by_name, want.by_name);
  EXPECT_EQ(got.by_number, want.by_number);
  EXPECT_EQ(got.maybe, want.maybe);
  EXPECT_EQ(got.either, want.either);
  EXPECT_EQ(got.two, want.two);
  EXPECT_EQ(got.row, want.row);
  EXPECT_EQ(got.outcome, want.outcome);
  ASSERT_FALSE(got.done.has_value());
  EXPECT_EQ(to_string(got.done.error()), to_string(want.done.error()));
  EXPECT_EQ(got.done.error().reason(), want.done.error().reason());
  EXPECT_EQ(got.status, want.status);
  EXPECT_EQ(got.flags, want.flags);
  EXPECT_EQ(got.bits, want.bits);
  EXPECT_EQ(got.levels, want.levels);
  EXPECT_EQ(got.nested, want.nested);
  EXPECT_EQ(got.item, want.item);
}

std::string hex(BytesView bytes) {
  std::string text;
  for (const char c : bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    text += digits[static_cast<unsigned char>(c) >> 4];
    text += digits[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

template <class T>
std::string refusal(BytesView bytes, Limits limits = {}) {
  const auto value = unpack<T>(bytes, limits);
  return value ? "accepted" : to_string(value.error());
}

// What decoders of hostile bytes must refuse, as literal bytes.
template <std::size_t N>
constexpr BytesView raw(const char (&literal)[N]) {
  return {literal, N - 1};
}

}  // namespace

template <>
struct Packing<Money> {
  static void pack(Packer& packer, const Money& money) { packer.integer(money.minor()); }
  static bool unpack(Unpacker& unpacker, Money& money) {
    std::int64_t minor = 0;
    if (!unpacker.integer(minor, 0, 1'000'000)) return false;
    money = Money(minor);
    return true;
  }
  static Money blank() { return Money(0); }
};

namespace {

TEST(Reflect, CountsAndNamesFieldsOfPlainAggregates) {
  // Goal: static members, nested types and initialisers change neither count nor names.
  EXPECT_EQ(field_count<Nothing>, 0u);
  EXPECT_EQ(field_count<Item>, 2u);
  EXPECT_EQ(field_count<Everything>, fields_max);
  EXPECT_EQ(field_names<Item>[0], "name");
  EXPECT_EQ(field_names<Item>[1], "amount_minor");
  EXPECT_EQ(field_names<Everything>.front(), "yes");
  EXPECT_EQ(field_names<Everything>.back(), "item");
  EXPECT_EQ(field_names<Tree>[0], "children");
}

TEST(Reflect, NamesEnumeratorsOfContiguousEnumsOnly) {
  // Goal: flags, ids and enums without a fixed type keep their numbers.
  EXPECT_EQ(enum_name(Status::pending), "pending");
  EXPECT_EQ(enum_name(Status::rejected), "rejected");
  EXPECT_EQ(enum_name(static_cast<Status>(3)), "");
  EXPECT_EQ(enum_name(Level::high), "high");
  EXPECT_EQ(enum_name(static_cast<Level>(0)), "");
  EXPECT_EQ(enum_value<Status>("approved"), Status::approved);
  EXPECT_EQ(enum_value<Status>("Approved"), std::nullopt);
  EXPECT_EQ(enum_name(Flags::read), "");
  EXPECT_EQ(enum_name(loose_b), "");
  EXPECT_EQ(enum_name(NodeId::none), "");
  EXPECT_EQ(enum_name(CallError::Code::killed), "killed");
}

TEST(Pack, EveryTypeSurvivesBothForms) {
  // Goal: unpack(pack(x)) == x for every packable type, positional and named.
  for (const Form form : {Form::positional, Form::named}) {
    const Bytes bytes = pack(full(), form);
    const auto got = unpack<Everything>(bytes);
    ASSERT_TRUE(got.has_value()) << to_string(got.error());
    expect_full(*got);
  }
}

TEST(Pack, OwnValuesSurviveBothForms) {
  // Goal: pids, epochs, durations, times, reasons and references keep every bit.
  Coterie c;
  c.pid = {NodeId{~0ull}, ~0ull};
  c.ref = Ref{1ull << 63};
  c.epoch = {3, 4};
  c.node = NodeId{99};
  c.incarnation = {7, NodeId{8}};
  c.wait = infinity;
  c.at = WallTime(std::chrono::milliseconds(-5));
  c.seconds = std::chrono::seconds::max();
  c.reason = ExitReason::make(ExitReason::Kind::error, "type", "what", "trace", true);
  c.server = via("contracts", "contract-1");
  for (const Form form : {Form::positional, Form::named}) {
    const auto got = unpack<Coterie>(pack(c, form));
    ASSERT_TRUE(got.has_value()) << to_string(got.error());
    EXPECT_EQ(got->pid, c.pid);
    EXPECT_EQ(got->ref, c.ref);
    EXPECT_EQ(got->epoch, c.epoch);
    EXPECT_EQ(got->node, c.node);
    EXPECT_EQ(got->incarnation, c.incarnation);
    EXPECT_EQ(got->wait, c.wait);
    EXPECT_EQ(got->at, c.at);
    EXPECT_EQ(got->seconds, c.seconds);
    EXPECT_EQ(got->reason, c.reason);
    EXPECT_EQ(got->reason.trace(), "trace");
    EXPECT_EQ(got->server, c.server);
  }
}

TEST(Pack, BytesAreFixed) {
  // Goal: the encoding is a contract with other versions and languages; these bytes never change.
  EXPECT_EQ(hex(pack(Nothing{})), "90");
  EXPECT_EQ(hex(pack(Nothing{}, Form::named)), "80");
  EXPECT_EQ(hex(pack(std::monostate{})), "c0");
  EXPECT_EQ(hex(pack(Item{"ab", 200})), "92a26162ccc8");
  EXPECT_EQ(hex(pack(Item{"ab", 200}, Form::named)),
            "82a46e616d65a26162ac616d6f756e745f6d696e6f72ccc8");
  EXPECT_EQ(hex(pack(Status::approved)), "01");
  EXPECT_EQ(hex(pack(Status::approved, Form::named)), "a8617070726f766564");
  EXPECT_EQ(hex(pack(std::variant<int, bool>(true))), "9201c3");
  EXPECT_EQ(hex(pack(std::expected<void, int>())), "92c3c0");
  EXPECT_EQ(hex(pack(std::expected<int, int>(std::unexpected(-33)))), "92c2d0df");
  EXPECT_EQ(hex(pack(std::expected<int, int>(5), Form::named)), "81a3246f6b05");
  EXPECT_EQ(hex(pack(std::expected<void, int>(), Form::named)), "81a3246f6bc0");
  EXPECT_EQ(hex(pack(std::expected<int, int>(std::unexpected(-33)), Form::named)),
            "81a6246572726f72d0df");
  EXPECT_EQ(hex(pack(std::vector<std::uint8_t>{7})), "c40107");
  EXPECT_EQ(hex(pack(Duration(65'536))), "ce00010000");
}

TEST(Pack, ReadsOutcomesInBothFormsAndRefusesOthers) {
  // Goal: a reply of a server's rules is told from every other map and array.
  using Outcome = std::expected<int, std::string>;
  for (const Form form : {Form::positional, Form::named}) {
    EXPECT_EQ(unpack<Outcome>(pack(Outcome(5), form)).value(), Outcome(5));
    const Outcome refused = std::unexpected("no");
    EXPECT_EQ(unpack<Outcome>(pack(refused, form)).value(), refused);
  }
  const std::string wanted = "byte 0: expected a map with the one key \"$ok\" or \"$error\"";
  using Map = std::map<std::string, int>;
  for (const Map& map : {Map{}, Map{{"ok", 1}}, Map{{"$ok", 1}, {"$error", 2}}}) {
    EXPECT_EQ(unpack<Outcome>(pack(map)).error().path, "");
    EXPECT_EQ(to_string(unpack<Outcome>(pack(map)).error()), wanted + ", found another map");
  }
  EXPECT_EQ(refusal<Outcome>(pack(std::map<int, int>{{1, 1}})), wanted + ", found another map");
  EXPECT_EQ(unpack<Outcome>(pack(Map{{"$error", 2}})).error().path, "error");
}

TEST(Pack, FieldsMayBeAppended) {
  // Goal: an older and a newer version of a message read each other, in both forms.
  for (const Form form : {Form::positional, Form::named}) {
    const auto newer = unpack<NumberV2>(pack(NumberV1{3}, form));
    ASSERT_TRUE(newer.has_value()) << to_string(newer.error());
    EXPECT_EQ(newer->number, 3);
    EXPECT_EQ(newer->note, "none");
    const auto older = unpack<NumberV1>(pack(NumberV2{4, "x", 5}, form));
    ASSERT_TRUE(older.has_value()) << to_string(older.error());
    EXPECT_EQ(older->number, 4);
  }
  EXPECT_EQ(unpack<NumberV1>(raw("\x90"))->number, 7);
  EXPECT_EQ(unpack<NumberV1>(raw("\x80"))->number, 7);
}

TEST(Unpack, RefusesUnknownFieldsWhereItIsAsked) {
  // Goal: who names fields learns of a misspelt one, at any depth; positional ones are unaffected.
  constexpr Limits known{.known_fields = true};
  const auto wrong = [&](auto blank, BytesView bytes) {
    const auto got = unpack<decltype(blank)>(bytes, known);
    return got ? std::string() : to_string(got.error());
  };
  EXPECT_EQ(wrong(NumberV1{}, raw("\x81\xa6numbre\x01")),
            "byte 1, numbre: expected one of the fields number, found \"numbre\"");
  EXPECT_EQ(wrong(std::vector<NumberV1>(1), raw("\x91\x81\xa4note\x01")),
            "byte 2, [0].note: expected one of the fields number, found \"note\"");
  EXPECT_EQ(wrong(Nothing{}, raw("\x81\xa1x\x01")), "byte 1, x: expected no fields, found \"x\"");
  EXPECT_EQ(wrong(NumberV1{}, pack(NumberV1{3}, Form::named)), "");
  EXPECT_EQ(wrong(NumberV1{}, pack(NumberV2{4, "x", 5})), "");
}

TEST(Pack, HandWrittenPackingIsUsedInsideContainers) {
  // Goal: a type without default constructor and with its own range check packs like any other.
  const Account account{{Money(5), Money(999)}};
  const auto got = unpack<Account>(pack(account));
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->entries.at(1).minor(), 999);
  EXPECT_EQ(refusal<Account>(pack(Account{{Money(5), Money(-1)}})),
            "byte 3, entries[1]: expected an integer of 0..1000000, found -1");
}

TEST(Unpack, ErrorsSayWhereAndWhat) {
  // Goal: offset, path of field names, expected and found, for each kind of misfit.
  const auto tree = [](const char* inner) { return std::string("\x91\x91\x92\x90") + inner; };
  EXPECT_EQ(
      refusal<Tree>(tree("\xa3"
                         "abc")),
      "byte 4, children[0].value: expected an integer of -2147483648..2147483647, found \"abc\"");
  EXPECT_EQ(refusal<std::uint8_t>(pack(256)), "byte 0: expected an integer of 0..255, found 256");
  EXPECT_EQ(refusal<std::int64_t>(pack(~0ull)),
            "byte 0: expected an integer of -9223372036854775808..9223372036854775807, "
            "found 18446744073709551615");
  EXPECT_EQ(refusal<std::uint64_t>(pack(-1)),
            "byte 0: expected an integer of 0..18446744073709551615, found -1");
  EXPECT_EQ(refusal<Status>(pack(3)),
            "byte 0: expected one of pending, approved, rejected, found 3");
  EXPECT_EQ(refusal<Status>(pack(std::string("open"))),
            "byte 0: expected one of pending, approved, rejected, found \"open\"");
  EXPECT_EQ(refusal<Level>(pack(0)), "byte 0: expected one of low, high, found 0");
  EXPECT_EQ(refusal<int>(pack(1.0)).find("byte 0: expected an integer"), 0u);
  EXPECT_EQ(refusal<bool>(pack(1)), "byte 0: expected true or false, found 1");
  EXPECT_EQ(refusal<std::string>(pack(1)), "byte 0: expected a string, found 1");
  EXPECT_EQ(refusal<Item>(pack(1)), "byte 0: expected an array or a map of fields, found 1");
  EXPECT_EQ(refusal<int>(""),
            "byte 0: expected an integer of -2147483648..2147483647, "
            "found the end of the bytes");
  EXPECT_EQ(refusal<int>(raw("\x01\x02")),
            "byte 1: expected the end of the bytes, found 1 bytes more");
  EXPECT_EQ(refusal<std::vector<int>>(raw("\x91\xc1")),
            "byte 1, [0]: expected an integer of -2147483648..2147483647, "
            "found the reserved byte 0xc1");
  EXPECT_EQ(refusal<std::string>(raw("\xd9\x20xy")),
            "byte 0: expected a string, found 32 bytes announced, 2 left");
  EXPECT_EQ(refusal<std::variant<int>>(raw("\x92\x01\x01")),
            "byte 1, [0]: expected an integer of 0..0, found 1");
  EXPECT_EQ((refusal<std::pair<int, int>>(raw("\x91\x01"))),
            "byte 0: expected an array of 2, found an array of 1");
  EXPECT_EQ(refusal<float>(pack(1e300)).find("byte 0: expected a number in the range of float"),
            0u);
  EXPECT_EQ(refusal<Item>(raw("\x82\xa4name\xa1"
                              "a\xa4name\xa1"
                              "b")),
            "byte 8, name: expected each field once, found it repeated");
  EXPECT_EQ((refusal<std::map<int, int>>(raw("\x82\x01\x01\x01\x02"))),
            "byte 3, [1]: expected each key of a map once, found a repeated one");
}

TEST(Unpack, BelievesNoHeader) {
  // Goal: counts and lengths beyond the bytes present are refused before anything is allocated.
  EXPECT_EQ(refusal<std::vector<std::string>>(raw("\xdd\xff\xff\xff\xff")),
            "byte 0: expected 4294967295 values, as announced, found 0 bytes left");
  EXPECT_EQ((refusal<std::map<std::string, int>>(raw("\xdf\x80\x00\x00\x00\x01"))),
            "byte 0: expected 4294967296 values, as announced, found 1 bytes left");
  EXPECT_EQ(refusal<std::vector<std::uint8_t>>(raw("\xc6\xff\xff\xff\xff")),
            "byte 0: expected a string, found 4294967295 bytes announced, 0 left");
  EXPECT_EQ(refusal<std::vector<std::uint8_t>>(raw("\xdd\xff\xff\xff\xff")),
            "byte 0: expected 4294967295 values, as announced, found 0 bytes left");
  EXPECT_EQ(refusal<Nothing>(raw("\x91\xc9\xff\xff\xff\xff\x01")),
            "byte 1, [0]: expected a whole value, found an extension");
}

TEST(Unpack, BoundsDepthAndElements) {
  // Goal: nesting and the number of elements are bounded, of known and of skipped values alike.
  const Limits shallow{.depth = 3};
  EXPECT_TRUE(unpack<Tree>(raw("\x91\x91\x90"), shallow).has_value());
  EXPECT_EQ(
      refusal<Tree>(raw("\x91\x91\x91\x90"), shallow),
      "byte 3, children[0].children: expected nesting of at most 3 levels, found an array of 0");
  const std::string deep(1'000'000, '\x91');
  EXPECT_EQ(refusal<Tree>(deep).find("byte 64, children[0]."), 0u);
  EXPECT_NE(refusal<Nothing>(deep).find("expected nesting of at most 64 levels"),
            std::string::npos);

  Bytes many;
  Packer packer(many);
  packer.array(1001);
  many.append(1001, '\x01');
  EXPECT_TRUE(unpack<std::vector<int>>(many, {.elements = 1001}).has_value());
  EXPECT_EQ(refusal<std::vector<int>>(many, {.elements = 1000}),
            "byte 0: expected no more elements than the limit, found an array of 1001");
  EXPECT_NE(refusal<Nothing>(many, {.elements = 1000}), "accepted");
}

TEST(Pack, RefusesWhatNobodyWouldRead) {
  // Goal: nesting that every decoder refuses fails where it is made.
  Tree tree;
  for (int i = 0; i < 31; ++i) tree = Tree{{tree}, i};  // a level of Tree is two of MessagePack
  EXPECT_TRUE(unpack<Tree>(pack(tree)).has_value());
  tree = Tree{{tree}, 1};
  EXPECT_THROW(pack(tree), std::length_error);
}

TEST(Unpack, NumbersConvertOnlyExactly) {
  // Goal: JSON's 1 may be a double, never the other way round, and no digit is lost.
  EXPECT_EQ(unpack<double>(pack(3)), 3.0);
  EXPECT_EQ(unpack<double>(pack(-3)), -3.0);
  EXPECT_FALSE(unpack<double>(pack((1LL << 53) + 1)).has_value());
  EXPECT_EQ(unpack<float>(pack(0.5)), 0.5F);
  EXPECT_EQ((unpack<std::map<std::uint8_t, int>>(raw("\x81\xa3"
                                                     "255\x01"))),
            (std::map<std::uint8_t, int>{{255, 1}}));
  EXPECT_FALSE((unpack<std::map<std::uint8_t, int>>(raw("\x81\xa3"
                                                        "256\x01"))
                    .has_value()));
  EXPECT_FALSE((unpack<std::map<std::uint8_t, int>>(raw("\x81\xa2"
                                                        "1x\x01"))
                    .has_value()));
  EXPECT_EQ(unpack<std::vector<std::uint8_t>>(raw("\x92\x01\xcc\xff")),
            (std::vector<std::uint8_t>{1, 255}));
}

TEST(Unpack, VoidAndEmptyMessages) {
  // Goal: a reply of nothing is nil, and a message without fields takes what clients send for it.
  EXPECT_TRUE(unpack<void>(pack(std::monostate{})).has_value());
  EXPECT_FALSE(unpack<void>(pack(1)).has_value());
  EXPECT_TRUE(unpack<Nothing>(raw("\xc0")).has_value());
  EXPECT_TRUE(unpack<Nothing>(raw("\x81\xa1x\x01")).has_value());
  EXPECT_FALSE(unpack<Item>(raw("\xc0")).has_value());
}

TEST(Unpack, MutatedBytesNeverBreakIt) {
  // Goal: whatever the bytes, the answer is a value that packs again, or an error inside them.
  SeededRandom random(20'260'101);
  const std::array seeds{pack(full()), pack(full(), Form::named), pack(Coterie{}),
                         pack(Tree{{Tree{}, Tree{{Tree{}}, 3}}, 1})};
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    Bytes bytes = seeds[random.below(seeds.size())];
    for (auto changes = 1 + random.below(4); changes > 0 && !bytes.empty(); --changes) {
      const auto at = static_cast<std::size_t>(random.below(bytes.size()));
      switch (random.below(5)) {
        case 0:
          bytes.resize(at);
          break;
        case 1:
          bytes.insert(at, 1 + random.below(8), static_cast<char>(random.next()));
          break;
        case 2:
          bytes.erase(at, 1 + random.below(8));
          break;
        default:
          bytes[at] = static_cast<char>(random.next());
      }
    }
    const auto check = [&]<class T>(std::type_identity<T>) {
      const auto value = unpack<T>(bytes);
      if (value) {
        ++accepted;
        EXPECT_TRUE(unpack<T>(pack(*value, Form::named)).has_value());
      } else {
        EXPECT_LE(value.error().offset, bytes.size());
      }
    };
    check(std::type_identity<Everything>{});
    check(std::type_identity<Coterie>{});
    check(std::type_identity<Tree>{});
  }
  EXPECT_GT(accepted, 1000);
}

TEST(Unpack, RandomBytesNeverBreakIt) {
  // Goal: the same for bytes without any structure.
  SeededRandom random(7);
  for (int round = 0; round < 20'000; ++round) {
    Bytes bytes(static_cast<std::size_t>(random.below(64)), '\0');
    for (char& c : bytes) c = static_cast<char>(random.next());
    if (const auto value = unpack<Everything>(bytes); !value) {
      EXPECT_LE(value.error().offset, bytes.size());
    }
    Unpacker unpacker(bytes);
    if (!unpacker.skip()) {
      EXPECT_LE(unpacker.error().offset, bytes.size());
    }
  }
}

}  // namespace
}  // namespace coterie
