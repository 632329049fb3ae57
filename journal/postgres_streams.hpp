#pragma once
// Streams in PostgreSQL, for nodes on several hosts: the fence of a stream is a row that also says
// where the stream ends. An append locks the rows of its batch, checks, writes and commits; an open
// raises the row, which waits for an append that holds it, and reads in the same transaction.
// All functions may be called from any thread; appends and opens have a connection each.

#include <map>
#include <memory>
#include <mutex>

#include "journal/postgres_connection.hpp"
#include "journal/streams_core.hpp"

namespace coterie {

class PostgresStreams final : public Streams {
 public:
  static StorageResult<std::unique_ptr<PostgresStreams>> open(const PostgresOptions& options);

  StorageResult<std::vector<Event>> open(std::string_view stream, Epoch epoch) override;
  StorageResult<std::vector<StorageResult<std::vector<Event>>>> open_many(
      std::span<const Opening> openings) override;
  StorageResult<std::vector<StorageResult<void>>> append(std::span<const Append> appends) override;
  StorageResult<std::vector<Event>> read(std::string_view stream) override;
  StorageResult<std::vector<std::string>> list(std::string_view prefix) override;

 private:
  struct Line {
    std::mutex mutex;
    detail::PostgresConnection connection;
  };
  explicit PostgresStreams(const PostgresOptions& options)
      : appends_{.mutex = {}, .connection = detail::PostgresConnection(options)},
        opens_{.mutex = {}, .connection = detail::PostgresConnection(options)} {}
  /// Of the snapshots that are stored, by their streams.
  using Sequences = std::map<std::string, std::vector<std::uint64_t>, std::less<>>;
  static StorageResult<void> write(detail::PostgresConnection& connection,
                                   const detail::AppendPlan& plan, Sequences snapshots);
  StorageResult<detail::VerifiedStream> replay_from(std::string_view stream, detail::Footing begin);

  Line appends_;
  Line opens_;
};

}  // namespace coterie
