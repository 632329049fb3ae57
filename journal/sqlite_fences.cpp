#include "journal/sqlite_fences.hpp"

#include <utility>

#include "journal/checksum.hpp"
#include "journal/records_core.hpp"
#include "journal/streams_core.hpp"

namespace coterie::detail {
namespace {

// File names never contain this byte.
constexpr char separator = '/';

std::string join(const std::vector<std::string>& homes) {
  std::string text;
  for (const auto& home : homes) {
    if (!text.empty()) text += separator;
    text += home;
  }
  return text;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> homes;
  while (!text.empty()) {
    const auto end = text.find(separator);
    homes.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return homes;
}

std::uint32_t checksum(std::string_view stream, const Epoch& epoch, std::string_view homes) {
  return Checksum().add(stream).add(epoch.view).add(epoch.counter).add(homes).value();
}

template <class T>
std::unexpected<StorageError> failed(T& result) {
  return std::unexpected(std::move(result.error()));
}

/// Whether an error is about one stream; others are about the file and end the batch.
bool is_of_one_stream(const StorageError& error) {
  return error.code == StorageError::Code::fenced || error.code == StorageError::Code::misuse ||
         error.code == StorageError::Code::corrupt;
}

}  // namespace

StorageResult<SqliteFences> SqliteFences::open(const SqliteFile& names) {
  auto connection = open_file(names);
  if (!connection) return failed(connection);
  SqliteFences self;
  self.connection_ = std::move(*connection);
  const std::pair<SqliteStatement*, const char*> statements[] = {
      {&self.select_, "SELECT view, counter, homes, crc FROM fences WHERE stream = ?"},
      {&self.upsert_, "INSERT OR REPLACE INTO fences VALUES(?, ?, ?, ?, ?)"},
      {&self.from_, "SELECT stream FROM fences WHERE stream >= ? ORDER BY stream"},
      {&self.between_,
       "SELECT stream FROM fences WHERE stream >= ? AND stream < ? ORDER BY stream"},
      {&self.version_, "PRAGMA data_version"},
  };
  for (const auto& [target, sql] : statements) {
    auto statement = self.connection_.prepare(sql);
    if (!statement) return failed(statement);
    *target = std::move(*statement);
  }
  return self;
}

StorageResult<std::optional<Fence>> SqliteFences::read(std::string_view stream) {
  std::optional<Fence> fence;
  bool damaged = false;
  auto ok = select_.query(
      [&](SqliteStatement& row) {
        const Epoch epoch{row.number(0), row.number(1)};
        fence = Fence{epoch, split(row.bytes(2))};
        damaged = checksum(stream, epoch, row.bytes(2)) != row.number(3) || fence->homes.empty();
      },
      stream);
  if (!ok) return failed(ok);
  if (!damaged) return fence;
  return std::unexpected(
      StorageError{StorageError::Code::corrupt,
                   "SQLite file '" + connection_.path() +
                       "': the checksum of the fence of stream '" + std::string(stream) +
                       "' does not fit; it was changed on disk. Restore it from a backup"});
}

StorageResult<std::vector<StorageResult<std::optional<Fence>>>> SqliteFences::read_many(
    std::span<const std::string_view> streams) {
  SqliteTransaction reading(connection_);
  if (auto ok = reading.begin_reading(); !ok) return failed(ok);
  std::vector<StorageResult<std::optional<Fence>>> fences;
  fences.reserve(streams.size());
  for (const auto stream : streams) fences.push_back(read(stream));
  return fences;
}

StorageResult<std::uint64_t> SqliteFences::version() {
  std::uint64_t version = 0;
  auto ok = version_.query([&](SqliteStatement& row) { version = row.number(0); });
  if (!ok) return failed(ok);
  return version;
}

StorageResult<std::vector<StorageResult<RaisedFence>>> SqliteFences::raise(
    std::span<const Opening> openings, const std::string& home) {
  std::vector<StorageResult<RaisedFence>> results;
  results.reserve(openings.size());
  SqliteTransaction transaction(connection_);
  if (auto ok = transaction.begin(); !ok) return failed(ok);
  for (const auto& opening : openings) {
    auto raised = raise(opening, home);
    if (!raised && !is_of_one_stream(raised.error())) return failed(raised);
    results.push_back(std::move(raised));
  }
  if (auto ok = transaction.commit(); !ok) return failed(ok);
  return results;
}

StorageResult<RaisedFence> SqliteFences::raise(const Opening& opening, const std::string& home) {
  const auto& [stream, epoch] = opening;
  if (auto ok = check_opening(stream, epoch); !ok) return failed(ok);
  auto found = read(stream);
  if (!found) return failed(found);
  Fence fence = std::move(*found).value_or(Fence{});
  if (epoch < fence.epoch) return std::unexpected(fenced(stream, epoch, fence.epoch));
  fence.epoch = epoch;
  const bool new_home = std::erase(fence.homes, home) == 0;
  fence.homes.push_back(home);
  const std::string homes = join(fence.homes);
  auto ok = upsert_.run(std::string_view(stream), epoch.view, epoch.counter,
                        std::string_view(homes), std::uint64_t{checksum(stream, epoch, homes)});
  if (!ok) return failed(ok);
  return RaisedFence{std::move(fence), new_home};
}

StorageResult<std::vector<std::string>> SqliteFences::list(std::string_view prefix) {
  std::vector<std::string> streams;
  const auto collect = [&](SqliteStatement& row) { streams.emplace_back(row.bytes(0)); };
  const auto end = end_of_prefix(prefix);
  auto ok =
      end ? between_.query(collect, prefix, std::string_view(*end)) : from_.query(collect, prefix);
  if (!ok) return failed(ok);
  return streams;
}

}  // namespace coterie::detail
