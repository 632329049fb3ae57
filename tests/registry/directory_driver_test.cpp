// The members' directory on real threads, where the links do not do what one hopes; and its
// messages as bytes.

#include <gtest/gtest.h>

#include "registry/directory_driver.hpp"
#include "tests/registry/names_driver_fixture.hpp"

namespace coterie::testing {
namespace {

using namespace std::chrono_literals;
using directory::Ask;
using directory::Claim;
using directory::Claims;
using directory::Code;
using directory::Message;
using directory::Relayed;
using directory::Told;
using directory::Want;
using directory::What;

// b is the primary of everything; its link to a can be full, and lose what is sent.
class DirectoryDriverTest : public NamesDriverFixture {
 protected:
  DirectoryDriverTest() {
    both->members["a"].draining = true;
    a.view_installed(both);
    b.view_installed(both);
  }
  DirectoryDriver::Options options(const char* name) {
    DirectoryDriver::Options made;
    made.directory.node = name;
    made.directory.incarnation = incarnation_of(name);
    made.directory.lease_end = [this] { return lease_end.load(); };
    made.directory.resend_after = 5ms;
    made.directory.silent_after = 10ms;
    made.held_bytes = 4096;
    return made;
  }
  DirectoryDriver::Surroundings around(DirectoryDriver& other, const char* own) {
    return {.send =
                [this, &other, from = incarnation_of(own).id](NodeId, Bytes& bytes) {
                  if (full) return SendResult::busy;
                  ++carried;
                  EXPECT_TRUE(lost || other.received(from, bytes));
                  return SendResult::sent;
                },
            .newer_view = [this] { ++hints; },
            .silent = [this](NodeId node, bool is) { silent = is ? node : NodeId::none; },
            .notice = [](std::string_view text) { ADD_FAILURE() << text; }};
  }

  std::atomic<Time> lease_end = Time::max();
  std::atomic<bool> full = false, lost = false;
  std::atomic<int> carried = 0;
  std::atomic<NodeId> silent = NodeId::none;
  DirectoryDriver a{options("a"), clock, executor, around(b, "a")};
  DirectoryDriver b{options("b"), clock, executor, around(a, "b")};
};

// Goal: what a full window refuses waits in order and is sent when there is room; what is too much
// for that, and what is lost, is asked again.
TEST_F(DirectoryDriverTest, full_and_lossy_links_cost_time_only) {
  full = true;
  std::atomic<int> answers = 0;
  for (int i = 0; i < 200; ++i) {
    a.reserve("contracts", std::to_string(i), on_a, clock.now() + 10s,
              [&](auto registration) { answers += registration ? 1 : 1000; });
  }
  EXPECT_EQ(reserve(a, "x", on_a, 30ms).error().code, NameError::Code::unavailable);
  EXPECT_EQ(answers, 0);
  lost = true;
  full = false;
  a.writable();
  EXPECT_EQ(lookup(a, "0", 30ms).error().code, NameError::Code::unavailable);
  lost = false;
  EXPECT_TRUE(eventually([&] { return answers == 200; })) << answers;
  EXPECT_TRUE(eventually([&] { return a.changes_pending() == 0; }));  // x is given back
  EXPECT_TRUE(reserve(b, "x", on_b));
}

// Goal: without a lease a node takes no name and its directory answers no look-up; with it both.
TEST_F(DirectoryDriverTest, nothing_counts_without_a_lease) {
  const auto kept = reserve(a, "kept", on_a);
  ASSERT_TRUE(kept && confirm(a, "kept", *kept));
  lease_end = Time::min();
  EXPECT_EQ(reserve(a, "x", on_a, 30ms).error().code, NameError::Code::unavailable);
  EXPECT_EQ(lookup(b, "kept", 30ms).error().code, NameError::Code::unavailable);
  lease_end = Time::max();
  EXPECT_TRUE(reserve(a, "x", on_a));
  EXPECT_EQ(lookup(b, "kept")->epoch, kept->epoch);
}

// Goal: a member that never says what it holds is told of; the names wait for it, and go on when it
// has spoken.
TEST_F(DirectoryDriverTest, a_silent_member_is_told_of) {
  lost = true;
  auto three = std::make_shared<View>(*both);
  three->number = 2;
  three->members["a"].draining = false;
  three->members["b"].draining = true;
  a.view_installed(three);
  b.view_installed(three);
  EXPECT_TRUE(eventually([&] { return silent == incarnation_of("b").id; }));
  EXPECT_EQ(reserve(a, "x", on_a, 30ms).error().code, NameError::Code::unavailable);
  lost = false;
  EXPECT_TRUE(reserve(a, "x", on_a));
  EXPECT_EQ(silent, NodeId::none);
}

// Goal: what waits for a window goes as one message when there is room, however small the window.
TEST_F(DirectoryDriverTest, what_waits_goes_together) {
  full = true;
  std::atomic<int> answers = 0;
  for (int i = 0; i < 100; ++i) {
    a.lookup("contracts", std::to_string(i), clock.now() + 10s, [&](auto) { ++answers; });
  }
  const int before = carried;
  full = false;
  a.writable();
  EXPECT_TRUE(eventually([&] { return answers == 100; }));
  EXPECT_LE(carried - before, 20);  // there and back, and what was sent again meanwhile
}

// Goal: what waits for a window of a session that is lost is not waited for in the next one.
TEST_F(DirectoryDriverTest, a_new_session_goes_on) {
  full = true;
  EXPECT_EQ(lookup(a, "x", 30ms).error().code, NameError::Code::unavailable);
  full = false;  // of another session: nobody calls writable()
  a.disconnected(incarnation_of("b").id);
  a.connected(incarnation_of("b").id);
  EXPECT_TRUE(reserve(a, "x", on_a));
}

// Goal: who is in no view is not heard.
TEST_F(DirectoryDriverTest, strangers_are_not_heard) {
  const auto kept = reserve(a, "kept", on_a);
  ASSERT_TRUE(kept && confirm(a, "kept", *kept));
  directory::MessageWriter writer;
  writer.add(Ask{1, What::release, kept->id, name_requests::name_of("contracts", "kept"), 0});
  writer.add(Ask{1, What::reserve, 77, name_requests::name_of("contracts", "x"), 9});
  EXPECT_TRUE(b.received(NodeId{99}, writer.take()));
  EXPECT_EQ(lookup(b, "kept")->epoch, kept->epoch);
  EXPECT_TRUE(reserve(a, "x", on_a));
}

// Goal: nobody is called once it is gone, whatever is under way.
TEST_F(DirectoryDriverTest, ends_while_it_is_asked) {
  std::atomic<bool> gone = false;
  {
    DirectoryDriver c{options("c"), clock, executor, around(a, "c")};
    for (int i = 0; i < 100; ++i) {
      c.reserve("contracts", std::to_string(i), on_a, clock.now() + 1ms,
                [&](auto) { EXPECT_FALSE(gone); });
    }
  }
  gone = true;
}

// Goal: every message comes back as it was.
TEST(DirectoryCodec, carries_every_message) {
  const Pid pid{NodeId{0xFEDC'BA98'7654'3210}, 1ull << 40};
  const Epoch epoch{7, (1ull << 40) + 3};
  const Want want{11, 12, {0, 7, 255}};
  const Claims claims{9, true, {{"1:a/b", 5, 6, epoch, true}, {"", 0, 0, {}, false}}};
  directory::MessageWriter writer;
  writer.add(Ask{3, What::confirm, 4, "contracts", 5});
  writer.add(Told{3, What::reserve, 4, Code::taken, pid, epoch});
  writer.add(claims);
  writer.add(want);
  writer.add(Relayed{NodeId{1}, NodeId{2}, claims});
  writer.add(Relayed{NodeId{2}, NodeId{1}, want});
  const Bytes bytes = writer.take();
  const auto read = directory::decode(bytes);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 6u);
  directory::MessageWriter again;
  for (const Message& message : *read) again.add(message);
  EXPECT_EQ(again.take(), bytes);
  const auto& asked = std::get<Ask>((*read)[0]);
  EXPECT_EQ(asked.what, What::confirm);
  EXPECT_EQ(asked.name, "contracts");
  const auto& told = std::get<Told>((*read)[1]);
  EXPECT_EQ(told.code, Code::taken);
  EXPECT_EQ(told.pid, pid);
  EXPECT_EQ(told.epoch, epoch);
  const auto& relayed = std::get<Relayed>((*read)[4]);
  EXPECT_EQ(std::get<Claims>(relayed.message).claims.front().name, "1:a/b");
  EXPECT_EQ(std::get<Want>((*read)[3]).partitions, want.partitions);

  // Cut anywhere, it is a message less or nothing.
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto cut = directory::decode(BytesView(bytes).substr(0, size));
    EXPECT_TRUE(!cut || cut->size() < 6);
  }
}

// Goal: bytes from anywhere are refused, and cost what they are long.
TEST(DirectoryCodec, refuses_what_does_not_fit) {
  EXPECT_FALSE(directory::decode(""));
  EXPECT_TRUE(directory::decode(std::string("\x02\x04\x01\x01\x00", 5)));
  EXPECT_FALSE(directory::decode(std::string("\x03\x04\x01\x01\x00", 5)));  // of a later format
  EXPECT_FALSE(directory::decode("\x02\x06\x01"));                          // no such message
  EXPECT_FALSE(directory::decode("\x02\x05\x01\x02\x05\x01\x02\x04\x01"));  // relayed twice
  EXPECT_FALSE(directory::decode("\x02\x04\x01\x01\xFF\xFF\xFF\xFF\x0F"));
  std::uint64_t state = 1;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(1, '\x02');
    while ((state = state * 6364136223846793005u + 1442695040888963407u) >> 59 != 0) {
      bytes += static_cast<char>(state >> 33 & (bytes.size() == 1 ? 7 : 255));
    }
    const auto read = directory::decode(bytes);
    EXPECT_TRUE(!read || read->size() < bytes.size());
  }
}

}  // namespace
}  // namespace coterie::testing
