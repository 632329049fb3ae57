#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include <coterie/pack_msgpack.hpp>

#include "process/seeded_random.hpp"

namespace coterie {
namespace {

// The same fields, once ours and once msgpack-c's.
struct Ours {
  bool yes = true;
  std::int64_t number = 0;
  std::uint64_t big = 0;
  double real = 0;
  std::string text;
  std::vector<std::int32_t> numbers;
  std::map<std::string, std::int64_t> table;
  std::vector<std::uint8_t> blob;
};
struct Theirs {
  bool yes = false;
  std::int64_t number = 0;
  std::uint64_t big = 0;
  double real = 0;
  std::string text;
  std::vector<std::int32_t> numbers;
  std::map<std::string, std::int64_t> table;
  std::vector<std::uint8_t> blob;
  MSGPACK_DEFINE(yes, number, big, real, text, numbers, table, blob)
};
struct TheirsNamed : Theirs {
  MSGPACK_DEFINE_MAP(yes, number, big, real, text, numbers, table, blob)
};

class Point {
 public:
  Point() = default;
  Point(int x, int y) : x_(x), y_(y) {}
  int sum() const { return x_ + y_; }
  MSGPACK_DEFINE(x_, y_)

 private:
  int x_ = 0;
  int y_ = 0;
};
struct Path {
  std::vector<Point> points;
  std::string name;
};

Ours drawn(SeededRandom& random) {
  const auto number = [&] { return static_cast<std::int64_t>(random.next() >> random.below(64)); };
  const auto text = [&] {
    return std::string(
        static_cast<std::size_t>(random.below(4) == 0 ? random.below(70'000) : random.below(40)),
        'x');
  };
  Ours ours;
  ours.number = random.below(2) == 0 ? number() : -number();
  ours.big = random.next();
  ours.real = static_cast<double>(number() >> 14) + 0.5;
  ours.text = text();
  for (auto n = random.below(random.below(8) == 0 ? 70'000 : 20); n > 0; --n) {
    ours.numbers.push_back(static_cast<std::int32_t>(number()));
  }
  for (auto n = random.below(30); n > 0; --n) ours.table[std::to_string(n)] = number();
  ours.blob.resize(static_cast<std::size_t>(random.below(300)), 200);
  return ours;
}

template <class A, class B>
void expect_same(const A& a, const B& b) {
  EXPECT_EQ(a.yes, b.yes);
  EXPECT_EQ(a.number, b.number);
  EXPECT_EQ(a.big, b.big);
  EXPECT_EQ(a.real, b.real);
  EXPECT_TRUE(a.text == b.text);
  EXPECT_TRUE(a.numbers == b.numbers);
  EXPECT_EQ(a.table, b.table);
  EXPECT_EQ(a.blob, b.blob);
}

TEST(PackMsgpack, ReadsAndWritesWhatMsgpackCDoes) {
  // Goal: byte for byte the encoding of msgpack-c, positional and named, in both directions.
  SeededRandom random(3);
  for (int round = 0; round < 200; ++round) {
    const Ours ours = drawn(random);

    const Bytes bytes = pack(ours);
    const auto handle = msgpack::unpack(bytes.data(), bytes.size());
    Theirs theirs;
    handle.get().convert(theirs);
    expect_same(theirs, ours);

    msgpack::sbuffer buffer;
    msgpack::pack(buffer, theirs);
    EXPECT_TRUE(bytes == Bytes(buffer.data(), buffer.size())) << "round " << round;
    const auto back = unpack<Ours>({buffer.data(), buffer.size()});
    ASSERT_TRUE(back.has_value()) << to_string(back.error());
    expect_same(*back, ours);

    const Bytes named = pack(ours, Form::named);
    TheirsNamed theirs_named;
    msgpack::unpack(named.data(), named.size()).get().convert(theirs_named);
    expect_same(theirs_named, ours);
  }
}

TEST(PackMsgpack, ReadsItsShortWholeNumbers) {
  // Goal: msgpack-c writes 3.0 as the integer 3; such doubles come back bit by bit.
  for (const double real : {0.0, 3.0, -7.0, 0x1p53, 0x1p62, -0x1p63, 0x1.8p63, 1e18, 1e300, 0.1}) {
    msgpack::sbuffer buffer;
    msgpack::pack(buffer, real);
    EXPECT_EQ(unpack<double>({buffer.data(), buffer.size()}), real);
  }
}

TEST(PackMsgpack, ClassesWithMsgpackDefineStandInMessages) {
  // Goal: MSGPACK_DEFINE is enough for a class with private members, inside containers too.
  const Path path{{Point(1, 2), Point(3, 4)}, "p"};
  for (const Form form : {Form::positional, Form::named}) {
    const auto got = unpack<Path>(pack(path, form));
    ASSERT_TRUE(got.has_value()) << to_string(got.error());
    EXPECT_EQ(got->points.at(1).sum(), 7);
    EXPECT_EQ(got->name, "p");
  }
}

TEST(PackMsgpack, ErrorsOfMsgpackCAreErrorsAtTheirPlace) {
  // Goal: no exception of msgpack-c escapes, and hostile headers never reach it.
  const auto wrong = unpack<Path>(pack(std::tuple<std::vector<std::string>, int>({"x"}, 1)));
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(to_string(wrong.error()),
            "byte 2, points[0]: expected the fields of MSGPACK_DEFINE, found another type");
  const auto hostile = unpack<Point>(BytesView("\xdd\xff\xff\xff\xff", 5));
  ASSERT_FALSE(hostile.has_value());
  EXPECT_EQ(to_string(hostile.error()),
            "byte 0: expected 4294967295 values, as announced, found 0 bytes left");
}

}  // namespace
}  // namespace coterie
