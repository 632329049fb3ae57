#include "supervision/spec_store.hpp"

namespace coterie::detail {

std::expected<FoundRow, StorageError> SpecStore::decode(const Record& record) const {
  auto row = unpack_row(record.value);
  if (!row) {
    return std::unexpected(StorageError{
        .code = StorageError::Code::corrupt,
        .message = "the record " + record.key + " is no spec of a child: " + row.error()});
  }
  const std::size_t prefix = spec_prefix(supervisor_).size();
  return FoundRow{record.key.substr(prefix), record.version, std::move(*row)};
}

StorageResult<std::vector<FoundRow>> SpecStore::scan(const View& view, NodeId node) const {
  auto records = records_.scan(spec_prefix(supervisor_));
  if (!records) return std::unexpected(std::move(records.error()));
  std::vector<FoundRow> rows;
  for (const auto& record : *records) {
    auto found = decode(record);
    // One row that cannot be read must not keep the others down; it stays as it is, unstarted.
    if (!found) continue;
    const NodeId owner = found->row.owner_id;
    if (owner == node || owner == NodeId::none || view.find(owner) == nullptr) {
      rows.push_back(std::move(*found));
    }
  }
  return rows;
}

StorageResult<std::vector<FoundRow>> SpecStore::read(const std::vector<std::string>& keys) const {
  std::vector<FoundRow> rows;
  for (const auto& key : keys) {
    auto record = records_.read(spec_key(supervisor_, key));
    if (!record) return std::unexpected(std::move(record.error()));
    if (!*record) continue;
    auto found = decode(**record);
    if (!found) return std::unexpected(std::move(found.error()));
    rows.push_back(std::move(*found));
  }
  return rows;
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
