// Global names and locks on whole simulated nodes: what OTP's global_SUITE checks where it makes
// sense, and what strict names add: one owner, also while the cluster is cut in two.

#include <gtest/gtest.h>

#include <coterie/application.hpp>
#include <coterie/cluster_child.hpp>
#include <coterie/dynamic_supervisor.hpp>
#include <coterie/gen_server.hpp>
#include <coterie/global.hpp>
#include <coterie/name_monitor.hpp>

#include "sim/sim_cluster.hpp"
#include "tests/process/run_on.hpp"

namespace coterie::test {
namespace {

using namespace std::chrono_literals;
using Code = Global::Error::Code;
using Strings = std::vector<std::string>;

struct Which {
  using Reply = std::string;
  static constexpr std::string_view type_name = "test.which";
};
struct Note {
  static constexpr std::string_view type_name = "test.note";
};
class Server final : public GenServer {
 public:
  using Calls = Messages<Which>;
  using Infos = Messages<Note>;
  explicit Server(int* notes = nullptr) : notes_(notes) {}
  std::string handle_call(const Which&) { return node_name() + " " + to_string(info().epoch); }
  void handle_info(const Note&) { ++*notes_; }

 private:
  int* notes_;
};

/// A child of cluster scope: any node has it, the next one after that is lost.
class Counter final : public GenServer {
 public:
  struct Add {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "counters.add";
  };
  using Calls = Messages<Add>;
  Counter(std::string, NoArguments) {}
  std::int64_t handle_call(const Add&) { return ++count_; }

 private:
  std::int64_t count_ = 0;
};

Application counters() {
  return {.name = "counters",
          .kinds = {{.kind = kind<Counter, NoArguments>("counters"),
                     .starting_message = "counters.add"}}};
}

/// With the engine of that cluster file.
class GlobalNodes : public testing::TestWithParam<std::string> {
 protected:
  GlobalNodes() {
    for (const std::string& name : all_) EXPECT_TRUE(cluster_.host(name).start());
    EXPECT_TRUE(world_.run_until([&] { return cluster_.whole(all_); }, 20s));
  }
  ~GlobalNodes() override {
    for (const auto& violation : cluster_.violations()) ADD_FAILURE() << violation.text;
  }
  static ClusterConfig read_config() {
    auto loaded = load_config(COTERIE_SOURCE_DIR "/cluster-configs/" + GetParam() + "-3.toml");
    EXPECT_TRUE(loaded) << to_string(loaded.error());
    for (NodeSection& node : loaded->nodes) node.kinds = {"counters"};
    return *std::move(loaded);
  }
  detail::Runtime& runtime(const std::string& node) {
    return *cluster_.host(node).run()->parts()->runtime();
  }
  Pid begin(const std::string& node, std::move_only_function<void()> body) {
    return run_on(runtime(node), std::move(body));
  }
  void on(const std::string& node, std::move_only_function<void()> body, Duration most = 60s) {
    const auto done = std::make_shared<bool>(false);
    begin(node, [done, body = std::move(body)]() mutable {
      body();
      *done = true;
    });
    ASSERT_TRUE(world_.run_until([&] { return *done; }, most)) << "it never ended";
  }
  Pid server(const std::string& node, int* notes = nullptr) {
    Pid pid;
    on(node, [&] { pid = GenServer::start<Server>({}, notes).value(); });
    return pid;
  }
  /// Only `node` is cut off: from the others and from the store.
  void isolate(const std::string& node, bool cut) {
    for (const std::string& other : all_) {
      if (other == node) continue;
      cluster_.links().cut(node, other, cut);
      cluster_.links().cut(other, node, cut);
    }
    cluster_.host(node).disk().away = cut;
  }

  const ClusterConfig config_ = read_config();
  const Strings all_{"a", "b", "c"};
  sim::SimWorld world_{1};
  sim::SimCluster cluster_{world_, config_, {counters()}};
};

// Goal: a name is one process's, on all nodes, until it is taken back or the process ends.
TEST_P(GlobalNodes, RegistersProcessesOfAnyNode) {
  int notes = 0;
  const Pid here = server("a", &notes), there = server("b");
  Epoch first;
  on("a", [&] {
    EXPECT_EQ(Global::whereis_name("x").error().code, Code::not_found);
    first = Global::register_name("x", here).value();
    const auto taken = Global::register_name("x", there);
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code, Code::taken);
    EXPECT_EQ(taken.error().holder, here);
    EXPECT_EQ(Global::register_name("other", here).error().code, Code::has_name);
    Global::register_name("y", there).value();
    EXPECT_EQ(call(global("x"), Which{}).value(), "a " + to_string(first));
  });
  on("c", [&] {
    EXPECT_EQ(Global::whereis_name("x").value(), here);
    EXPECT_EQ(Global::registered_names(), (Strings{"x", "y"}));
    EXPECT_TRUE(Global::send("x", Note{}));
    EXPECT_EQ(call(global("x"), Which{}).value(), "a " + to_string(first));
    EXPECT_FALSE(Global::send("nobody", Note{}));
    // Taken back from elsewhere; the process lives on, and takes no message to the name any more.
    Global::unregister_name("x").value();
    Global::unregister_name("x").value();
    EXPECT_EQ(Global::whereis_name("x").error().code, Code::not_found);
    EXPECT_EQ(call(global("x"), Which{}).error().code(), CallError::Code::noproc);
    EXPECT_EQ(call(here, Which{}).value(), "a " + to_string(Epoch{}));
  });
  EXPECT_EQ(notes, 1);
  on("b", [&] {
    const Epoch again = Global::register_name("x", here).value();
    EXPECT_GT(again, first) << "epochs of a name grow";
    exit(there, ExitReason::kill());
    sleep(1s);
    EXPECT_EQ(Global::registered_names(), Strings{"x"});
    EXPECT_EQ(Global::register_name("z", there).error().code, Code::noproc);
    EXPECT_EQ(Global::whereis_name("z").error().code, Code::not_found) << "nothing is left";
  });
}

// Goal: re_register_name gives the name to another process, wherever both are.
TEST_P(GlobalNodes, ReRegisters) {
  const Pid one = server("a"), two = server("b"), three = server("b");
  on("c", [&] {
    const Epoch first = Global::register_name("x", one).value();
    EXPECT_EQ(call(global("x"), Which{}).value(), "a " + to_string(first));
    const Epoch second = Global::re_register_name("x", two).value();
    EXPECT_GT(second, first);
    EXPECT_EQ(call(global("x"), Which{}).value(), "b " + to_string(second)) << "past the cache";
    EXPECT_EQ(Global::whereis_name("x").value(), two);
    EXPECT_GT(Global::re_register_name("x", three).value(), second);
    EXPECT_EQ(call(two, Which{}).value(), "b " + to_string(Epoch{}));
    EXPECT_GT(Global::re_register_name("free", two).value(), Epoch{});
  });
}

// Goal: .name = global(...) and Global are the same names.
TEST_P(GlobalNodes, NamesOfStartsAreGlobal) {
  on("a", [&] {
    const Pid pid = GenServer::start<Server>({.name = global("x")}).value();
    EXPECT_EQ(Global::whereis_name("x").value(), pid);
    EXPECT_EQ(Global::registered_names(), Strings{"x"});
    EXPECT_EQ(Global::register_name("x", self()).error().holder, pid);
    GenServer::stop(pid).value();
    Global::register_name("x", self()).value();
    EXPECT_EQ(GenServer::start<Server>({.name = global("x")}).error().holder, self());
  });
  on("b", [&] {
    sleep(100ms);
    EXPECT_TRUE(Global::registered_names().empty()) << "it went with its process";
    EXPECT_EQ(Global::whereis_name("x").error().code, Code::not_found);
  });
}

// Goal: cut off, a node's registered process does nothing; the others take its name over; when the
// node is back its process is gone, and there is one owner.
TEST_P(GlobalNodes, AMinorityGivesItsNamesUp) {
  const Pid here = server("a");
  Epoch first, second;
  on("a", [&] { first = Global::register_name("x", here).value(); });
  isolate("a", true);
  world_.run_for(5s);
  const Pid there = server("b");
  on("b", [&] {
    second = Global::register_name("x", there).value();
    EXPECT_GT(second, first);
  });
  bool asked = false;
  begin("a", [&] {
    EXPECT_EQ(Global::whereis_name("x", 1s).error().code, Code::unavailable) << "never `noproc`";
    EXPECT_EQ(Global::register_name("y", self(), 1s).error().code, Code::unavailable);
    EXPECT_FALSE(Global::set_lock({"lock"}, 0));
    asked = true;
  });
  world_.run_for(30s);
  EXPECT_TRUE(asked);
  isolate("a", false);
  ASSERT_TRUE(world_.run_until([&] { return cluster_.whole(all_); }, 60s));
  for (const std::string& node : all_) {
    on(node, [&] { EXPECT_EQ(call(global("x"), Which{}).value(), "b " + to_string(second)); });
  }
}

// Goal: one requester at a time; its own processes share the lock; it ends with its holders.
TEST_P(GlobalNodes, LocksExclude) {
  std::vector<Epoch> tokens;
  Pid holder;
  on("a", [&] {
    tokens.push_back(Global::set_lock({"r", "me"}, 0).value());
    EXPECT_EQ(Global::set_lock({"r", "me"}, 0).value(), tokens.back()) << "set twice";
    EXPECT_FALSE(Global::set_lock({"r", "you"}, 0));
    EXPECT_FALSE(Global::del_lock({"r", "you"})) << "another's";
    EXPECT_TRUE(Global::del_lock({"r", "me"}));
    EXPECT_FALSE(Global::set_lock({"r", "you"}, 0)) << "deleted once, set twice";
    EXPECT_TRUE(Global::del_lock({"r", "me"}));
    EXPECT_FALSE(Global::del_lock({"r", "me"}));
    tokens.push_back(Global::set_lock({"r", "you"}, 0).value());
    EXPECT_GT(tokens[1], tokens[0]) << "the token fences";
    EXPECT_TRUE(Global::registered_names().empty()) << "locks are no names";
  });  // ends, and its lock with it
  holder = begin("b", [&] {
    tokens.push_back(Global::set_lock({"r"}).value());
    sleep(infinity);
  });
  world_.run_for(5s);
  ASSERT_EQ(tokens.size(), 3u);
  on("c", [&] {
    EXPECT_FALSE(Global::set_lock({"r"}, 2));
    EXPECT_TRUE(Global::set_lock({"another"}, 0));
  });
  ASSERT_TRUE(cluster_.host("b").power_off());
  on("c", [&] { EXPECT_GT(Global::set_lock({"r"}).value(), tokens[2]) << "its node is gone"; });
}

// Goal: a transaction gives the lock back whichever way it ends; contenders of all nodes never meet
// in it, and all of them get it.
TEST_P(GlobalNodes, TransactionsOfAllNodesExclude) {
  on("a", [&] {
    EXPECT_EQ(Global::trans({"t"}, [] { return 42; }), std::optional(42));
    EXPECT_TRUE(Global::trans({"t"}, [] {}));
    EXPECT_THROW(Global::trans({"t"}, []() -> int { throw std::runtime_error("no"); }),
                 std::runtime_error);
    const auto nested = Global::trans({"t", "me"}, [] {
      return Global::trans(
          {"t", "me"}, [](Epoch token) { return token; }, 0);
    });
    EXPECT_TRUE(nested && *nested) << "one requester";
    const auto aborted = Global::trans({"t"}, [] {
      std::optional<int> inner = 0;
      const auto [pid, ref] = spawn_monitor([&] {
        inner = Global::trans(
            {"t"}, [] { return 1; }, 1);
      });
      receive_down(ref);
      return inner;
    });
    EXPECT_EQ(aborted.value(), std::nullopt);
  });
  int inside = 0, done = 0;
  Epoch latest;
  for (int i = 0; i < 9; ++i) {
    begin(all_[static_cast<std::size_t>(i) % 3], [&] {
      for (int turn = 0; turn < 5; ++turn) {
        ASSERT_TRUE(Global::trans({"shared"}, [&](Epoch token) {
          EXPECT_EQ(++inside, 1);
          EXPECT_GT(token, latest);
          latest = token;
          sleep(20ms);
          --inside;
        }));
      }
      ++done;
    });
  }
  EXPECT_TRUE(world_.run_until([&] { return done == 9; }, 5min)) << done;
}

std::optional<NameMoved> next_move(const NameMonitor& of, Duration most = 30s) {
  return receive(when([&](const NameMoved& moved) { return moved.monitor == of; },
                      [](const NameMoved& moved) { return std::optional(moved); }),
                 after(most, [] { return std::optional<NameMoved>(); }));
}
bool next_end(const NameMonitor& of, Duration most) {
  return receive(when([&](const NameGone& gone) { return gone.monitor == of; },
                      [](const NameGone&) { return true; }),
                 after(most, [] { return false; }));
}

// Goal: who monitors a name hears where it went: to another process while the first one lives, to a
// process that took it after the first one's end; and that it is gone.
TEST_P(GlobalNodes, NameMonitorsFollow) {
  const Pid one = server("a"), two = server("b"), three = server("c");
  on("c", [&] {
    const Epoch first = Global::register_name("x", one).value();
    const auto [name, now] = monitor_name(global("x"));
    EXPECT_EQ(now, std::optional(one));
    EXPECT_FALSE(next_move(name, 3s)) << "it is where it was";
    const Epoch second = Global::re_register_name("x", two).value();
    auto moved = next_move(name);
    ASSERT_TRUE(moved);
    EXPECT_EQ(moved->from, one);
    EXPECT_EQ(moved->to, two);
    EXPECT_EQ(moved->epoch, second);
    EXPECT_GT(second, first);
    EXPECT_EQ(moved->name, global("x"));
    exit(two, ExitReason::kill());
    while (!Global::register_name("x", three)) sleep(1ms);
    moved = next_move(name);
    ASSERT_TRUE(moved);
    EXPECT_EQ(moved->from, two);
    EXPECT_EQ(moved->to, three);
    // Taken back and given again to the same: a later epoch.
    Global::unregister_name("x").value();
    const Epoch again = Global::register_name("x", three).value();
    moved = next_move(name);
    ASSERT_TRUE(moved);
    EXPECT_EQ(moved->epoch, again);
    Global::unregister_name("x").value();
    EXPECT_FALSE(next_end(name, 500ms)) << "not yet";
    EXPECT_TRUE(next_end(name, 2s));
    EXPECT_FALSE(is_alive(name.pid));
  });
}

TEST_P(GlobalNodes, NameMonitorsOfNamesThatNobodyHas) {
  on("a", [&] {
    const auto [soon, nobody] = monitor_name(global("soon"), {.gone_after = 5s});
    EXPECT_EQ(nobody, std::nullopt);
    const auto never = monitor_name(global("never")).first;
    const auto unwanted = monitor_name(global("soon")).first;
    sleep(100ms);
    Global::register_name("soon", self()).value();
    const auto moved = next_move(soon);
    ASSERT_TRUE(moved);
    EXPECT_EQ(moved->from, Pid{});
    EXPECT_EQ(moved->to, self());
    EXPECT_TRUE(next_end(never, 2s));
    sleep(1s);
    demonitor_name(unwanted);
    EXPECT_FALSE(next_move(unwanted, 0s)) << "what is in the mailbox is removed";
    EXPECT_FALSE(is_alive(unwanted.pid));
  });
  Pid left;
  on("a", [&] { left = monitor_name(global("soon")).first.pid; });
  world_.run_for(100ms);
  on("a", [&] { EXPECT_FALSE(is_alive(left)) << "it ends with whom it is for"; });
}

// Goal: the node of a child of cluster scope is lost: its name is told to be elsewhere, not gone.
TEST_P(GlobalNodes, NameMonitorsFollowAFailover) {
  Pid there;
  on("a", [&] {
    const auto started = DynamicSupervisor::start_child(
        local("counters"), ClusterChild{.key = "k", .args = pack(NoArguments())});
    ASSERT_TRUE(started) << to_string(started.error());
    there = *started;
  });
  std::string lost, watcher;
  for (const std::string& node : all_) {
    if (runtime(node).node() == there.node) lost = node;
  }
  watcher = lost == "a" ? "b" : "a";
  std::optional<NameMoved> moved;
  bool gone = false;
  NameMonitor name;
  begin(watcher, [&] {
    name = monitor_name(via("counters", "k"), {.gone_after = 100ms}).first;
    moved = next_move(name, 5min);
    gone = next_end(name, 10s);
  });
  world_.run_for(1s);
  ASSERT_TRUE(cluster_.host(lost).power_off());
  ASSERT_TRUE(world_.run_until([&] { return moved.has_value(); }, 60s));
  EXPECT_EQ(moved->from, there);
  EXPECT_NE(moved->to.node, there.node);
  EXPECT_TRUE(moved->epoch);
  world_.run_for(15s);
  EXPECT_FALSE(gone);
}

// Goal: registering processes are killed, nodes crash; in the end every name can be taken, and
// nothing holds one.
TEST_P(GlobalNodes, NothingIsLeftBehind) {
  SeededRandom random(5);
  int running = 0;
  std::vector<Pid> others;
  for (int i = 0; i < 300; ++i) {
    const std::string node = all_[random.below(3)];
    const std::string name = "n" + std::to_string(random.below(40));
    const Duration life = std::chrono::microseconds(random.below(15'000));
    if (cluster_.host(node).run() != nullptr && cluster_.whole(all_)) {
      const Pid other = server(all_[random.below(3)]);
      others.push_back(other);
      const Pid worker = begin(node, [&, name, other] {
        ++running;
        static_cast<void>(Global::register_name(name, other, 2s));
        static_cast<void>(Global::re_register_name(name, other, 2s));
      });
      begin(node, [worker, other, life] {
        sleep(life);
        exit(worker, ExitReason::kill());
        sleep(life);
        exit(other, ExitReason::kill());
      });
    }
    world_.run_for(std::chrono::milliseconds(random.below(60)));
    if (random.below(50) == 0) {
      cluster_.host(all_[random.below(3)]).end_program(9);
      ASSERT_TRUE(world_.run_until([&] { return cluster_.whole(all_); }, 60s));
    }
  }
  EXPECT_GT(running, 200);
  // The kill of some was lost with a link.
  for (const std::string& node : all_) {
    on(node, [&] {
      for (const Pid& pid : others) exit(pid, ExitReason::kill());
    });
  }
  world_.run_for(20s);
  EXPECT_EQ(cluster_.held_by_nobody(), Strings{});
  for (int i = 0; i < 40; ++i) {
    on(all_[static_cast<std::size_t>(i) % 3], [i] {
      const auto held = Global::register_name("n" + std::to_string(i), self());
      EXPECT_TRUE(held) << to_string(held.error());
    });
  }
}

INSTANTIATE_TEST_SUITE_P(BothEngines, GlobalNodes, testing::Values("local", "voters"),
                         [](const auto& engine) { return engine.param; });

}  // namespace
}  // namespace coterie::test
