#include "journal/open_storage.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "journal/sqlite_records.hpp"
#include "journal/sqlite_streams.hpp"

#ifdef COTERIE_HAS_POSTGRES
#include "journal/postgres_records.hpp"
#include "journal/postgres_streams.hpp"
#endif

namespace coterie {
namespace {

constexpr std::string_view sqlite_prefix = "sqlite:";
constexpr std::string_view postgres_prefix = "postgres:";

template <class T>
std::unexpected<StorageError> failed(T& result) {
  return std::unexpected(std::move(result.error()));
}

std::unexpected<StorageError> misuse(std::string message) {
  return std::unexpected(StorageError{StorageError::Code::misuse, std::move(message)});
}

class SharedRecords final : public Records {
 public:
  explicit SharedRecords(std::shared_ptr<Records> records) : records_(std::move(records)) {}
  StorageResult<std::optional<Record>> read(std::string_view key) override {
    return records_->read(key);
  }
  StorageResult<std::vector<Record>> scan(std::string_view prefix) override {
    return records_->scan(prefix);
  }
  StorageResult<std::vector<TransactionResult>> commit(
      std::span<const Transaction> transactions) override {
    return records_->commit(transactions);
  }

 private:
  std::shared_ptr<Records> records_;
};

class SharedStreams final : public Streams {
 public:
  explicit SharedStreams(std::shared_ptr<Streams> streams) : streams_(std::move(streams)) {}
  StorageResult<std::vector<Event>> open(std::string_view stream, Epoch epoch) override {
    return streams_->open(stream, epoch);
  }
  StorageResult<std::vector<StorageResult<void>>> append(std::span<const Append> appends) override {
    return streams_->append(appends);
  }
  StorageResult<std::vector<Event>> read(std::string_view stream) override {
    return streams_->read(stream);
  }
  StorageResult<std::vector<std::string>> list(std::string_view prefix) override {
    return streams_->list(prefix);
  }

 private:
  std::shared_ptr<Streams> streams_;
};

StorageSet open_memory(std::shared_ptr<MemoryStore> store) {
  if (!store) store = std::make_shared<MemoryStore>();
  const auto part = [&](auto& member) {
    return std::shared_ptr<std::decay_t<decltype(member)>>(store, &member);
  };
  return {.agreement = std::make_unique<SharedRecords>(part(store->agreement)),
          .names = std::make_unique<SharedRecords>(part(store->names)),
          .streams = std::make_unique<SharedStreams>(part(store->streams))};
}

StorageResult<StorageSet> open_sqlite(std::string directory, const StorageOptions& options) {
  while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
  if (directory.empty()) {
    return misuse("journal 'sqlite:' names no directory; write sqlite:DIRECTORY");
  }
  // Failure shows below, with the better message.
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) errno = 0;
  const auto file = [&](const char* name, detail::SqliteKind kind) {
    return detail::SqliteFile{.path = directory + "/" + name,
                              .kind = kind,
                              .cluster_id = options.cluster_id,
                              .busy_wait = options.wait};
  };
  auto agreement = SqliteRecords::open(file("agreement.db", detail::SqliteKind::agreement));
  if (!agreement) return failed(agreement);
  auto names = SqliteRecords::open(file("names.db", detail::SqliteKind::names));
  if (!names) return failed(names);
  auto streams = SqliteStreams::open({.directory = directory,
                                      .node = options.node,
                                      .cluster_id = options.cluster_id,
                                      .busy_wait = options.wait});
  if (!streams) return failed(streams);
  return StorageSet{.agreement = std::move(*agreement),
                    .names = std::move(*names),
                    .streams = std::move(*streams)};
}

#ifdef COTERIE_HAS_POSTGRES
StorageResult<StorageSet> open_postgres(std::string conninfo, const StorageOptions& options) {
  const PostgresOptions common{
      .conninfo = std::move(conninfo), .cluster_id = options.cluster_id, .wait = options.wait};
  auto agreement = PostgresRecords::open(common, "agreement");
  if (!agreement) return failed(agreement);
  auto warnings = (*agreement)->warnings();
  auto names = PostgresRecords::open(common, "names");
  if (!names) return failed(names);
  auto streams = PostgresStreams::open(common);
  if (!streams) return failed(streams);
  return StorageSet{.agreement = std::move(*agreement),
                    .names = std::move(*names),
                    .streams = std::move(*streams),
                    .warnings = std::move(warnings)};
}
#else
StorageResult<StorageSet> open_postgres(const std::string&, const StorageOptions&) {
  return misuse(
      "journal 'postgres:' is not built into this program; install libpq-dev and build again");
}
#endif

StorageResult<StorageSet> open_once(const StorageOptions& options) {
  const std::string& description = options.description;
  if (description == "memory") return open_memory(options.memory);
  if (description.starts_with(sqlite_prefix)) {
    return open_sqlite(description.substr(sqlite_prefix.size()), options);
  }
  if (description.starts_with(postgres_prefix)) {
    return open_postgres(description.substr(postgres_prefix.size()), options);
  }
  return misuse("journal '" + description +
                "' is unknown; write sqlite:DIRECTORY, postgres:CONNINFO or memory");
}

// A node that runs tries each statement again. One that starts must not end for a server that is
// busy, with other nodes that start perhaps, or for a lock of a process that is stopped: its
// guardian kills it soon after its lease, and `wait` is half of one. What refuses does so in no
// time.
constexpr int tries = 4;

}  // namespace

StorageResult<StorageSet> open_storage(const StorageOptions& options) {
  if (options.node.empty()) return misuse("open_storage needs the name of the node");
  auto opened = open_once(options);
  for (int tried = 1; tried < tries; ++tried) {
    if (opened || opened.error().code != StorageError::Code::unavailable) break;
    opened = open_once(options);
  }
  return opened;
}

}  // namespace coterie
