// Registered functions called, and registered servers started, on another node: results, each kind
// of error, and what becomes of them when nodes are lost. Simulated nodes, virtual time.

#include <gtest/gtest.h>

#include <coterie/erpc.hpp>
#include <coterie/remote_start.hpp>
#include <coterie/supervisor.hpp>

#include "tests/sim/sim_cluster.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::run_on;
using test::SimCluster;
using Class = erpc::Error::Class;

struct Add {
  using Reply = std::int64_t;
  static constexpr std::string_view type_name = "test.add";
  std::int64_t x = 0, y = 0;
};
/// What an older program thinks that Add is.
struct AddTexts {
  using Reply = std::int64_t;
  static constexpr std::string_view type_name = "test.add";
  std::string x = "one", y = "two";
};
struct AddToText {
  using Reply = std::string;
  static constexpr std::string_view type_name = "test.add";
  std::int64_t x = 0, y = 0;
};
struct End {
  using Reply = void;
  static constexpr std::string_view type_name = "test.end";
  std::string how;
};
struct Wait {
  using Reply = void;
  static constexpr std::string_view type_name = "test.wait";
  std::int64_t ms = 0;
};
struct Note {
  static constexpr std::string_view type_name = "test.note";
  std::int64_t number = 0;
};
struct Missing {
  using Reply = void;
  static constexpr std::string_view type_name = "test.missing";
};

void end(const End& m) {
  if (m.how == "error") throw std::runtime_error("boom");
  if (m.how == "throw") throw 42;
  if (m.how == "exit") exit(ExitReason::term("enough"));
  if (m.how == "normal") exit(ExitReason::normal());
  if (m.how == "signal") {
    spawn([me = self()] { exit(me, ExitReason::kill()); });
    sleep(1h);
  }
  if (m.how == "call") call(local("nobody"), End{}, 1s).value();
}

class Worker final : public GenServer {
 public:
  struct Job {
    std::int64_t id = 0;
  };
  struct Ask {
    using Reply = std::string;
    static constexpr std::string_view type_name = "worker.ask";
  };
  using Calls = Messages<Ask>;
  Worker(std::string key, Job job) : key_(std::move(key)), job_(job) {
    if (job.id < 0) throw std::invalid_argument("no such job");
  }
  std::string handle_call(const Ask&) { return key_ + std::to_string(job_.id) + node_name(); }

 private:
  std::string key_;
  Job job_;
};

struct ErpcNodes : SimCluster, testing::Test {
  ErpcNodes() : SimCluster(1) {
    for (const std::string name : {"a", "b", "c"}) {
      ids[name] = start(name);
      if (name != "c") run_on(runtime(ids[name]), [this] { serve(); });
    }
    join_all();
  }
  /// A node's two servers; c has none.
  void serve() {
    trap_exit(true);
    std::vector<erpc::Function> functions{
        erpc::function<Add>([](const Add& m) { return m.x + m.y; }), erpc::function<End>(end),
        erpc::function<Wait>([](const Wait& m) { sleep(std::chrono::milliseconds(m.ms)); }),
        erpc::function<Note>([this](const Note& m) { noted += m.number; })};
    ASSERT_TRUE(erpc::start_link(std::move(functions), {.calls_max = 8}));
    ASSERT_TRUE(
        Supervisor::start_link(remote_start_children({kind<Worker, Worker::Job>("workers")}, 2)));
    sleep(infinity);
  }
  void on_a(std::move_only_function<void()> body) { complete_on(ids["a"], std::move(body)); }
  static erpc::Error error_of(const std::string& node, const std::string& how) {
    const auto result = erpc::call(node, End{how});
    EXPECT_FALSE(result) << how;
    return result.error();
  }
  static void expect(const erpc::Error& error, Class what, const std::string& exit_reason) {
    EXPECT_EQ(error.error_class(), what) << to_string(error);
    EXPECT_EQ(to_string(error.exit_reason()), exit_reason);
    EXPECT_TRUE(error.maybe_executed());
  }

  std::map<std::string, NodeId> ids;
  std::int64_t noted = 0;
};

TEST_F(ErpcNodes, RunsFunctionsHereAndThere) {
  on_a([&] {
    for (const std::string node : {"a", "b"}) {
      EXPECT_EQ(erpc::call(node, Add{2, 3}).value(), 5);
      EXPECT_TRUE(erpc::call(node, Wait{1}));
    }
    erpc::cast("b", Note{1});
    erpc::multicast({"a", "b", "c", "nowhere"}, Note{10});
    sleep(100ms);
    EXPECT_EQ(noted, 21);
  });
}

// Goal: what OTP's erpc tells apart is told apart, wherever the function ran.
TEST_F(ErpcNodes, TellsHowAFunctionEnded) {
  on_a([&] {
    for (const std::string node : {"a", "b"}) {
      expect(error_of(node, "error"), Class::error,
             "{exception,{error,std::runtime_error,\"boom\"}}");
      expect(error_of(node, "throw"), Class::thrown, "{throw,int}");
      expect(error_of(node, "exit"), Class::exit, "{exit,{exception,enough}}");
      expect(error_of(node, "normal"), Class::exit, "{exit,{exception,normal}}");
      expect(error_of(node, "signal"), Class::signal, "{exit,{signal,killed}}");
      expect(error_of(node, "call"), Class::exit,
             "{exit,{exception,{noproc,{gen_server,call,[nobody,end,1000]}}}}");
    }
  });
}

// Goal: without an answer the error says why, and whether the function may have run.
TEST_F(ErpcNodes, TellsWhyThereIsNoAnswer) {
  using Code = CallError::Code;
  const auto expect_call = [](const auto& result, Code code, bool maybe) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().error_class(), Class::erpc) << to_string(result.error());
    EXPECT_EQ(result.error().call().code(), code) << to_string(result.error());
    EXPECT_EQ(result.error().maybe_executed(), maybe) << to_string(result.error());
  };
  on_a([&] {
    expect_call(erpc::call("b", Missing{}), Code::noproc, false);
    expect_call(erpc::call("c", Add{}), Code::noproc, false);
    expect_call(erpc::call("nowhere", Add{}), Code::nodedown, false);
    expect_call(erpc::call("b", AddTexts{}), Code::undecodable, false);
    expect_call(erpc::call("b", AddToText{1, 2}), Code::undecodable, true);
    expect_call(erpc::call("b", Wait{1000}, 100ms), Code::timeout, true);
    for (int i = 0; i < 7; ++i) {
      spawn([] { static_cast<void>(erpc::call("b", Wait{3000}, 10s)); });
    }
    sleep(100ms);
    expect_call(erpc::call("b", Add{}), Code::overloaded, false);  // one still waits, too
    sleep(1s);
    EXPECT_TRUE(erpc::call("b", Add{}));
    spawn([&] {
      sleep(100ms);
      network.cut(ids["a"], ids["b"]);
    });
    expect_call(erpc::call("b", Wait{1000}), Code::noconnection, true);
  });
}

TEST_F(ErpcNodes, CallsManyNodesWithinOneTimeout) {
  on_a([&] {
    const auto all = erpc::multicall({"a", "nowhere", "b", "c"}, Add{1, 1});
    ASSERT_EQ(all.size(), 4u);
    EXPECT_EQ(all[0].node, "a");
    EXPECT_EQ(all[0].result.value(), 2);
    EXPECT_EQ(all[1].result.error().call().code(), CallError::Code::nodedown);
    EXPECT_EQ(all[2].result.value(), 2);
    EXPECT_EQ(all[3].result.error().call().code(), CallError::Code::noproc);
    network.stall(ids["b"], ids["a"], true);
    const auto late = erpc::multicall({"a", "b"}, Add{1, 1}, 50ms);
    EXPECT_EQ(late[0].result.value(), 2);
    EXPECT_EQ(late[1].result.error().call().code(), CallError::Code::timeout);
    network.stall(ids["b"], ids["a"], false);
    sleep(1s);
    EXPECT_FALSE(receive([](AnyMessage) { return true; }, after(0s, [] { return false; })));
  });
}

TEST_F(ErpcNodes, TwoFunctionsOfOneNameAreNotStarted) {
  on_a([] {
    const auto add = erpc::function<Add>([](const Add&) { return 0; });
    const auto twice = erpc::start_link({add, add});
    ASSERT_FALSE(twice);
    EXPECT_EQ(twice.error().detail, "two registered functions have the name test.add");
  });
}

TEST_F(ErpcNodes, StartsServersOfRegisteredKinds) {
  on_a([&] {
    const Pid worker = start_on("b", "workers", Worker::Job{7}, {.key = "k"}).value();
    EXPECT_EQ(worker.node, ids["b"]);
    EXPECT_EQ(call(worker, Worker::Ask{}).value(), "k7b");
    trap_exit(true);
    const Pid linked = start_link_on("b", "workers", Worker::Job{8}).value();
    exit(linked, ExitReason::term("over"));
    EXPECT_EQ(receive([](const Exit& e) { return to_string(e.reason); }), "over");

    const auto code = [](const auto& result) { return result.error().code; };
    const auto unknown = start_on("b", "strangers");
    EXPECT_EQ(code(unknown), ChildError::Code::not_found);
    EXPECT_EQ(unknown.error().detail, "node b starts no servers of kind strangers for others");
    EXPECT_EQ(code(start_on("b", "workers", Worker::Job{-1})), ChildError::Code::start_failed);
    EXPECT_EQ(code(start_on("c", "workers")), ChildError::Code::unavailable);
    EXPECT_EQ(code(start_on("nowhere", "workers")), ChildError::Code::unavailable);
    ASSERT_TRUE(start_on("b", "workers"));
    EXPECT_EQ(code(start_on("b", "workers")), ChildError::Code::max_children);
    // It lives on its node: the loss of the link is an exit of the link, not its end.
    network.cut(ids["a"], ids["b"]);
    sleep(1s);
    join_all();
    EXPECT_EQ(call(worker, Worker::Ask{}).value(), "k7b");
  });
}

}  // namespace
}  // namespace coterie
