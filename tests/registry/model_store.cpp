#include "tests/registry/model_store.hpp"

namespace coterie::testing {

StorageResult<std::optional<Record>> ModelStore::read(std::string_view key) {
  auto record = records_.find(key);
  if (record == records_.end()) return std::nullopt;
  return record->second;
}

StorageResult<std::vector<Record>> ModelStore::scan(std::string_view prefix) {
  std::vector<Record> found;
  for (auto at = records_.lower_bound(prefix);
       at != records_.end() && at->first.starts_with(prefix); ++at) {
    found.push_back(at->second);
  }
  return found;
}

StorageResult<std::vector<TransactionResult>> ModelStore::commit(
    std::span<const Transaction> transactions) {
  std::vector<TransactionResult> results;
  for (const Transaction& transaction : transactions) {
    results.push_back(apply(transaction));
    if (results.back().committed && on_commit) on_commit(transaction, results.back());
  }
  return results;
}

TransactionResult ModelStore::apply(const Transaction& transaction) {
  TransactionResult result{.committed = true, .versions = {}, .found = {}};
  for (const auto& [key, version] : transaction.conditions) {
    auto record = records_.find(key);
    const std::uint64_t now = record == records_.end() ? 0 : record->second.version;
    if (version ? *version != now : now == 0) result.committed = false;
    if (now != 0) result.found.push_back(record->second);
  }
  if (!result.committed) return result;
  result.found.clear();
  for (const auto& [key, value] : transaction.writes) {
    if (value) {
      records_[key] = {.key = key, .version = ++version_, .value = *value};
      result.versions.push_back(version_);
    } else {
      records_.erase(key);
      result.versions.push_back(0);
    }
  }
  return result;
}

}  // namespace coterie::testing
