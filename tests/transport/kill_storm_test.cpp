// A node that is killed without a word, run after run, while others call it and watch it.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <set>

#include <coterie/gen_server.hpp>

#include "tests/sanitizer.hpp"
#include "tests/transport/real_node.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using testing::eventually;
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

/// One run of node b, in a program of its own: it waits until it is told to begin.
class NodeRun {
 public:
  explicit NodeRun(std::uint64_t counter) {
    int to[2], from[2];
    if (::pipe(to) != 0 || ::pipe(from) != 0) std::abort();
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
      if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent) ::_exit(1);
      serve(counter, to[0], from[1]);
    }
    ::close(to[0]);
    ::close(from[1]);
    in_ = from[0], out_ = to[1];
  }
  NodeRun(NodeRun&& other) noexcept
      : pid_(std::exchange(other.pid_, 0)), in_(other.in_), out_(other.out_) {}
  ~NodeRun() {
    if (pid_ == 0) return;
    kill();
    ::close(in_);
    ::close(out_);
  }
  /// Its address.
  std::string begin(const std::string& others_address) {
    write_line(out_, others_address);
    return read_line(in_);
  }
  void kill() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  static void write_line(int descriptor, std::string text) {
    text.resize(64, '\0');
    if (::write(descriptor, text.data(), text.size()) != 64) ::_exit(1);
  }
  static std::string read_line(int descriptor) {
    std::string text(64, '\0');
    if (::read(descriptor, text.data(), text.size()) != 64) ::_exit(1);
    return text.c_str();
  }
  [[noreturn]] static void serve(std::uint64_t counter, int in, int out) {
    const std::string a = read_line(in);
    RealNode node("b", {}, {}, counter);
    if (!node.complete([] {
          if (!GenServer::start<Server>({.name = local("server")})) ::_exit(1);
        })) {
      ::_exit(1);
    }
    node.links->set_members({{"a", a, ""}});
    write_line(out, node.links->address());
    for (;;) ::pause();
  }

  pid_t pid_ = 0;
  int in_ = -1, out_ = -1;
};

// Goal: whoever watches a process of a node that is killed has one Down, with the reason that the
// connection is lost, in each run of the node; every call ends; nothing of a run is left.
TEST(KillStorm, EveryMonitorHasItsOneDown) {
  std::vector<NodeRun> nodes;  // before this program has threads
  for (std::uint64_t i = 1; i <= runs; ++i) nodes.emplace_back(i);
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
    NodeRun& node = nodes[run - 1];
    a.links->set_members({{"b", node.begin(a.links->address()), ""}});
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
