// A cluster of real processes whose nodes have keys, made and used as an operator does it.

#include "tests/node/program_fixture.hpp"

namespace coterie {
namespace {

class ProgramKeys : public ProgramTest {
 protected:
  /// Runs keygen; the public key.
  std::string keygen(const std::string& name) {
    const ProgramResult made = run_and_wait(program, {"keygen", path(name)});
    EXPECT_EQ(made.code, 0) << made.error;
    EXPECT_TRUE(one_line(made.out));
    return made.out.substr(0, made.out.find('\n'));
  }
  std::string path(const std::string& name) const { return (root_ / name).string(); }

  void make_with_keys() {
    std::ifstream file(configs / "local-3.toml");
    std::string text(std::istreambuf_iterator<char>(file), {});
    for (const std::string node : {"a", "b", "c"}) {
      public_keys_[node] = keygen(node + ".key");
      const std::string name = "= \"" + node + "\"\n";
      const std::size_t at = text.find(name);
      ASSERT_NE(at, text.npos);
      text.insert(at + name.size(), "key_file = \"" + path(node + ".key") +
                                        "\"\npublic_keys = [\"" + public_keys_[node] + "\"]\n");
    }
    for (const std::string client : {"ops", "shop"}) {
      text += "\n[[client]]\nname = \"" + client + "\"\nrole = \"" +
              (client == "ops" ? "operator" : "client") + "\"\npublic_keys = [\"" +
              keygen(client + ".key") + "\"]\n";
    }
    text += "[security]\nclient_key_file = \"" + path("ops.key") + "\"\n";
    LocalClusterOptions options;
    options.config_file = write("keys.toml", text);
    options.directory = root_;
    for (const std::string node : {"a", "b", "c"}) {
      options.overrides.push_back({"node." + node + ".kinds", Words{"boxes"}, {"test", 1, 1}});
    }
    options.program = program;
    auto made = LocalCluster::make(clock_, random_, std::move(options));
    ASSERT_TRUE(made) << made.error();
    cluster_ = *std::move(made);
  }
  static void replace_in(const fs::path& file, const std::string& what, const std::string& with) {
    std::ifstream in(file);
    std::string text(std::istreambuf_iterator<char>(in), {});
    in.close();
    const std::size_t at = text.find(what);
    ASSERT_NE(at, text.npos) << what << " in " << text;
    text.replace(at, what.size(), with);
    std::ofstream(file) << text;
  }
  ProgramResult call_as(const std::string& client, Words arguments) {
    arguments.insert(arguments.end(), {"--set", "security.client_key_file=" + path(client)});
    return call(std::move(arguments));
  }

  std::map<std::string, std::string> public_keys_;
};

TEST_F(ProgramKeys, AClusterWithKeysFailsOverAndRefusesStrangers) {
  // Goal: with keys everything works as without: names, failover, status; strangers get nothing.
  make_with_keys();
  start({"a", "b", "c"});
  ASSERT_EQ(call({"boxes/one", "put", R"({"value": 7})", "--node", "a"}).out, "1\n");
  EXPECT_EQ(call_as("shop.key", {"boxes/one", "take", "--node", "b"}).out, "7\n");

  const ProgramResult forbidden = call_as("shop.key", {"coterie.node", "coterie.status"});
  EXPECT_EQ(forbidden.code, 4);
  EXPECT_THAT(forbidden.error, HasSubstr("need an operator's key"));
  keygen("stranger.key");
  const ProgramResult stranger = call_as("stranger.key", {"boxes/one", "take"});
  EXPECT_EQ(stranger.code, 4);
  EXPECT_THAT(stranger.error, HasSubstr("does not know this client's key"));
  const ProgramResult none = call({"boxes/one", "take", "--set", "security.client_key_file="});
  EXPECT_EQ(none.code, 2) << none.error;
  EXPECT_THAT(none.error, HasSubstr("so must who calls them"));

  // A guardian tells a death over its own encrypted connection: it is confirmed, not suspected.
  ASSERT_TRUE(cluster_->kill("b"));
  EXPECT_EQ(call({"boxes/one", "put", "--timeout", "20s"}).code, 0);
  EXPECT_THAT(cluster_->log_tail("a", 200) + cluster_->log_tail("c", 200),
              HasSubstr("a guardian reports the death of its node"));
  const auto back = cluster_->wait_active(Words{"a", "b", "c"}, 60s);
  ASSERT_TRUE(back) << back.error();

  const ProgramResult status = run("status", {});
  EXPECT_EQ(status.code, 0) << status.out << status.error;
  EXPECT_THAT(status.out, HasSubstr("connections, the last one: a connection"));

  EXPECT_TRUE(cluster_->stop_all(60s));
}

TEST_F(ProgramKeys, SysIsForOperators) {
  // Goal: with keys an operator looks into servers; a client, and a node that no list names, may
  // not, and the refusal says what to write; a node of the list may.
  make_with_keys();
  replace_in(cluster_->config_file(), "[security]\n", "[security]\nsys_from = [\"a\"]\n");
  start({"a", "b"});
  const ProgramResult status =
      call_as("ops.key", {"greeter@b", "coterie.sys.get_status", "--node", "b"});
  EXPECT_EQ(status.code, 0) << status.error;
  EXPECT_THAT(status.out, HasSubstr("\"name\":\"greeter\""));
  const ProgramResult client =
      call_as("shop.key", {"greeter@b", "coterie.sys.terminate", "--node", "b"});
  EXPECT_EQ(client.code, 4);
  EXPECT_THAT(client.error, HasSubstr("need an operator's key"));
  // A process of one node asks a server of the other.
  const auto asked = [&](const std::string& from, const std::string& of) {
    return call({"greeter@" + from, "status_of", R"({"node": ")" + of + "\"}"});
  };
  EXPECT_EQ(asked("a", "b").out, "\"greeter\"\n") << asked("a", "b").out;
  EXPECT_THAT(asked("b", "a").out, AllOf(HasSubstr("requests of sys from node b are refused"),
                                         HasSubstr("add \\\"b\\\" to security.sys_from")));
  // So are functions and starts, which no list allows here.
  EXPECT_THAT(call({"greeter@a", "greet_at", R"({"node": "b"})"}).out,
              HasSubstr("calls of functions from node a are refused"));
  EXPECT_THAT(call({"greeter@a", "start_at", R"({"node": "b"})"}).out,
              HasSubstr("starts of servers from node a are refused"));
  EXPECT_TRUE(cluster_->stop_all(60s));
}

TEST_F(ProgramKeys, KeysChangeWhileTheClusterRuns) {
  // Goal: a client's and a node's key are replaced without the cluster ever being away.
  make_with_keys();
  start({"a", "b", "c"});
  ASSERT_EQ(call({"boxes/one", "put"}).code, 0);
  const fs::path file = cluster_->config_file();
  const std::string stranger = keygen("later.key");
  EXPECT_EQ(call_as("later.key", {"boxes/one", "put"}).code, 4);
  const std::string b_later = keygen("b-later.key");
  // Both keys of b and the newcomer's, in the running cluster's file.
  replace_in(file, public_keys_["b"], public_keys_["b"] + "', '" + b_later);
  std::ofstream(file, std::ios::app)
      << "\n[[client]]\nname = 'later'\npublic_keys = ['" << stranger << "']\n";
  const Time until = after(clock_.now(), 60s);
  ProgramResult joined;
  do {
    joined = call_as("later.key", {"boxes/one", "put"});
  } while (joined.code != 0 && clock_.now() < until);
  EXPECT_EQ(joined.code, 0) << joined.error;
  // b stops and starts with its other key; the others let it in and go on.
  ASSERT_TRUE(cluster_->stop("b"));
  ASSERT_EQ(cluster_->wait_stopped("b", 30s).value_or(-1), 0);
  EXPECT_EQ(call({"boxes/one", "put"}).code, 0);
  replace_in(file, path("b.key"), path("b-later.key"));
  ASSERT_TRUE(cluster_->start("b"));
  ProgramResult status;
  do {
    status = run("status", {});
  } while (status.code != 0 && clock_.now() < until);
  EXPECT_EQ(status.code, 0) << status.out;
  EXPECT_EQ(call({"boxes/one", "put", "--node", "b"}).code, 0);
  EXPECT_TRUE(cluster_->stop_all(60s));
}

TEST_F(ProgramKeys, WrongKeysAreToldBeforeAnythingStarts) {
  // Goal: what an operator can get wrong with keys is one line and code 2.
  make_with_keys();
  const std::string file = cluster_->config_file().string();
  const auto start_a = [&](const Words& settings) {
    Words all{"node", "--config", file, "--name", "a"};
    for (const std::string& setting : settings) all.insert(all.end(), {"--set", setting});
    const ProgramResult result = run_and_wait(program, all);
    EXPECT_EQ(result.code, 2) << result.error;
    EXPECT_TRUE(one_line(result.error)) << result.error;
    return result.error;
  };
  EXPECT_THAT(start_a({"node.a.key_file=" + path("none.key")}), HasSubstr("none that can be read"));
  EXPECT_THAT(start_a({"node.a.key_file=" + path("b.key")}),
              HasSubstr("among public_keys of node \"a\", found others"));
  fs::permissions(path("a.key"), fs::perms::group_read, fs::perm_options::add);
  EXPECT_THAT(start_a({}), HasSubstr("(mode 0600), found mode 0640"));
  EXPECT_THAT(start_a({"node.b.public_keys=[]"}), HasSubstr("of every node or of none"));
  const ProgramResult again = run_and_wait(program, {"keygen", path("a.key")});
  EXPECT_EQ(again.code, 1);
  EXPECT_THAT(again.error, HasSubstr("never overwritten"));
  const ProgramResult shown = run_and_wait(program, {"keygen", "--show", path("b.key")});
  EXPECT_EQ(shown.out, public_keys_["b"] + '\n') << shown.error;
}

}  // namespace
}  // namespace coterie
