// A node that is killed without a word, run after run, while others call it and watch it.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <set>

#include <coterie/gen_server.hpp>

#include "tests/sanitizer.hpp"
#include "tests/transport/other_program.hpp"
#include "tests/transport/real_node.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using testing::eventually;
using testing::Lines;
using testing::OtherProgram;
using testing::RealNode;

constexpr std::uint64_t runs = 20;
constexpr std::size_t watchers = 8, monitors_each = 200 / test::work_divisor, callers = 8;

class Server final : public GenServer {
 public:
  struct Ask {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "kill.ask";
    std::int64_t number = 0;
  };
  struct Note {
    static constexpr std::string_view type_name = "kill.note";
    Bytes ballast;
  };
  using Calls = Messages<Ask>;
  using Casts = Messages<Note>;
  std::int64_t handle_call(const Ask& ask) { return ask.number; }
  void handle_cast(const Note&) {}
};

/// One run of node b: it waits until it is told to begin.
OtherProgram run_of_b(std::uint64_t counter) {
  return OtherProgram([counter](const Lines& lines) {
    const std::string a = lines.hear();
    RealNode node("b", {}, {}, counter);
    if (!node.complete([] {
          if (!GenServer::start<Server>({.name = local("server")})) ::_exit(1);
        })) {
      ::_exit(1);
    }
    node.links->set_members({{"a", a, ""}});
    lines.say(node.links->address());
    for (;;) ::pause();
  });
}

// Goal: whoever watches a process of a node that is killed has one Down, with the reason that the
// connection is lost, in each run of the node; every call ends; nothing of a run is left.
TEST(KillStorm, EveryMonitorHasItsOneDown) {
  std::vector<OtherProgram> nodes;  // before this program has threads
  for (std::uint64_t i = 1; i <= runs; ++i) nodes.push_back(run_of_b(i));
  RealNode a("a");

  std::atomic<std::uint64_t> downs{0}, strange{0}, answered{0}, unanswered{0};
  std::atomic<std::size_t> watching{0}, working{0};
  std::atomic<bool> over{false};
  for (std::size_t i = 0; i < callers; ++i) {
    ++working;
    a.run([&, i] {
      while (!over) {
        if (i % 2 == 0) cast(at("server", "b"), Server::Note{Bytes(i * 10'000, 'x')});
        const bool done = call(at("server", "b"), Server::Ask{1}, 60s).has_value();
        ++(done ? answered : unanswered);
        if (!done) sleep(1ms);
      }
      --working;
    });
  }
  for (std::uint64_t run = 1; run <= runs; ++run) {
    OtherProgram& node = nodes[run - 1];
    node.lines().say(a.links->address());
    a.links->set_members({{"b", node.lines().hear(), ""}});
    ASSERT_TRUE(eventually([&] { return a.links->connected("b") != NodeId::none; })) << run;
    const std::uint64_t before = answered;
    ASSERT_TRUE(eventually([&] { return answered > before; })) << run;
    watching = 0;
    for (std::size_t i = 0; i < watchers; ++i) {
      ++working;
      a.run([&] {
        std::set<Ref> open;
        while (open.size() < monitors_each) open.insert(monitor(at("server", "b")));
        ++watching;
        const auto hear = [&](Duration wait) {
          return receive(
              [&](const Down& down) {
                const bool lost = down.reason.kind() == ExitReason::Kind::noconnection;
                if (open.erase(down.ref) != 1 || !lost) ++strange;
                ++downs;
                return true;
              },
              after(wait, [] { return false; }));
        };
        while (!open.empty() && hear(60s)) {
        }
        if (hear(20ms)) ++strange;
        --working;
      });
    }
    ASSERT_TRUE(eventually([&] { return watching == watchers; })) << run;
    node.kill();
    ASSERT_TRUE(eventually([&] { return downs == run * watchers * monitors_each; }, 60s))
        << "in run " << run << ": " << downs;
    ASSERT_TRUE(eventually([&] { return a.links->connected("b") == NodeId::none; })) << run;
  }
  over = true;
  ASSERT_TRUE(eventually([&] { return working == 0; }, 60s));
  EXPECT_EQ(strange, 0u);
  EXPECT_EQ(downs, runs * watchers * monitors_each);
  const auto tables = a.runtime.remote_tables();
  EXPECT_EQ(tables.calls + tables.monitors + tables.watchers + tables.links, 0u);
  std::printf("%llu runs: %llu Downs, %llu calls answered, %llu not\n",
              static_cast<unsigned long long>(runs), static_cast<unsigned long long>(downs),
              static_cast<unsigned long long>(answered),
              static_cast<unsigned long long>(unanswered));
}

}  // namespace
}  // namespace coterie
