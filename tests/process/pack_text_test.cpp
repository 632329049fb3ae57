#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>

#include <coterie/term.hpp>

#include "process/base64.hpp"
#include "process/json.hpp"
#include "process/seeded_random.hpp"

namespace coterie {
namespace {

enum class Status : std::uint8_t { pending, approved };

struct CreatePledge {
  static constexpr std::string_view type_name = "pledges.create_pledge";
  std::string name = "moe";
  int amount = 20;
};
struct Get {
  static constexpr std::string_view type_name = "counter.get";
};
struct Item {
  std::string name;
  int count = 0;
};
struct Rich {
  static constexpr std::string_view type_name = "rich";
  Status status = Status::approved;
  std::vector<Item> items{{"a", 1}, {"b", 2}};
  std::optional<int> none;
  std::optional<bool> some = true;
  std::map<std::string, double> rates{{"x", 1}, {"y", 0.5}};
  std::variant<int, std::string> either = "s";
  std::expected<int, std::string> good = 3;
  std::expected<void, std::string> bad = std::unexpected("no");
  std::vector<std::uint8_t> blob{1, 255};
  Pid pid{NodeId::none, 3};
  ExitReason reason = ExitReason::shutdown("fenced");
};

template <class T>
std::expected<T, UnpackError> from_json(std::string_view json) {
  const auto packed = packed_from_json(json);
  if (!packed) return std::unexpected(UnpackError{0, {}, "JSON", packed.error()});
  return unpack<T>(*packed);
}

std::string error_of(std::string_view json, Limits limits = {}) {
  const auto packed = packed_from_json(json, limits);
  return packed ? "accepted" : packed.error();
}

std::string again(std::string_view json) {
  const auto packed = packed_from_json(json);
  return packed ? json_from_packed(*packed).value_or("no JSON") : packed.error();
}

TEST(Term, ReadsLikeErlang) {
  // Goal: traces show a message as the tuple that Erlang would have sent.
  EXPECT_EQ(to_term(CreatePledge{}), R"({create_pledge,<<"moe">>,20})");
  EXPECT_EQ(to_term(Get{}), "get");
  EXPECT_EQ(to_term(Rich{}),
            R"({rich,approved,[{<<"a">>,1},{<<"b">>,2}],nil,true,)"
            R"(#{<<"x">> => 1.0,<<"y">> => 0.5},<<"s">>,{ok,3},{error,<<"no">>},<<1,255>>,)"
            R"(<0.3.0>,{shutdown,fenced}})");
  EXPECT_EQ(to_term(std::string("a\"\\\n\x01\xc3\xa9")), "<<\"a\\\"\\\\\\n\\x01\xc3\xa9\">>");
  EXPECT_EQ(to_term(std::monostate{}), "nil");
  EXPECT_EQ(to_term(ServerRef(via("contracts", "7"))), "contracts/7");
}

TEST(Term, IsBounded) {
  // Goal: a trace line costs its bound, not its message, and says that it was cut.
  EXPECT_EQ(to_term(std::string(1'000'000, 'x'), 8), "<<\"xxxxx...");
  EXPECT_EQ(to_term(std::vector<int>(1'000'000, 7), 6), "[7,7,7...");
  EXPECT_EQ(to_term(CreatePledge{}, 28), R"({create_pledge,<<"moe">>,20})");
}

TEST(Json, WritesNamedFields) {
  // Goal: what a client reads has field and enumerator names.
  EXPECT_EQ(to_json(CreatePledge{}), R"({"name":"moe","amount":20})");
  EXPECT_EQ(to_json(Get{}), "{}");
  EXPECT_EQ(to_json(Rich{}),
            R"({"status":"approved","items":[{"name":"a","count":1},{"name":"b","count":2}],)"
            R"("none":null,"some":true,"rates":{"x":1.0,"y":0.5},"either":[1,"s"],)"
            R"("good":{"$ok":3},"bad":{"$error":"no"},"blob":{"$base64":"Af8="},)"
            R"("pid":{"node":0,"serial":3},)"
            R"("reason":{"kind":"shutdown","term":"fenced","what":"","trace":"",)"
            R"("confirmed":false}})");
}

TEST(Json, ReadsWhatItWritesAndWhatPeopleWrite) {
  // Goal: a message survives JSON, and a client may leave out fields.
  const auto rich = from_json<Rich>(to_json(Rich{}));
  ASSERT_TRUE(rich.has_value()) << to_string(rich.error());
  EXPECT_EQ(to_term(*rich), to_term(Rich{}));
  const auto pledge = from_json<CreatePledge>(R"( { "amount" : 30, "unknown": [1, {}] } )");
  ASSERT_TRUE(pledge.has_value());
  EXPECT_EQ(pledge->name, "moe");
  EXPECT_EQ(pledge->amount, 30);
  EXPECT_TRUE(from_json<Get>("null").has_value());
}

TEST(Json, KeepsEveryInteger) {
  // Goal: 64-bit amounts are exact; what does not fit is refused, never rounded.
  for (const char* text : {"9223372036854775807", "-9223372036854775808", "18446744073709551615",
                           "9007199254740993", "0", "-1"}) {
    EXPECT_EQ(again(text), text);
  }
  EXPECT_EQ(error_of("18446744073709551616"),
            "expected an integer of 64 bits, found 18446744073709551616");
  EXPECT_EQ(error_of("[-9223372036854775809]"),
            "expected an integer of 64 bits, found -9223372036854775809");
  EXPECT_FALSE(from_json<CreatePledge>(R"({"amount":2.0})").has_value());
  EXPECT_EQ((to_json(std::map<std::int64_t, int>{{-3, 1}})), R"({"-3":1})");
  EXPECT_EQ((from_json<std::map<std::int64_t, int>>(R"({"-3":1})")),
            (std::map<std::int64_t, int>{{-3, 1}}));
}

TEST(Json, MarksWhatItHasNoWordFor) {
  // Goal: binary data, text that is not UTF-8, NaN and infinities come back as they were.
  const std::string broken = "a\xff";
  EXPECT_EQ(to_json(broken), R"({"$base64":"Yf8="})");
  EXPECT_EQ(from_json<std::string>(to_json(broken)), broken);
  EXPECT_EQ(to_json(std::numeric_limits<double>::infinity()), R"({"$real":"inf"})");
  EXPECT_EQ(again(R"([{"$real":"-inf"},{"$base64":""},{"$base64":"AA==","x":1}])"),
            R"([{"$real":"-inf"},{"$base64":""},{"$base64":"AA==","x":1}])");
  EXPECT_TRUE(std::isnan(*from_json<double>(R"({"$real":"nan"})")));
  EXPECT_EQ(error_of(R"({"$base64":"AB=="})"),
            "$base64: expected base64 with padding, found other text");
  EXPECT_EQ(error_of(R"({"$real":"1"})"), "$real: expected nan, inf or -inf, found 1");
  EXPECT_FALSE(json_from_packed(BytesView("\xd4\x01\x02", 3)).has_value());
}

TEST(Json, ErrorsSayWhereAndWhat) {
  // Goal: a person at a shell sees line, column and what was expected.
  EXPECT_EQ(error_of("{\n \"a\" 1}").find("line 2, column 6: syntax error"), 0u);
  EXPECT_EQ(error_of("").find("line 1, column 1: "), 0u);
  EXPECT_EQ(error_of("1 2").find("line 1, column 3: "), 0u);
  EXPECT_NE(error_of("\"\xff\""), "accepted");
  EXPECT_EQ(error_of("1e999").find("number overflow"), 0u);
  EXPECT_EQ(error_of(std::string(100'000, '[')),
            "expected nesting of at most 64 levels, found more");
  EXPECT_EQ(error_of("[1,2,3]", {.elements = 2}), "expected no more than 2 elements, found more");
}

TEST(Json, BigContainersAreWhole) {
  // Goal: headers that are inserted afterwards have the right size at every width.
  for (const std::size_t count : {0u, 15u, 16u, 65'535u, 65'536u}) {
    const std::vector<int> numbers(count, 1);
    EXPECT_EQ(packed_from_json(to_json(numbers)), pack(numbers));
  }
}

TEST(Json, MutatedInputNeverBreaksIt) {
  // Goal: any bytes and any text end in a value or an error.
  SeededRandom random(11);
  const Bytes packed = pack(Rich{}, Form::named);
  const std::string json = to_json(Rich{});
  const auto mutate = [&](std::string text) {
    for (auto changes = 1 + random.below(3); changes > 0; --changes) {
      text[static_cast<std::size_t>(random.below(text.size()))] = static_cast<char>(random.next());
    }
    return text;
  };
  int accepted = 0;
  for (int round = 0; round < 3'000; ++round) {
    if (const auto text = json_from_packed(mutate(packed))) {
      EXPECT_TRUE(packed_from_json(*text).has_value()) << *text;
      ++accepted;
    }
    if (const auto bytes = packed_from_json(mutate(json))) {
      EXPECT_TRUE(json_from_packed(*bytes).has_value());
    }
  }
  EXPECT_GT(accepted, 100);
}

TEST(Base64, RoundTripsAndRefusesOtherText) {
  // Goal: RFC 4648's vectors both ways; nothing that it does not write is read.
  const std::pair<const char*, const char*> vectors[] = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(to_base64(bytes), text);
    EXPECT_EQ(from_base64(text), bytes);
  }
  for (const char* wrong : {"Zg", "Zg=", "Zh==", "Z===", "====", "Zg==Zg==", "Z g=", "Zm9*"}) {
    EXPECT_EQ(from_base64(wrong), std::nullopt) << wrong;
  }
}

}  // namespace
}  // namespace coterie
