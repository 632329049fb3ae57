// `coterie journal` on both durable engines: lists, shows, checks and exports events and snapshots,
// names what is damaged, and refuses what is wrong. No node runs.

#include <fstream>
#include <iterator>

#include "journal/open_storage.hpp"
#include "journal/sqlite_connection.hpp"
#include "tests/journal/postgres_admin.hpp"
#include "tests/node/program_fixture.hpp"

namespace coterie {
namespace {

class JournalCommand : public ProgramTest, public testing::WithParamInterface<std::string> {
 protected:
  JournalCommand() {
    const std::string where = postgres() ? "postgres:" + test::postgres_conninfo()
                                         : "sqlite:" + (root_ / "journal").string();
    make({{"cluster.journal", where, {"test", 1, 1}}, {"cluster.id", id_, {"test", 1, 1}}});
    fs::create_directories(root_ / "journal");
    StorageOptions options;
    options.description = where;
    options.node = "a";
    options.cluster_id = id_;
    auto opened = open_storage(options);
    EXPECT_TRUE(opened) << opened.error().message;
    streams_ = std::move(opened->streams);
    for (const std::string stream : {"boxes/one", "boxes/two", "other"}) {
      EXPECT_TRUE(streams_->open(stream, {1, 2}));
      append(stream, 1, {});
    }
    append("boxes/one", 2, pack(std::string("both")));
    append("boxes/one", 3, {});
  }
  ~JournalCommand() override {
    if (postgres()) test::drop_postgres_schema(id_);
  }

  static bool postgres() { return GetParam() == "postgres"; }
  void append(const std::string& stream, std::uint64_t sequence, std::optional<Bytes> snapshot) {
    Append append{stream, {1, 2}, sequence, {{.request_id = "r", .payload = pack(sequence)}}};
    append.snapshot = std::move(snapshot);
    const auto results = streams_->append({&append, 1});
    ASSERT_TRUE(results && results->front());
  }
  void change(const std::string& table, const std::string& what) {
    if (postgres()) {
      test::postgres_execute("UPDATE \"coterie_" + id_ + "\"." + table + " SET " + what);
      return;
    }
    auto file = detail::SqliteConnection::open((root_ / "journal/journal-a.db").string(),
                                               std::chrono::seconds(1));
    ASSERT_TRUE(file->execute(("UPDATE " + table + " SET " + what).c_str()));
  }
  ProgramResult journal(const std::string& word, Words arguments = {}) {
    Words all{"journal", word, "--config", cluster_->config_file().string()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return run_and_wait(program, all, 60s);
  }

  const std::string id_ = "journal-command-" + std::to_string(::getpid());
  std::unique_ptr<Streams> streams_;
};
INSTANTIATE_TEST_SUITE_P(, JournalCommand, testing::Values("sqlite", "postgres"),
                         [](const auto& engine) { return engine.param; });

// Goal: what is there, as text for people and as JSON lines.
TEST_P(JournalCommand, ListsShowsChecksAndExports) {
  EXPECT_EQ(journal("list").out, "boxes/one\nboxes/two\nother\n");
  EXPECT_EQ(journal("list", {"boxes/", "--counts"}).out,
            "boxes/one  3 events, 1 snapshots, 1 owners\n"
            "boxes/two  1 events, 0 snapshots, 1 owners\n");
  const std::string one =
      R"({"stream":"boxes/one","sequence":1,"epoch":[1,2],"request_id":"r","event":1,"outcome":null}
{"stream":"boxes/one","sequence":2,"epoch":[1,2],"request_id":"r","event":2,"outcome":null}
{"stream":"boxes/one","sequence":2,"epoch":[1,2],"snapshot":"both"}
{"stream":"boxes/one","sequence":3,"epoch":[1,2],"request_id":"r","event":3,"outcome":null}
)";
  const ProgramResult shown = journal("show", {"boxes/one"});
  EXPECT_EQ(shown.code, 0) << shown.error;
  EXPECT_EQ(shown.out, one);
  const ProgramResult whole = journal("verify");
  EXPECT_EQ(whole.code, 0) << whole.error;
  EXPECT_EQ(whole.out, "3 streams, 5 events, 1 snapshots, 0 streams damaged\n");
  const std::string file = (root_ / "out.jsonl").string();
  EXPECT_EQ(journal("export", {"boxes/one", "--to", file}).code, 0);
  std::ifstream in(file);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), one);
  EXPECT_EQ(journal("export", {"--to", file}).code, 2);  // exists already
}

// Goal: what is not there, and what is damaged, is told with its name, and the exit code says it.
TEST_P(JournalCommand, NamesWhatIsWrong) {
  const ProgramResult unknown = journal("show", {"boxes/onne"});
  EXPECT_EQ(unknown.code, 1);
  EXPECT_THAT(unknown.error, AllOf(HasSubstr("boxes/onne"), HasSubstr("boxes/one")));
  change("snapshots", "state = 'x'");
  const ProgramResult snapshot = journal("verify");
  EXPECT_EQ(snapshot.code, 1);
  EXPECT_THAT(snapshot.out, AllOf(HasSubstr("DAMAGED boxes/one: the snapshot of event 2"),
                                  HasSubstr("1 streams damaged")));
  const ProgramResult shown = journal("show", {"boxes/one"});  // its events are whole
  EXPECT_EQ(shown.code, 0) << shown.error;
  EXPECT_THAT(shown.out, HasSubstr("\"damaged_snapshot\":\"its checksum does not fit"));
  change("events", "payload = 'x' WHERE sequence = 3");
  const ProgramResult event = journal("show", {"boxes/one"});
  EXPECT_EQ(event.code, 1);
  EXPECT_THAT(event.error, HasSubstr("the checksum of event 3 does not fit"));
  EXPECT_EQ(journal("export").code, 1);
  EXPECT_EQ(journal("show", {"other"}).code, 0);
}

}  // namespace
}  // namespace coterie
