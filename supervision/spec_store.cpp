#include "supervision/spec_store.hpp"

namespace coterie::detail {
namespace {

// Some milliseconds of reading: the first orphans are claimed while later rows are still read.
constexpr std::size_t rows_per_page = 2048;

}  // namespace

std::expected<FoundRow, StorageError> SpecStore::decode(const Record& record) const {
  auto row = unpack_row(record.value);
  if (!row) {
    return std::unexpected(StorageError{
        .code = StorageError::Code::corrupt,
        .message = "the record " + record.key + " is no spec of a child: " + row.error()});
  }
  return FoundRow{key_of(record), record.version, std::move(*row)};
}

std::string SpecStore::key_of(const Record& record) const {
  return record.key.substr(spec_prefix(supervisor_).size());
}

// One row that cannot be read must not keep the others down; it stays as it is, unstarted.
void SpecStore::add(FoundRows& to, const Record& record) const {
  if (auto found = decode(record)) {
    to.rows.push_back(std::move(*found));
  } else {
    to.unreadable.emplace_back(key_of(record), found.error().message);
  }
}

StorageResult<FoundRows> SpecStore::scan(const View& view, NodeId node,
                                         const std::string& after) const {
  const std::string prefix = spec_prefix(supervisor_);
  auto records = records_.scan_page(prefix, after.empty() ? after : prefix + after, rows_per_page);
  if (!records) return std::unexpected(std::move(records.error()));
  FoundRows found;
  if (records->size() == rows_per_page) found.next = key_of(records->back());
  for (const auto& record : *records) add(found, record);
  std::erase_if(found.rows, [&](const FoundRow& one) {
    const NodeId owner = one.row.owner_id;
    return owner != node && owner != NodeId::none && view.find(owner) != nullptr;
  });
  return found;
}

StorageResult<FoundRows> SpecStore::read(const std::vector<std::string>& keys) const {
  std::vector<std::string> names;
  names.reserve(keys.size());
  for (const auto& key : keys) names.push_back(spec_key(supervisor_, key));
  auto records = records_.read_many(names);
  if (!records) return std::unexpected(std::move(records.error()));
  FoundRows found;
  for (const auto& record : *records) {
    if (record) add(found, *record);
  }
  return found;
}

std::vector<RowResult> SpecStore::write(const std::vector<RowWrite>& writes,
                                        std::string& error) const {
  std::vector<Transaction> transactions;
  transactions.reserve(writes.size());
  for (const auto& write : writes) {
    const std::string key = spec_key(supervisor_, write.key);
    Transaction transaction;
    transaction.conditions.push_back({key, write.version});
    transaction.writes.push_back({key, write.value});
    transactions.push_back(std::move(transaction));
  }
  std::vector<RowResult> results(writes.size());
  auto committed = records_.commit(transactions);
  if (!committed) {
    error = committed.error().message;
    return results;
  }
  for (std::size_t i = 0; i < writes.size(); ++i) {
    TransactionResult& from = (*committed)[i];
    RowResult& to = results[i];
    if (from.committed) {
      to.outcome = RowResult::Outcome::committed;
      to.version = from.versions.empty() ? 0 : from.versions.front();
      continue;
    }
    if (from.found.empty()) {
      to.outcome = RowResult::Outcome::refused;
    } else if (auto found = decode(from.found.front())) {
      to.outcome = RowResult::Outcome::refused;
      to.found = std::move(*found);
    } else {
      error = found.error().message;
      to.outcome = RowResult::Outcome::refused;
      to.found = FoundRow{writes[i].key, from.found.front().version, {}};
      to.found->row.state = SpecState::failed;
      to.found->row.reason = error;
    }
  }
  return results;
}

}  // namespace coterie::detail
