// The command line with real processes: a cluster used as a user uses it, and everything that a
// user can get wrong. What is expected is waited for; no test passes by being fast.

#include "node/reserved_ports.hpp"
#include "tests/node/program_fixture.hpp"

namespace coterie {
namespace {

using testing::StartsWith;

TEST_F(ProgramTest, AClusterIsCalledAndWatched) {
  // Goal: a name that began through one node answers through all; every outcome has its code.
  make();
  start({"a", "b", "c"});
  struct Row {
    Words arguments;
    int code;
    std::string out, error;
  };
  const Row rows[] = {
      {{"boxes/one", "put", R"({"value": 7})", "--node", "a"}, 0, "1\n", ""},
      {{"boxes/one", "put", "[8]", "--node", "b"}, 0, "2\n", ""},
      {{"boxes/one", "boxes.take", "--node", "c"}, 0, "8\n", ""},
      {{"boxes/one", "take"}, 0, "7\n", ""},
      {{"boxes/one", "take"}, 3, "{\"code\":\"empty\",\"size\":0}\n", ""},
      {{"greeter@b", "hello", R"({"name":"moe"})"}, 0, "\"hello moe\"\n", ""},
      {{"greeter", "hello", "--node", "c"}, 0, "\"hello you\"\n", ""},
      {{"boxes/none", "take"}, 4, "", "did not run: noproc"},
      {{"nobody@a", "hello"}, 4, "", "did not run: noproc"},
      {{"boxes/one", "shake"}, 4, "", "did not run: refused"},
      {{"boxes/one", "put", R"({"value": "x"})"}, 4, "", "did not run: undecodable"},
      {{"boxes/one", "put", R"({"valeu": 7})"}, 4, "", "expected one of the fields value"},
      {{"boxes/one", "stall", "--timeout", "2s"}, 5, "", "may have run: timeout"},
  };
  for (const Row& row : rows) {
    const ProgramResult result = call(row.arguments);
    EXPECT_EQ(result.code, row.code) << row.arguments[1] << ": " << result.error;
    EXPECT_EQ(result.out, row.out) << row.arguments[1];
    EXPECT_THAT(result.error, HasSubstr(row.error));
    EXPECT_EQ(one_line(result.error), !row.error.empty()) << result.error;
  }
  ASSERT_EQ(call({"boxes/two", "put"}).code, 0);
  const ProgramResult crashed = call({"boxes/two", "crash"});
  EXPECT_EQ(crashed.code, 5) << crashed.error;
  EXPECT_THAT(crashed.error, AllOf(HasSubstr("the bottom fell out"), HasSubstr("--request-id")));

  const ProgramResult status = run("status", {});
  EXPECT_EQ(status.code, 0) << status.out << status.error;
  EXPECT_THAT(status.out, HasSubstr("3 of 3 nodes active"));
  const ProgramResult json = run("status", {"--json"});
  EXPECT_TRUE(one_line(json.out));
  EXPECT_THAT(json.out, AllOf(HasSubstr(R"("healthy":true)"), HasSubstr(R"("kind":"boxes")")));

  ASSERT_TRUE(cluster_->stop("b"));
  EXPECT_EQ(cluster_->wait_stopped("b", 30s).value_or(-1), 0);
  const ProgramResult without = run("status", {});
  EXPECT_EQ(without.code, 1);
  EXPECT_THAT(without.out, AllOf(HasSubstr("2 of 3 nodes active"), HasSubstr("! node b is unre")));
  const ProgramResult other = call({"boxes/two", "put", "--node", "b"});
  EXPECT_EQ(other.code, 0) << other.error;
  EXPECT_THAT(other.error, HasSubstr("node b is not reachable, asking a"));
  EXPECT_TRUE(cluster_->stop_all(60s));
}

TEST_F(ProgramTest, ANameThatHasEndedIsGoneForEveryNode) {
  // Goal: nodes that remember where a name ran are told that it is gone, and do not wait for it.
  make();
  start({"a", "b", "c"});
  for (const std::string box : {"boxes/1", "boxes/2", "boxes/3"}) {
    for (const std::string node : {"a", "b", "c"}) {
      ASSERT_EQ(call({box, "put", "--node", node}).code, 0);
    }
    ASSERT_EQ(call({box, "close"}).out, "{}\n");
    for (const std::string node : {"a", "b", "c"}) {
      const ProgramResult gone = call({box, "take", "--node", node, "--timeout", "20s"});
      EXPECT_EQ(gone.code, 4) << box << " through " << node << ": " << gone.error;
      EXPECT_THAT(gone.error, HasSubstr("did not run: noproc"));
    }
  }
  EXPECT_TRUE(cluster_->stop_all(60s));
}

TEST_F(ProgramTest, ANameAnswersAgainAfterItsNodeWasKilled) {
  // Goal: whichever node dies, a call that waits long enough is answered.
  make();
  start({"a", "b", "c"});
  for (const std::string node : {"a", "b", "c"}) {
    const std::string box = "boxes/of-" + node;
    ASSERT_EQ(call({box, "put"}).code, 0);
  }
  for (const std::string node : {"a", "b", "c"}) {
    ASSERT_TRUE(cluster_->kill(node));
    for (const std::string of : {"a", "b", "c"}) {
      const ProgramResult result = call({"boxes/of-" + of, "put", "--timeout", "20s"});
      EXPECT_EQ(result.code, 0) << "after the death of " << node << ": " << result.error;
    }
    const auto back = cluster_->wait_active(Words{"a", "b", "c"}, 60s);
    ASSERT_TRUE(back) << back.error();
  }
  EXPECT_TRUE(cluster_->stop_all(60s));
}

TEST_F(ProgramTest, WrongFilesAreOneLineAndCodeTwo) {
  // Goal: every mistake in a cluster file is told with its place, before anything is started.
  const std::string good = R"([cluster]
id = "wrong"
journal = "sqlite:data/journal"
insecure = true

[[node]]
name = "a"
listen = "127.0.0.1:7101"
kinds = ["boxes"]

[[node]]
name = "b"
listen = "127.0.0.1:7102"
)";
  struct Row {
    std::string what, with, error;
  };
  const Row rows[] = {
      {"journal =", "jurnal =", ":3:1: "},
      {"id = \"wrong\"", "id = 7", ":2:"},
      {"name = \"b\"", "name = \"a\"", ":12:"},
      {"7102", "7101", ":13:"},
      {"127.0.0.1:7101", "127.0.0.1:99999", ":8:"},
      {"[cluster]", "[cluster", ":1:"},
      {"127.0.0.1:7102", "10.77.0.2:7102", ":3:11: expected a journal that every host reaches"},
      {"\"boxes\"", "\"boxen\"", ":6:1: node \"a\" lists the kind \"boxen\""},
      {"sqlite:data/journal", "oracle:x", ":3:"},
  };
  for (const Row& row : rows) {
    std::string text = good;
    text.replace(text.find(row.what), row.what.size(), row.with);
    const std::string file = write("wrong.toml", text);
    const ProgramResult result =
        run_and_wait(program, {"node", "--config", file, "--name", "a"}, 30s);
    EXPECT_EQ(result.code, 2) << row.with << ": " << result.error;
    EXPECT_TRUE(one_line(result.error)) << result.error;
    EXPECT_THAT(result.error, AllOf(StartsWith(file), HasSubstr(row.error))) << row.with;
  }
  EXPECT_FALSE(fs::exists(root_ / "data")) << "nothing was started";
}

TEST_F(ProgramTest, AnOwnAddressMustResolve) {
  // Goal: a node whose own name is unknown does not start; the others of such a file do.
  make({{"cluster.journal", std::string("postgres:host=127.0.0.1 port=1"), {"test", 1, 1}},
        {"cluster.insecure", true, {"test", 1, 1}},
        {"node.a.listen", std::string("no-such-host.invalid:7101"), {"test", 1, 1}}});
  const ProgramResult result = run("node", {"--name", "a"});
  EXPECT_EQ(result.code, 2) << result.error;
  EXPECT_THAT(result.error, AllOf(HasSubstr("no-such-host.invalid"), HasSubstr("resolve")));
  EXPECT_TRUE(one_line(result.error)) << result.error;
}

TEST_F(ProgramTest, APeerThatDoesNotResolveIsShown) {
  // Goal: another node's unknown name stops nobody; status says what is wrong with it, and every
  // start says that strangers are trusted.
  const char* const postgres = ::getenv("COTERIE_TEST_POSTGRES");
  ASSERT_NE(postgres, nullptr) << "run ./run test, which starts a server";
  const auto ports = ReservedPorts::make(3, random_);
  ASSERT_TRUE(ports) << ports.error();
  const auto port = [&](std::size_t i) { return ':' + std::to_string((*ports)[i]) + "\"\n"; };
  const std::string file =
      write("hosts.toml", "[cluster]\nid = \"" + root_.filename().string().substr(8) +
                              "\"\ninsecure = true\njournal = \"postgres:" + postgres +
                              "\"\n[[node]]\nname = \"a\"\nlisten = \"0.0.0.0" + port(0) +
                              "advertise = \"10.77.0.1" + port(0) + "client_listen = \"127.0.0.1" +
                              port(1) + "state_dir = \"a\"\n[[node]]\nname = \"b\"\n" +
                              "listen = \"no-such-host.invalid" + port(0) +
                              "client_listen = \"no-such-host.invalid" + port(2));
  BackgroundProgram node(program, {"node", "--config", file, "--name", "a"});
  const std::string shown =
      "! node a is not connected with b: waiting to dial (host 'no-such-host.invalid' does not "
      "resolve";
  ProgramResult status;
  for (int tries = 0; tries < 20 && status.out.find(shown) == std::string::npos; ++tries) {
    status = run_and_wait(program, {"status", "--config", file}, 30s);
  }
  EXPECT_EQ(status.code, 1);
  EXPECT_THAT(status.out, AllOf(HasSubstr("1 of 2 nodes active"), HasSubstr(shown)));
  node.signal(SIGTERM);
  const ProgramResult ended = node.wait(60s);
  EXPECT_EQ(ended.code, 0) << ended.error;
  EXPECT_THAT(ended.error, HasSubstr("insecure = true: whoever reaches these addresses"));
}

TEST_F(ProgramTest, WrongArgumentsAreOneLineAndCodeTwo) {
  // Goal: CLI11's own errors have code 2 as well, and say where help is.
  make();
  const std::string file = cluster_->config_file();
  struct Row {
    Words arguments;
    std::string error;
  };
  const Row rows[] = {
      {{"stats"}, "did you mean \"status\"?"},
      {{"node"}, "--config is required"},
      {{"node", "--config", file}, "--name is required"},
      {{"node", "--config", file, "--name", "z"}, "(a, b, c), found \"z\""},
      {{"node", "--config", file, "--name", "a", "--nmae", "b"}, "--nmae"},
      {{"call", "--config", file, "boxes/x"}, "TYPE is required"},
      {{"call", "--config", file, "boxes/", "put"}, "TARGET: expected REGISTRY/KEY"},
      {{"call", "--config", file, "boxes/x", "put", "{"}, "JSON: line 1"},
      {{"call", "--config", file, "boxes/x", "put", "--timeout", "5"}, "--timeout: expected"},
      {{"call", "--config", file, "boxes/x", "put", "--node", "z"}, "no node \"z\""},
      {{"status", "--config", file, "--watch", "soon"}, "--watch"},
      {{"status", "--config", file, "--set", "lease.length=1"}, "--set lease.length=1: "},
      {{"status", "--config", (root_ / "none.toml").string()}, "none.toml: expected a cluster"},
      {{"node", "--config", file, "--name", "a", "--under-guardian=3,4"}, "--under-guardian="},
  };
  for (const Row& row : rows) {
    const ProgramResult result = run_and_wait(program, row.arguments, 30s);
    EXPECT_EQ(result.code, 2) << result.error;
    EXPECT_TRUE(one_line(result.error)) << result.error;
    EXPECT_THAT(result.error, HasSubstr(row.error));
    EXPECT_EQ(result.out, "");
  }
  for (const Words& words : {Words{"--help"}, Words{"node", "--help"}, Words{"call", "--help"},
                             Words{"status", "--help"}, Words{"--version"}}) {
    const ProgramResult result = run_and_wait(program, words, 30s);
    EXPECT_EQ(result.code, 0);
    EXPECT_EQ(result.error, "");
    EXPECT_THAT(result.out, HasSubstr("trials"));
  }
}

TEST_F(ProgramTest, NobodyThereIsCodeFourAndSaysWhoWasAsked) {
  // Goal: a cluster that is down is told from one that refuses.
  make();
  const ProgramResult result = call({"boxes/x", "put", "--timeout", "500ms"});
  EXPECT_EQ(result.code, 4);
  EXPECT_TRUE(one_line(result.error)) << result.error;
  for (const NodeSection& node : cluster_->config().nodes) {
    EXPECT_THAT(result.error, HasSubstr(node.client_listen));
  }
  EXPECT_EQ(run("status", {}).code, 1);
}

}  // namespace
}  // namespace coterie
