// journal.*: servers that journal before they answer, and SQLite alone with the same batches.

#include <sqlite3.h>

#include <atomic>

#include <coterie/journal.hpp>

#include "bench/cluster.hpp"
#include "bench/local_node.hpp"
#include "journal/group_commit.hpp"
#include "journal/open_storage.hpp"
#include "node/run_directory.hpp"

namespace coterie::bench {
namespace {

constexpr std::size_t callers = 256;
constexpr int calls_each = 240;  // about half a second: a shorter run is one stall of the disk

class Journalled final : public GenServer {
 public:
  struct Deposit {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "bench.deposit";
    std::int64_t amount = 1;
  };
  struct Deposited {
    std::int64_t amount = 0;
  };
  using Calls = Messages<Deposit>;

  explicit Journalled(std::string stream) : stream_(std::move(stream)) {}
  Init init() {
    const auto opened = journal_.open(stream_, [this](const Deposited& e) { sum_ += e.amount; });
    if (!opened) return stop_init(opened.error().reason());
    return ok();
  }
  Outcome<std::int64_t> handle_call(const Deposit& deposit) {
    if (auto stored = journal_.append(Deposited{deposit.amount}); !stored) {
      return fail(stored.error());
    }
    return sum_ += deposit.amount;
  }

 private:
  const std::string stream_;
  Journal journal_;
  std::int64_t sum_ = 0;
};

/// Gives every server its name and an epoch, as a cluster's directory does; nobody competes.
class Epochs final : public NameService {
 public:
  NameResult<Location> resolve(std::string_view, std::string_view, bool, Duration) override {
    return std::unexpected(NameError{});
  }
  void forget(std::string_view, std::string_view, const Location&) override {}
  NameResult<Registration> reserve(std::string_view, std::string_view, Pid, Duration) override {
    const std::uint64_t id = ++last_;
    return Registration{id, Epoch{1, id}};
  }
  NameResult<void> confirm(std::string_view, std::string_view, const Registration&,
                           Duration) override {
    return {};
  }
  void release(std::string_view, std::string_view, const Pid&, const Registration&) override {}

 private:
  std::atomic<std::uint64_t> last_ = 0;
};

/// Commands per second, and how many shared a commit.
std::pair<double, double> ours() {
  const auto directory = RunDirectory::make("", "bench").value();
  auto storage = open_storage(
      {.description = "sqlite:" + directory.path().string(), .node = "a", .cluster_id = "bench"});
  if (!storage) {
    std::fprintf(stderr, "coterie_bench: %s\n", storage.error().message.c_str());
    return {0, 1};
  }
  Epochs epochs;
  LocalNames names(&epochs);
  names.add_cluster("accounts");
  Node node;
  node.runtime.set_names(&names);
  const auto appends = node.executor.make_strand("journal");
  const auto opens = node.executor.make_strand("replay");
  double per_second = 0, batch = 1;
  std::vector<Pid> servers;
  {
    JournalWriter writer(*storage->streams, *appends, *opens);
    node.runtime.set_journals(&writer);
    for (std::size_t i = 0; i < callers; ++i) {
      const std::string number = std::to_string(i);
      auto started =
          GenServer::start<Journalled>({.name = via("accounts", number)}, "stream/" + number);
      if (!started) {
        std::fprintf(stderr, "coterie_bench: %s\n", to_string(started.error()).c_str());
        return {0, 1};
      }
      servers.push_back(*started);
    }
    const auto before = writer.append_counters();
    per_second = rate(node, static_cast<double>(callers) * calls_each, [&servers] {
      std::vector<Ref> ends;
      for (const Pid& server : servers) {
        ends.push_back(
            spawn_monitor([server] {
              for (int i = 0; i < calls_each; ++i) {
                static_cast<void>(
                    call(server, Journalled::Deposit{}, std::chrono::seconds(30)).value());
              }
            }).second);
      }
      for (const Ref end : ends) {
        receive(when([end](const Down& down) { return down.ref == end; }, [](const Down&) {}));
      }
    });
    const auto counted = writer.append_counters();
    batch = static_cast<double>(callers) * calls_each /
            std::max<double>(1, static_cast<double>(counted.batches - before.batches));
    stop_all(servers);
    node.runtime.set_journals(nullptr);
  }
  return {per_second, batch};
}

/// Rows per second that SQLite stores durably, `batch` to a commit.
double raw(std::size_t batch) {
  const auto directory = RunDirectory::make("", "bench").value();
  SystemClock clock;
  sqlite3* db = nullptr;
  sqlite3_stmt* insert = nullptr;
  const auto run = [&](const char* sql) { sqlite3_exec(db, sql, nullptr, nullptr, nullptr); };
  sqlite3_open((directory.path() / "raw.db").c_str(), &db);
  run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
      "CREATE TABLE events(stream TEXT NOT NULL, sequence INTEGER NOT NULL, payload BLOB NOT NULL,"
      " PRIMARY KEY(stream, sequence)) WITHOUT ROWID");
  sqlite3_prepare_v2(db, "INSERT INTO events VALUES(?, ?, ?)", -1, &insert, nullptr);
  constexpr std::size_t rows = callers * calls_each;
  const Time begin = clock.now();
  for (std::size_t row = 0; row < rows;) {
    run("BEGIN IMMEDIATE");
    for (std::size_t i = 0; i < batch && row < rows; ++i, ++row) {
      const std::string stream = "stream/" + std::to_string(row % callers);
      sqlite3_bind_text(insert, 1, stream.c_str(), -1, SQLITE_TRANSIENT);
      sqlite3_bind_int64(insert, 2, static_cast<sqlite3_int64>(row / callers));
      sqlite3_bind_blob(insert, 3, "event", 5, SQLITE_STATIC);
      sqlite3_step(insert);
      sqlite3_reset(insert);
    }
    run("COMMIT");
  }
  const double took = seconds(clock.now() - begin);
  sqlite3_finalize(insert);
  sqlite3_close(db);
  return rows / took;
}

}  // namespace

void measure_journal(Figures& figures) {
  if (!figures.wanted("journal")) return;
  std::vector<double> commands, ratios;
  for (int i = 0; i < 5; ++i) {
    const auto [per_second, batch] = ours();
    if (per_second == 0) return;
    commands.push_back(per_second);
    ratios.push_back(per_second / raw(static_cast<std::size_t>(batch + 0.5)));
  }
  figures.report("journal.commands.256c", "per_s", commands);
  figures.report("journal.commands.256c.over_sqlite", "x", ratios);
}

}  // namespace coterie::bench
