#pragma once
// Streams in SQLite, for the nodes of one host: each node appends to a file of its own; the fences
// are rows of the names file. docs/journal.md says why this is safe. An open locks and reads only
// the files of nodes that ever opened the stream, and notices one that is missing. All functions
// may be called from any thread; opens run one at a time, beside appends.

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "journal/fair_mutex.hpp"
#include "journal/sqlite_connection.hpp"
#include "journal/sqlite_fences.hpp"
#include "journal/sqlite_file.hpp"
#include "journal/sqlite_turn.hpp"
#include "journal/streams_core.hpp"

namespace coterie {

class SqliteStreams final : public Streams {
 public:
  struct Options {
    std::string directory;
    std::string node;  // names the own file; two running nodes must not share one
    std::string cluster_id;
    std::chrono::milliseconds busy_wait{1000};  // for a lock that another process holds
  };
  /// Makes the names file and the node's own file if they are missing.
  static StorageResult<std::unique_ptr<SqliteStreams>> open(const Options& options);

  StorageResult<std::vector<Event>> open(std::string_view stream, Epoch epoch) override;
  StorageResult<std::vector<StorageResult<std::vector<Event>>>> open_many(
      std::span<const Opening> openings) override;
  StorageResult<std::vector<StorageResult<void>>> append(std::span<const Append> appends) override;
  StorageResult<std::vector<Event>> read(std::string_view stream) override;
  StorageResult<std::vector<std::string>> list(std::string_view prefix) override;

 private:
  struct Home {
    detail::SqliteConnection connection;
    detail::SqliteStatement events, snapshots, any_before, drop_events, drop_snapshots;
    detail::SqliteTurn turn;
  };
  /// What was read of a stream that is being opened.
  struct Replay {
    std::vector<detail::StoredSnapshot> snapshots{};
    detail::Footing begin{};
    std::vector<detail::StoredEvent> events{};  // after it
  };
  struct KnownHead {
    detail::StreamHead at;
    std::optional<std::uint64_t> fenced_at{};  // version of the names file that had this fence
  };
  struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept {
      return std::hash<std::string_view>()(name);
    }
  };
  struct Own {
    detail::FairMutex mutex;
    detail::SqliteConnection connection;
    detail::SqliteStatement insert, snapshots, put_snapshot, drop_snapshots, drop_events;
    detail::SqliteTurn turn;
    detail::SqliteFences fences;  // read while the own file's write lock is held
    // Of streams opened here; others are read again when needed.
    std::unordered_map<std::string, KnownHead, NameHash, std::equal_to<>> heads;
  };
  struct Opener {
    std::mutex mutex;
    detail::SqliteFences fences;
    std::map<std::string, Home, std::less<>> homes;
  };

  explicit SqliteStreams(Options options);
  std::string path_of(std::string_view file) const;
  detail::SqliteFile file_of(std::string_view file) const;

  // Under opener_.mutex.
  StorageResult<Home*> home(const std::string& file);
  StorageResult<void> pass_lock(const std::string& file);
  StorageResult<void> read_snapshots(Home& home, std::string_view stream,
                                     std::vector<detail::StoredSnapshot>& snapshots);
  StorageResult<void> read_events(Home& home, std::string_view stream, std::uint64_t after,
                                  std::vector<detail::StoredEvent>& events);
  StorageResult<detail::VerifiedStream> read_all(std::string_view stream,
                                                 const detail::Fence& fence);
  std::vector<StorageResult<Replay>> pass_and_read(
      std::span<const Opening> openings,
      const std::vector<StorageResult<detail::RaisedFence>>& fences);
  void drop_leftovers(std::span<const Opening> openings,
                      const std::vector<StorageResult<detail::RaisedFence>>& fences,
                      std::span<const std::pair<std::size_t, std::uint64_t>> trimmed);
  StorageResult<std::vector<StorageResult<detail::VerifiedStream>>> take(
      std::span<const Opening> openings);

  StorageResult<void> recall(std::span<const Append> appends);
  // Under own_.mutex.
  StorageResult<detail::StreamHeads> heads_of(std::span<const Append> appends);
  StorageResult<std::vector<StorageResult<void>>> append_once(std::span<const Append> appends);
  StorageResult<void> insert(const detail::AppendPlan& plan);
  StorageResult<void> take_snapshot(const detail::AppendPlan::Taken& taken);
  void remember(std::string_view stream, const detail::StreamHead& head);

  const Options options_;
  const std::string own_file_;
  Own own_;
  Opener opener_;
};

}  // namespace coterie
