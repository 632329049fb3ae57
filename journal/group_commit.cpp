#include "journal/group_commit.hpp"

#include "journal/records_core.hpp"

namespace coterie {
namespace {

std::size_t bytes_of(const Append& append) {
  std::size_t bytes = sizeof(Append) + append.stream.size();
  if (append.snapshot) bytes += append.snapshot->size();
  for (const auto& event : append.events) {
    bytes += sizeof(Event) + event.request_id.size() + event.payload.size() + event.outcome.size();
  }
  return bytes;
}

std::size_t bytes_of(const Transaction& transaction) {
  std::size_t bytes = sizeof(Transaction);
  for (const auto& condition : transaction.conditions) {
    bytes += sizeof(condition) + condition.key.size();
  }
  for (const auto& write : transaction.writes) {
    bytes += sizeof(write) + write.key.size() + (write.value ? write.value->size() : 0);
  }
  return bytes;
}

}  // namespace

JournalWriter::JournalWriter(Streams& streams, Strand& appends, Strand& opens, WriterLimits limits,
                             JournalHabits habits)
    : appends_("journal's writer", appends, limits,
               [&streams](std::span<const Append> batch) { return streams.append(batch); }),
      opens_("journal's opener", opens, limits,
             [&streams](std::span<const Opening> batch) { return streams.open_many(batch); }),
      habits_(habits) {}

void JournalWriter::remembers(std::size_t requests, std::size_t most) noexcept {
  if (requests <= most) return;
  std::size_t known = requests_beyond_.load(std::memory_order_relaxed);
  while (known < requests - most && !requests_beyond_.compare_exchange_weak(
                                        known, requests - most, std::memory_order_relaxed)) {
  }
}

void JournalWriter::append(Append append, Appended done) {
  const auto bytes = bytes_of(append);
  appends_.submit(std::move(append), bytes, std::move(done));
}

void JournalWriter::open(std::string stream, Epoch epoch, Opened done) {
  const auto bytes = sizeof(Opening) + stream.size();
  opens_.submit({std::move(stream), epoch}, bytes, std::move(done));
}

RecordsWriter::RecordsWriter(Records& records, Strand& strand, WriterLimits limits)
    : commits_("writer of records", strand, limits,
               [&records](std::span<const Transaction> batch)
                   -> StorageResult<std::vector<StorageResult<TransactionResult>>> {
                 auto results = records.commit(batch);
                 if (!results) return std::unexpected(std::move(results.error()));
                 return std::vector<StorageResult<TransactionResult>>(
                     std::make_move_iterator(results->begin()),
                     std::make_move_iterator(results->end()));
               }) {}

void RecordsWriter::commit(Transaction transaction, Committed done) {
  // One transaction that no store takes must not fail the batch that it would be part of.
  if (auto ok = detail::check(transaction); !ok) {
    done(std::unexpected(std::move(ok.error())));
    return;
  }
  const auto bytes = bytes_of(transaction);
  commits_.submit(std::move(transaction), bytes, std::move(done));
}

}  // namespace coterie
