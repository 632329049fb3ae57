#include "journal/memory.hpp"

#include <algorithm>
#include <iterator>
#include <limits>

namespace coterie {

StorageResult<std::optional<Record>> MemoryRecords::read(std::string_view key) {
  const std::lock_guard lock(mutex_);
  const auto found = table_.find(key);
  if (found == table_.end()) return std::nullopt;
  return found->second;
}

StorageResult<std::vector<Record>> MemoryRecords::scan(std::string_view prefix) {
  return scan_page(prefix, {}, std::numeric_limits<std::size_t>::max());
}

StorageResult<std::vector<Record>> MemoryRecords::scan_page(std::string_view prefix,
                                                            std::string_view after,
                                                            std::size_t limit) {
  const std::lock_guard lock(mutex_);
  std::vector<Record> records;
  auto it = after < prefix ? table_.lower_bound(prefix) : table_.upper_bound(after);
  for (; it != table_.end() && records.size() < limit; ++it) {
    if (!it->first.starts_with(prefix)) break;
    records.push_back(it->second);
  }
  return records;
}

StorageResult<std::vector<TransactionResult>> MemoryRecords::commit(
    std::span<const Transaction> transactions) {
  for (const auto& transaction : transactions) {
    if (auto ok = detail::check(transaction); !ok) return std::unexpected(ok.error());
  }
  const std::lock_guard lock(mutex_);
  detail::RecordTable current;
  for (const auto& key : detail::keys_of(transactions)) {
    if (const auto found = table_.find(key); found != table_.end()) current.insert(*found);
  }
  auto plan = detail::plan(transactions, std::move(current), counter_);
  for (auto& [key, record] : plan.changed) {
    if (record) {
      table_.insert_or_assign(key, std::move(*record));
    } else {
      table_.erase(key);
    }
  }
  counter_ = plan.counter;
  return std::move(plan.results);
}

StorageResult<std::vector<Event>> MemoryStreams::open(std::string_view stream, Epoch epoch) {
  if (auto ok = detail::check_opening(stream, epoch); !ok) return std::unexpected(ok.error());
  const std::lock_guard lock(mutex_);
  auto& found = streams_[std::string(stream)];
  if (epoch < found.head.fence) {
    return std::unexpected(detail::fenced(stream, epoch, found.head.fence));
  }
  found.head.fence = epoch;
  if (found.snapshots.empty()) return found.events;
  const Event& snapshot = found.snapshots.rbegin()->second;
  std::vector<Event> past{snapshot};
  std::ranges::copy_if(found.events, std::back_inserter(past),
                       [&](const Event& event) { return event.sequence > snapshot.sequence; });
  return past;
}

void MemoryStreams::take(Stream& stream, const detail::AppendPlan::Taken& taken) {
  std::vector<std::uint64_t> stored;
  for (const auto& [sequence, snapshot] : stream.snapshots) stored.push_back(sequence);
  const auto retention = detail::retain(std::move(stored), taken);
  stream.snapshots[taken.sequence] = {.sequence = taken.sequence,
                                      .epoch = taken.append->epoch,
                                      .payload = *taken.append->snapshot,
                                      .kind = Event::Kind::snapshot};
  stream.snapshots.erase(stream.snapshots.begin(),
                         stream.snapshots.lower_bound(retention.snapshots_below));
  std::erase_if(stream.events,
                [&](const Event& event) { return event.sequence <= retention.trimmed; });
}

StorageResult<std::vector<StorageResult<void>>> MemoryStreams::append(
    std::span<const Append> appends) {
  const std::lock_guard lock(mutex_);
  detail::StreamHeads heads;
  for (const auto& append : appends) {
    if (const auto found = streams_.find(append.stream); found != streams_.end()) {
      heads.emplace(append.stream, found->second.head);
    }
  }
  auto plan = detail::plan_appends(appends, heads);
  for (const auto& row : plan.rows) {
    Event event = row.source();
    event.sequence = row.sequence;
    event.epoch = row.append->epoch;
    streams_.find(row.append->stream)->second.events.push_back(std::move(event));
  }
  for (const auto& [stream, head] : plan.heads) streams_.find(stream)->second.head = head;
  for (const auto& taken : plan.snapshots) take(streams_.find(taken.append->stream)->second, taken);
  return std::move(plan.results);
}

StorageResult<std::vector<Event>> MemoryStreams::read(std::string_view stream) {
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return std::vector<Event>{};
  std::vector<Event> all = found->second.events;
  for (const auto& [sequence, snapshot] : found->second.snapshots) all.push_back(snapshot);
  std::ranges::stable_sort(all, {}, &Event::sequence);
  return all;
}

StorageResult<std::vector<std::string>> MemoryStreams::list(std::string_view prefix) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (auto it = streams_.lower_bound(prefix); it != streams_.end(); ++it) {
    if (!it->first.starts_with(prefix)) break;
    names.push_back(it->first);
  }
  return names;
}

}  // namespace coterie
