#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "node/address.hpp"
#include "node/address_lookup.hpp"
#include "node/config.hpp"
#include "node/config_keys.hpp"
#include "process/seeded_random.hpp"

using namespace std::chrono_literals;

namespace coterie {
namespace {

const std::string source_dir = COTERIE_SOURCE_DIR;

// Two nodes on one host; tests append to it or replace parts of it.
const std::string good = R"([cluster]
id = "test"
journal = "sqlite:data/journal"

[lease]
interval = "100ms"
length = "1s"

[[node]]
name = "a"
listen = "127.0.0.1:7101"
client_listen = "127.0.0.1:7201"
kinds = ["contracts", "carts"]

[[node]]
name = "b"
listen = "localhost:7102"
weight = 50
)";

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const std::size_t at = text.find(what);
  EXPECT_NE(at, text.npos) << what;
  return text.replace(at, what.size(), with);
}

std::string error_of(const std::string& text, std::vector<ConfigOverride> overrides = {}) {
  const auto config = parse_config(text, "etc/c.toml", overrides);
  return config ? "accepted" : to_string(config.error());
}

class NamesResolver final : public HostResolver {
 public:
  explicit NamesResolver(std::set<std::string> known) : known_(std::move(known)) {}
  std::expected<std::vector<std::string>, std::string> resolve(const std::string& host) override {
    if (known_.contains(host)) return std::vector<std::string>{"10.0.0.1"};
    return std::unexpected("Name or service not known");
  }

 private:
  std::set<std::string> known_;
};

TEST(Config, ReadsEverySection) {
  // Goal: what is written arrives, what is not has the documented default.
  const auto config = parse_config(good + R"(
[log]
level = "warning"
format = "json"
modules = { transport = "debug" }
[link]
window_bytes = "1MiB"
frame_bytes_max = 8192
[cluster.unused]
)",
                                   "etc/c.toml");
  ASSERT_FALSE(config.has_value());  // a table that no key is in
  const auto again = parse_config(good + R"(
[log]
level = "warning"
format = "json"
modules = { transport = "debug" }
[link]
window_bytes = "1MiB"
frame_bytes_max = 8192
)",
                                  "etc/c.toml");
  ASSERT_TRUE(again.has_value()) << to_string(again.error());
  EXPECT_EQ(again->cluster.id, "test");
  EXPECT_EQ(again->cluster.agreement, AgreementEngine::store);
  EXPECT_EQ(again->lease.interval, 100ms);
  EXPECT_EQ(again->lease.length, 1s);
  EXPECT_EQ(again->lease.partial_evict, 20s);
  EXPECT_EQ(again->storage.wait, 500ms);
  EXPECT_EQ(again->log.level, LogLevel::warning);
  EXPECT_EQ(again->log.format, LogFormat::json);
  EXPECT_EQ(again->log.modules[static_cast<std::size_t>(LogModule::transport)], LogLevel::debug);
  EXPECT_EQ(again->log.modules[static_cast<std::size_t>(LogModule::node)], std::nullopt);
  EXPECT_EQ(again->link.window_bytes, 1u << 20);
  EXPECT_EQ(again->link.frame_bytes_max, 8192u);
  EXPECT_EQ(again->mailbox.messages, 1'048'576u);
  ASSERT_EQ(again->nodes.size(), 2u);
  const NodeSection* a = again->find("a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->kinds, (std::vector<std::string>{"contracts", "carts"}));
  EXPECT_EQ(a->advertise, "127.0.0.1:7101");
  EXPECT_EQ(a->client_advertise, "127.0.0.1:7201");
  EXPECT_EQ(a->weight, 100u);
  EXPECT_FALSE(a->respawn);
  EXPECT_EQ(again->find("b")->weight, 50u);
  EXPECT_EQ(again->find("b")->client_listen, "");
  EXPECT_EQ(again->find("c"), nullptr);
}

TEST(Config, PathsAreRelativeToTheFile) {
  // Goal: nodes that are started from different directories share one journal.
  const auto config = parse_config(good, "etc/../conf/c.toml");
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->cluster.journal, "sqlite:conf/data/journal");
  EXPECT_EQ(config->nodes[0].state_dir, "conf/coterie-data/test/a");
  const auto absolute = parse_config(replaced(good, "data/journal", "/var/lib/j"), "etc/c.toml");
  ASSERT_TRUE(absolute.has_value());
  EXPECT_EQ(absolute->cluster.journal, "sqlite:/var/lib/j");
}

TEST(Config, ErrorsAreOneLineWithPlaceExpectedAndFound) {
  // Goal: each kind of mistake, as an operator meets it.
  struct Case {
    std::string from, to, error;
  };
  const std::vector<Case> cases = {
      {"interval = \"100ms\"", "intervall = \"100ms\"",
       "etc/c.toml:6:1: unknown key \"lease.intervall\"; did you mean \"lease.interval\"?"},
      {"[lease]", "[lese]", "etc/c.toml:5:2: unknown key \"lese\"; did you mean \"lease\"?"},
      {"weight = 50", "wieght = 50",
       "etc/c.toml:18:1: unknown key \"node.wieght\"; did you mean \"weight\"?"},
      {"\"100ms\"", "100",
       "etc/c.toml:6:12: lease.interval: expected a duration in quotes with a unit (us, ms, s, m, "
       "h) such as \"250ms\", found 100"},
      {"\"100ms\"", "\"1ms\"",
       "etc/c.toml:6:12: lease.interval: expected a duration of 10ms..10s, found \"1ms\""},
      {"weight = 50", "weight = 0",
       "etc/c.toml:18:10: node.weight: expected an integer of 1..10000, found 0"},
      {"weight = 50", "weight = \"50\"",
       "etc/c.toml:18:10: node.weight: expected an integer of 1..10000, found \"50\""},
      {"\"1s\"", "\"400ms\"",
       "etc/c.toml:7:10: expected lease.length >= 5 x lease.interval, found 400ms and 100ms; a "
       "lease must survive a few renewals that fail: raise the length or lower the interval"},
      {"name = \"b\"", "name = \"a\"",
       "etc/c.toml:16:8: expected a name of its own, found \"a\" as in line 10; rename one of the "
       "nodes"},
      {"7102", "7201",
       "etc/c.toml:17:10: expected a port of its own, found port 7201 as in line 12; give one of "
       "them another port"},
      {"localhost:7102", "localhost",
       "etc/c.toml:17:10: node.listen: expected an address host:port such as \"127.0.0.1:7101\", "
       "found \"localhost\""},
      {"localhost:7102", "10.0.0.1:7102",
       "etc/c.toml:17:10: expected a loopback address such as \"127.0.0.1:7101\", or keys, found "
       "\"10.0.0.1:7102\" without; make a key for each node with `coterie keygen` and write "
       "key_file and public_keys, or insecure = true under [cluster] to trust whoever reaches this "
       "port"},
      {"name = \"b\"", "name = \"b\"\npublic_keys = [\"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\"]",
       "etc/c.toml:9:1: expected public_keys of every node or of none, found none of node \"a\"; "
       "make a key with `coterie keygen`"},
      {"name = \"b\"", "name = \"b\"\npublic_keys = [\"short\"]",
       "etc/c.toml:17:15: node.public_keys: expected a public key of 40 characters, as `coterie "
       "keygen` prints it, found \"short\""},
      {"name = \"b\"", "name = \"b\"\nkey_file = \"b.key\"",
       "etc/c.toml:17:12: expected public_keys beside key_file, found none; write what `coterie "
       "keygen --show etc/b.key` prints"},
      {"[cluster]", "[[client]]\nname = \"x\"\nrole = \"root\"\n[cluster]",
       "etc/c.toml:3:8: client.role: expected one of \"client\", \"operator\", found \"root\""},
      {"[cluster]",
       "[[client]]\nname = \"x\"\npublic_keys = "
       "[\"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\"]\n[cluster]",
       "etc/c.toml:3:15: expected keys of the nodes too, found none; make one for each node with "
       "`coterie keygen`"},
      {"id = \"test\"", "id = \"test\"\nagreement = \"voters\"\n",
       "etc/c.toml:3:13: expected voters for two nodes, which cannot decide without each other, "
       "found none; add a third node without kinds on another host, or write voters = [\"a\"]: "
       "then "
       "the cluster lives as long as a does"},
      {"id = \"test\"", "id = \"test\"\nvoters = [\"a\"]\n",
       "etc/c.toml:3:10: expected voters only beside agreement = \"voters\", found them beside "
       "\"store\"; remove them, or change the agreement"},
      {"id = \"test\"", "id = \"test\"\nagreement = \"voters\"\nvoters = [\"a\", \"b\"]\n",
       "etc/c.toml:4:10: expected 1, 3, 5 or 7 voters, found 2; three survive the loss of one, "
       "five "
       "of two, an even number of no more than one less"},
      {"[cluster]", "[[distributed]]\nname = \"x\"\nnodes = [\"a\", \"{b, d}\"]\n[cluster]",
       "etc/c.toml:3:9: expected names of nodes in this file, found \"d\""},
      {"[cluster]", "[[distributed]]\nname = \"x\"\nnodes = [\"a\", \"{b, a}\"]\n[cluster]",
       "etc/c.toml:3:9: expected each node once, found \"a\" again"},
      {"[cluster]", "[[distributed]]\nname = \"x\"\nnodes = [\"a\", \"b, c\"]\n[cluster]",
       "etc/c.toml:3:9: distributed.nodes: expected names in order of priority, equals in braces, "
       "such as [\"a\", \"{b, c}\"], found [\"a\", \"b, c\"]"},
      {"[cluster]", "[[distributed]]\nname = \"x\"\n[cluster]",
       "etc/c.toml:1:1: expected name and nodes in this [[distributed]], found no nodes; write "
       "name "
       "= \"billing\", nodes = [\"a\", \"{b, c}\"]"},
      {"[cluster]", "[[distributed]]\nname = \"x\"\nnode = [\"a\"]\n[cluster]",
       "etc/c.toml:3:1: unknown key \"distributed.node\"; did you mean \"nodes\"?"},
      {"[cluster]", "[security]\nerpc_from = [\"*\", \"d\"]\n[cluster]",
       "etc/c.toml:2:13: expected names of nodes in this file, or \"*\" for all, found \"d\""},
      {"id = \"test\"", "id = \"test\"\nagreement = \"voters\"\nvoters = [\"d\"]\n",
       "etc/c.toml:4:10: expected names of nodes in this file, found \"d\""},
      {"id = \"test\"", "id = \"test\"\nmode = \"strickt\"",
       "etc/c.toml:3:8: cluster.mode: expected one of \"strict\", found \"strickt\"; did you mean "
       "\"strict\"?"},
      {"id = \"test\"", "id = \"test\"\nmode = \"available\"",
       "etc/c.toml:3:8: cluster.mode: expected \"strict\", found \"available\"; a single registry "
       "of "
       "the program's may be that (RegistryOptions), a cluster is not"},
      {"sqlite:data/journal", "mysql:x",
       "etc/c.toml:3:11: cluster.journal: expected \"sqlite:DIRECTORY\" (nodes of one host), "
       "\"postgres:CONNINFO\" or \"memory\" (one process), found \"mysql:x\""},
      {"id = \"test\"\n", "",
       "etc/c.toml:1:2: expected cluster.id, found none; name the cluster: id = \"production\""},
      {"listen = \"localhost:7102\"\n", "",
       "etc/c.toml:15:1: expected listen in this [[node]], found none; write listen = "
       "\"127.0.0.1:7101\""},
      {"[\"contracts\", \"carts\"]", "[\"contracts\", 1]",
       "etc/c.toml:13:9: node.kinds: expected a value, found a list of other values than texts"},
      {"[\"contracts\", \"carts\"]", "[\"x\", \"x\"]",
       "etc/c.toml:13:9: expected each kind once, found \"x\" again"},
      {"[lease]", "[lease", "etc/c.toml:5:7: "},
      {"[[node]]", "[node]", "etc/c.toml:15:"},
  };
  for (const Case& c : cases) {
    const std::string error = error_of(replaced(good, c.from, c.to));
    EXPECT_EQ(error.substr(0, c.error.ends_with(' ') || c.error.ends_with(':') ? c.error.size()
                                                                               : error.npos),
              c.error);
    EXPECT_EQ(error.find('\n'), error.npos) << error;
  }
}

TEST(Config, TheFirstErrorOfTheFileIsShown) {
  // Goal: people mend a file from its top, whatever the order in which keys are checked.
  const std::string text = replaced(replaced(good, "\"100ms\"", "5"), "weight = 50", "weight = 0");
  EXPECT_EQ(error_of(text).find("etc/c.toml:6:12: lease.interval"), 0u);
}

TEST(Config, EveryKeyIsUsed) {
  // Goal: no key is read, documented and then forgotten: a part of the node takes its field.
  std::string node;
  for (const auto& entry : std::filesystem::directory_iterator(source_dir + "/node")) {
    const std::string name = entry.path().filename();
    // These read and write configurations; whatever they name has no effect by that.
    if (!name.ends_with(".cpp") || name.starts_with("config") || name.starts_with("local_")) {
      continue;
    }
    std::ifstream file(entry.path());
    node.append(std::istreambuf_iterator<char>(file), {});
  }
  const auto takes = [&](const std::string& field) {
    for (auto at = node.find(field); at != node.npos; at = node.find(field, at + 1)) {
      const char next = node.at(at + field.size());
      if (std::isalnum(static_cast<unsigned char>(next)) == 0 && next != '_') return true;
    }
    return false;
  };
  for (const ConfigKey& key : config_keys()) {
    if (key.path == "cluster.mode") continue;  // one value
    std::string field = "." + key.path;
    if (key.path.starts_with("log.")) field = "section." + key.path.substr(4);
    if (key.path.starts_with("log.modules.")) field = "section.modules";
    EXPECT_TRUE(takes(field)) << key.path << " has no effect";
  }
  for (const NodeKey& key : node_keys()) {
    EXPECT_TRUE(takes("own." + key.name) || takes("own_." + key.name) ||
                takes("own->" + key.name) || takes("node." + key.name))
        << "node." << key.name << " has no effect";
  }
  for (const DistributedKey& key : distributed_keys()) {
    EXPECT_TRUE(takes("section." + key.name)) << "distributed." << key.name << " has no effect";
  }
  for (const ClientKey& key : client_keys()) {
    const std::string field = key.name == "role" ? "is_operator" : key.name;
    EXPECT_TRUE(takes("client." + field)) << "client." << key.name << " has no effect";
  }
}

TEST(Config, SeveralHostsNeedASharedJournalAndReachableAddresses) {
  // Goal: a cluster that could not be one is refused with the line to write instead.
  const std::string hosts = replaced(replaced(replaced(good, "127.0.0.1:7101", "10.0.0.1:7101"),
                                              "127.0.0.1:7201", "10.0.0.1:7201"),
                                     "localhost:7102", "10.0.0.2:7101");
  const std::string insecure = replaced(hosts, "[cluster]", "[cluster]\ninsecure = true");
  EXPECT_EQ(error_of(insecure),
            "etc/c.toml:4:11: expected a journal that every host reaches, found "
            "\"sqlite:etc/data/journal\" for nodes on 2 hosts; write journal = "
            "\"postgres:host=DB dbname=coterie user=coterie\"");
  const std::string shared = replaced(insecure, "sqlite:data/journal", "postgres:host=db");
  EXPECT_EQ(error_of(shared), "accepted");
  EXPECT_EQ(error_of(replaced(shared, "10.0.0.2:7101", "127.0.0.1:7101")),
            "etc/c.toml:18:10: expected an address that the other hosts reach, found "
            "\"127.0.0.1:7101\"; write this host's own address");
  EXPECT_EQ(error_of(replaced(shared, "10.0.0.2:7101", "0.0.0.0:7101")),
            "etc/c.toml:18:10: expected advertise beside \"0.0.0.0:7101\", found none; others "
            "cannot dial every interface: write advertise = \"HOST:7101\"");
  EXPECT_EQ(error_of(replaced(shared, "listen = \"10.0.0.2:7101\"",
                              "listen = \"0.0.0.0:7101\"\nadvertise = \"10.0.0.2:7101\"")),
            "accepted");
  // One host under one address off loopback may share SQLite.
  EXPECT_EQ(error_of(replaced(insecure, "10.0.0.2:7101", "10.0.0.1:7102")), "accepted");
}

TEST(Config, KeysOpenListenersOffLoopback) {
  // Goal: with a key for every node no port has to be trusted, and each key has one holder.
  const std::string first = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
  const std::string second = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
  const auto keys = [](const std::string& name, const std::string& key) {
    return "name = \"" + name + "\"\nkey_file = \"keys/" + name + ".key\"\npublic_keys = [\"" +
           key + "\"]";
  };
  std::string text = replaced(good, "name = \"a\"", keys("a", first));
  text = replaced(text, "name = \"b\"", keys("b", second));
  text = replaced(text, "localhost:7102", "10.0.0.1:7102");
  text = replaced(text, "127.0.0.1:7101", "10.0.0.1:7101");
  const auto config = parse_config(text, "etc/c.toml");
  ASSERT_TRUE(config) << to_string(config.error());
  EXPECT_TRUE(config->has_keys());
  EXPECT_EQ(config->nodes[0].key_file, "etc/keys/a.key");
  EXPECT_EQ(config->nodes[1].public_keys, std::vector{second});
  EXPECT_NE(
      error_of(replaced(text, second, first)).find("expected a key of one holder, found " + first),
      std::string::npos);
  EXPECT_NE(error_of(replaced(text, "[cluster]", "[cluster]\ninsecure = true"))
                .find("expected no insecure = true beside keys"),
            std::string::npos);
  const std::string clients = "[[client]]\nname = \"ops\"\nrole = \"operator\"\npublic_keys = [\"";
  EXPECT_NE(error_of(text + clients + first + "\"]\n").find("expected a key of one holder"),
            std::string::npos);
  const auto third = parse_config(
      text + clients + "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6\"]\n", "etc/c.toml",
      std::vector<ConfigOverride>{{"client.ops.role", std::string("client"), {"test", 1, 1}}});
  ASSERT_TRUE(third) << to_string(third.error());
  EXPECT_FALSE(third->clients[0].is_operator);
}

TEST(Config, TwoNodesAreEnoughWithTheStore) {
  // Goal: the rule against strict pairs is one of voters; here the database decides.
  EXPECT_EQ(error_of(good), "accepted");
}

TEST(Config, PortsCollideOnlyWhereTheyDo) {
  // Goal: the same port on two hosts is fine, on all interfaces of one host it is not.
  const std::string wide = R"([cluster]
id = "test"
journal = "postgres:host=db"
insecure = true
[[node]]
name = "a"
listen = "0.0.0.0:7101"
advertise = "10.0.0.1:7101"
client_listen = "127.0.0.1:7201"
[[node]]
name = "b"
listen = "0.0.0.0:7101"
advertise = "10.0.0.2:7101"
)";
  EXPECT_EQ(error_of(wide), "accepted");
  EXPECT_NE(
      error_of(replaced(wide, "127.0.0.1:7201", "127.0.0.1:7101")).find("9:17: expected a port"),
      std::string::npos);
  EXPECT_NE(
      error_of(replaced(wide, "10.0.0.2:7101", "10.0.0.1:7101")).find("12:10: expected a port"),
      std::string::npos);
  // The loopbacks of two machines are two; an address may be advertised once.
  EXPECT_EQ(error_of(wide + "client_listen = \"127.0.0.1:7201\"\n"), "accepted");
  EXPECT_EQ(error_of(replaced(wide, "listen = \"0.0.0.0:7101\"\nadvertise = \"10.0.0.2:7101\"",
                              "listen = \"0.0.0.0:7103\"\nadvertise = \"10.0.0.1:7101\"")),
            "etc/c.toml:13:13: expected an address of its own, found that of node \"a\" "
            "(10.0.0.1:7101)");
}

TEST(Config, OverridesSetAnyKeyAndSayWhereTheyStand) {
  // Goal: scenario files change keys of the cluster file under the same rules.
  const ConfigPlace here{"s.toml", 9, 3};
  const std::vector<ConfigOverride> changes = {{"lease.length", std::string("3s"), here},
                                               {"node.b.weight", std::int64_t{7}, here},
                                               {"cluster.journal", std::string("memory"), here},
                                               {"log.modules.node", std::string("off"), here}};
  const auto config = parse_config(good, "etc/c.toml", changes);
  ASSERT_TRUE(config.has_value()) << to_string(config.error());
  EXPECT_EQ(config->lease.length, 3s);
  EXPECT_EQ(config->storage.wait, 1s);
  EXPECT_EQ(config->find("b")->weight, 7u);
  EXPECT_EQ(config->cluster.journal, "memory");
  EXPECT_EQ(error_of(good, {{"lease.lenght", std::string("3s"), here}}),
            "s.toml:9:3: unknown key \"lease.lenght\"; did you mean \"lease.length\"?");
  EXPECT_EQ(
      error_of(good, {{"lease.length", std::string("3"), here}}).find("s.toml:9:3: lease.length: "),
      0u);
  EXPECT_EQ(error_of(good, {{"node.z.weight", std::int64_t{7}, here}}),
            "s.toml:9:3: expected a node of the cluster in \"node.z.weight\", found \"z\"");
  EXPECT_EQ(error_of(good, {{"lease.length", std::string("200ms"), here}})
                .find("s.toml:9:3: expected lease.length >= 5 x"),
            0u);
}

TEST(Config, ValuesOfOverridesAreReadAsTomlWritesThem) {
  // Goal: scenario files and the command line hand values on as text.
  EXPECT_EQ(parse_config_value("\"2s\""), ConfigValue(std::string("2s")));
  EXPECT_EQ(parse_config_value("7"), ConfigValue(std::int64_t{7}));
  EXPECT_EQ(parse_config_value("true"), ConfigValue(true));
  EXPECT_EQ(parse_config_value("[\"a\"]"), ConfigValue(std::vector<std::string>{"a"}));
  for (const char* wrong : {"", "2s", "{}", "1979-05-27", "1\ny = 2"}) {
    EXPECT_FALSE(parse_config_value(wrong).has_value()) << wrong;
  }
}

TEST(Config, OwnAddressesMustResolveWhenTheNodeStarts) {
  // Goal: an own name that does not resolve ends the start; another node's does not matter here.
  std::string text = replaced(good, "[cluster]", "[cluster]\ninsecure = true");
  text = replaced(text, "sqlite:data/journal", "postgres:host=db");
  text = replaced(text, "127.0.0.1:7101", "alpha:7101");
  text = replaced(text, "127.0.0.1:7201", "alpha:7201");
  text = replaced(text, "localhost:7102", "beta:7102");
  const auto config = parse_config(text, "c.toml");
  ASSERT_TRUE(config.has_value()) << to_string(config.error());
  NamesResolver resolver({"alpha"});
  EXPECT_TRUE(check_own_node(*config, "a", resolver).has_value());
  const auto b = check_own_node(*config, "b", resolver);
  ASSERT_FALSE(b.has_value());
  EXPECT_EQ(to_string(b.error()),
            "c.toml:16:1: expected an address of this host for node \"b\", found \"beta:7102\", "
            "which does not resolve: Name or service not known; write an IP address or correct the "
            "name");
  const auto stranger = check_own_node(*config, "x", resolver);
  ASSERT_FALSE(stranger.has_value());
  EXPECT_EQ(to_string(stranger.error()),
            "c.toml: expected a node of this cluster (a, b), found \"x\"");
}

TEST(Config, MemoryIsNoJournalOfSeveralPrograms) {
  // Goal: two programs with a memory each would be two clusters.
  const auto config = parse_config(replaced(good, "sqlite:data/journal", "memory"), "c.toml");
  ASSERT_TRUE(config.has_value());
  NamesResolver resolver({"127.0.0.1"});
  const auto own = check_own_node(*config, "a", resolver);
  ASSERT_FALSE(own.has_value());
  EXPECT_EQ(to_string(own.error()).find("c.toml:9:1: expected a journal that 2 programs can share"),
            0u);
}

TEST(Config, TheSystemResolverKnowsLocalhostAndRefusesNonsense) {
  // Goal: the real resolver behind the port; `.invalid` never resolves (RFC 2606).
  SystemResolver resolver;
  const auto local = resolver.resolve("127.0.0.1");
  ASSERT_TRUE(local.has_value());
  EXPECT_EQ(local->front(), "127.0.0.1");
  EXPECT_FALSE(resolver.resolve("no-such-host.invalid").has_value());
}

TEST(Config, DigestCoversWhatMustBeEqualAndNothingElse) {
  // Goal: nodes with other leases refuse each other; addresses and sizes may differ.
  const auto digest = [](const std::string& text) {
    const auto config = parse_config(text, "c.toml");
    EXPECT_TRUE(config.has_value());
    return config ? config_digest(*config) : "";
  };
  const std::string base = digest(good);
  EXPECT_EQ(base, "3d5960b4cb6155d7");  // stable: other versions compare with it
  EXPECT_EQ(digest(replaced(good, "7101", "7111")), base);
  EXPECT_EQ(digest(replaced(good, "weight = 50", "weight = 51")), base);
  EXPECT_EQ(digest(replaced(good, "data/journal", "./data/journal")), base);
  EXPECT_EQ(digest(replaced(good, "\"1s\"", "\"1000ms\"")), base);
  EXPECT_NE(digest(replaced(good, "\"1s\"", "\"1001ms\"")), base);
  EXPECT_NE(digest(replaced(good, "\"test\"", "\"tesu\"")), base);
  EXPECT_NE(digest(replaced(good, "sqlite:data/journal", "postgres:x")), base);
  EXPECT_EQ(digest(replaced(good, "[lease]", "names = \"members\"\n[lease]")), base);
  EXPECT_NE(digest(replaced(good, "[lease]", "names = \"store\"\n[lease]")), base);
  const auto placed = [&](const std::string& keys) {
    return digest(good + "[[distributed]]\nname = \"x\"\n" + keys);
  };
  const std::string by_file = placed("nodes = [\"a\", \"b\"]\ntimeout = \"1s\"\n");
  EXPECT_NE(by_file, base);
  EXPECT_EQ(placed("nodes = [\"{ a }\", \"b\"]\ntimeout = \"1000ms\"\n"), by_file);
  EXPECT_NE(placed("nodes = [\"{a, b}\"]\ntimeout = \"1s\"\n"), by_file);
  EXPECT_NE(placed("nodes = [\"a\", \"b\"]\nsync = \"1s\"\n"), by_file);
}

TEST(Config, ShippedFilesAreGood) {
  // Goal: what newcomers start from parses, and its words are those that scenarios use.
  for (const auto& [file, names] : std::map<std::string, std::string>{
           {"local-3", "abc"}, {"local-5", "abcde"}, {"hosts-3", "abc"}}) {
    const auto config = load_config(source_dir + "/cluster-configs/" + file + ".toml");
    ASSERT_TRUE(config.has_value()) << to_string(config.error());
    std::string found;
    for (const NodeSection& node : config->nodes) {
      found += node.name;
      EXPECT_EQ(node.kinds, (std::vector<std::string>{"contracts", "payments"}));
      EXPECT_FALSE(node.client_listen.empty());
      EXPECT_TRUE(node.state_dir.starts_with(source_dir + "/coterie-data/" + file + '/'));
    }
    EXPECT_EQ(found, names);
    EXPECT_EQ(config->cluster.id, file);
    EXPECT_EQ(config->lease.interval, 200ms);
    EXPECT_EQ(config->lease.length, 2s);
  }
}

TEST(Config, FilesThatCannotBeReadAreErrors) {
  // Goal: a wrong path is one line, whatever stands there.
  for (const std::string path : {"/no/such/file.toml", "/"}) {
    const auto config = load_config(path);
    ASSERT_FALSE(config.has_value());
    EXPECT_EQ(to_string(config.error()).find(path + ": expected a cluster file, found "), 0u)
        << to_string(config.error());
  }
  EXPECT_EQ(to_string(load_config("/dev/zero").error()),
            "/dev/zero: expected at most 4 MiB, found more");
}

TEST(Config, EveryKeyIsDocumented) {
  // Goal: docs/configuration.md has a row for each key of the parser, and none for others.
  std::ifstream file(source_dir + "/docs/configuration.md");
  std::set<std::string> documented;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| `")) continue;
    const std::string key = line.substr(3, line.find('`', 3) - 3);
    const std::size_t cells = static_cast<std::size_t>(std::ranges::count(line, '|'));
    if (cells < 4) continue;  // a row of the rules
    EXPECT_TRUE(documented.insert(key).second) << key << " twice";
  }
  std::set<std::string> known;
  for (const ConfigKey& key : config_keys()) known.insert(key.path);
  for (const NodeKey& key : node_keys()) known.insert("node." + key.name);
  for (const ClientKey& key : client_keys()) known.insert("client." + key.name);
  for (const DistributedKey& key : distributed_keys()) known.insert("distributed." + key.name);
  EXPECT_EQ(documented, known);
}

TEST(Config, MutatedFilesEndInAConfigOrALine) {
  // Goal: no bytes bring it down, and every answer is one line.
  SeededRandom random(5);
  int refused = 0;
  for (int round = 0; round < 2'000; ++round) {
    std::string text = good;
    for (auto changes = 1 + random.below(3); changes > 0; --changes) {
      const auto at = static_cast<std::size_t>(random.below(text.size()));
      if (random.below(2) == 0) {
        text[at] = static_cast<char>(random.next());
      } else {
        text.erase(at, 1 + random.below(12));
      }
    }
    const auto config = parse_config(text, "c.toml");
    if (config) continue;
    ++refused;
    const std::string line = to_string(config.error());
    EXPECT_EQ(line.find("c.toml"), 0u);
    EXPECT_EQ(line.find('\n'), line.npos) << line;
  }
  EXPECT_GT(refused, 1000);
}

TEST(Address, ReadsHostsAndPorts) {
  // Goal: names, IPv4, IPv6 and wildcards; nothing half-right.
  EXPECT_EQ(parse_address("[::1]:7101")->host, "::1");
  EXPECT_TRUE(parse_address("[::1]:7101")->loopback());
  EXPECT_TRUE(parse_address("127.3.2.1:1")->loopback());
  EXPECT_FALSE(parse_address("127.example.org:1")->loopback());
  EXPECT_FALSE(parse_address("10.0.0.1:65535")->loopback());
  EXPECT_TRUE(parse_address("*:7101")->wildcard());
  for (const char* wrong : {"", ":1", "a", "a:", "a:0", "a:65536", "a:-1", "a:1x", "::1:7101",
                            "[::1]", "[]:1", "1.2.3:4", "1.2.3.256:4", "a b:1", "a/b:1"}) {
    EXPECT_FALSE(parse_address(wrong).has_value()) << wrong;
  }
}

}  // namespace
}  // namespace coterie
