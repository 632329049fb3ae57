#pragma once
// What a batch of transactions does to records: a pure function that the three Records engines
// share. The driver loads the records that the batch names, asks, and writes what changed.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "process/ports/storage.hpp"

namespace coterie::detail {

inline constexpr std::size_t key_bytes_max = 1024;
inline constexpr std::size_t value_bytes_max = std::size_t{64} << 20;

using RecordTable = std::map<std::string, Record, std::less<>>;

struct RecordsPlan {
  std::vector<TransactionResult> results;  // one per transaction, in order
  std::map<std::string, std::optional<Record>, std::less<>> changed;  // nullopt: delete
  std::uint64_t counter = 0;  // of versions, after the batch
  bool durable = false;       // at least one committed transaction asks for it
};

/// `misuse` for an empty or overlong key and an overlong value.
StorageResult<void> check(const Transaction& transaction);

/// Every key that the batch names, once, in order.
std::vector<std::string> keys_of(std::span<const Transaction> transactions);

/// `current` holds the records under keys_of(transactions), `counter` the last version given.
RecordsPlan plan(std::span<const Transaction> transactions, RecordTable current,
                 std::uint64_t counter);

/// Covers key, version and value of a stored record.
std::uint32_t checksum(const Record& record) noexcept;

/// The smallest key of a page of the keys that start with `prefix`, after `after`.
std::string begin_of_page(std::string_view prefix, std::string_view after);

/// The smallest string greater than every string that starts with `prefix`; nullopt: none.
std::optional<std::string> end_of_prefix(std::string_view prefix);

}  // namespace coterie::detail
