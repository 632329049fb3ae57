#include "journal/records_core.hpp"

#include <algorithm>

#include "journal/checksum.hpp"

namespace coterie::detail {
namespace {

StorageResult<void> check_key(const std::string& key) {
  if (!key.empty() && key.size() <= key_bytes_max) return {};
  return std::unexpected(
      StorageError{StorageError::Code::misuse, "a record's key has " + std::to_string(key.size()) +
                                                   " bytes; 1 to " + std::to_string(key_bytes_max) +
                                                   " are allowed"});
}

bool holds(const Transaction::Condition& condition, const RecordTable& table) {
  const auto found = table.find(condition.key);
  if (!condition.version) return found != table.end();
  if (*condition.version == 0) return found == table.end();
  return found != table.end() && found->second.version == *condition.version;
}

TransactionResult refuse(const Transaction& transaction, const RecordTable& table) {
  TransactionResult result;
  for (const auto& condition : transaction.conditions) {
    const auto found = table.find(condition.key);
    if (found == table.end()) continue;
    const bool listed = std::ranges::any_of(
        result.found, [&](const Record& record) { return record.key == condition.key; });
    if (!listed) result.found.push_back(found->second);
  }
  return result;
}

}  // namespace

StorageResult<void> check(const Transaction& transaction) {
  for (const auto& condition : transaction.conditions) {
    if (auto ok = check_key(condition.key); !ok) return ok;
  }
  for (const auto& write : transaction.writes) {
    if (auto ok = check_key(write.key); !ok) return ok;
    if (write.value && write.value->size() > value_bytes_max) {
      return std::unexpected(StorageError{
          StorageError::Code::misuse,
          "the value of record '" + write.key + "' has " + std::to_string(write.value->size()) +
              " bytes; the limit is " + std::to_string(value_bytes_max)});
    }
  }
  return {};
}

std::vector<std::string> keys_of(std::span<const Transaction> transactions) {
  std::vector<std::string> keys;
  for (const auto& transaction : transactions) {
    for (const auto& condition : transaction.conditions) keys.push_back(condition.key);
    for (const auto& write : transaction.writes) keys.push_back(write.key);
  }
  std::ranges::sort(keys);
  const auto repeats = std::ranges::unique(keys);
  keys.erase(repeats.begin(), repeats.end());
  return keys;
}

RecordsPlan plan(std::span<const Transaction> transactions, RecordTable current,
                 std::uint64_t counter) {
  RecordsPlan plan;
  plan.counter = counter;
  plan.results.reserve(transactions.size());
  for (const auto& transaction : transactions) {
    const bool committed = std::ranges::all_of(
        transaction.conditions, [&](const auto& condition) { return holds(condition, current); });
    if (!committed) {
      plan.results.push_back(refuse(transaction, current));
      continue;
    }
    TransactionResult result{.committed = true, .versions = {}, .found = {}};
    for (const auto& write : transaction.writes) {
      ++plan.counter;
      if (!write.value) {
        current.erase(write.key);
        plan.changed.insert_or_assign(write.key, std::nullopt);
        result.versions.push_back(0);
        continue;
      }
      Record record{write.key, plan.counter, *write.value};
      plan.changed.insert_or_assign(write.key, record);
      current.insert_or_assign(write.key, std::move(record));
      result.versions.push_back(plan.counter);
    }
    plan.durable = plan.durable || (transaction.durable && !transaction.writes.empty());
    plan.results.push_back(std::move(result));
  }
  return plan;
}

std::uint32_t checksum(const Record& record) noexcept {
  return Checksum().add(record.key).add(record.version).add(record.value).value();
}

std::string begin_of_page(std::string_view prefix, std::string_view after) {
  if (after < prefix) return std::string(prefix);
  return std::string(after).append(1, '\0');  // nothing lies between the two
}

std::optional<std::string> end_of_prefix(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xFF) end.pop_back();
  if (end.empty()) return std::nullopt;
  end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

}  // namespace coterie::detail
