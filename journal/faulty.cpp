#include "journal/faulty.hpp"

namespace coterie {
namespace {

template <class Operation>
auto with_faults(const StorageFaults& faults, std::string_view name, Operation operation)
    -> decltype(operation()) {
  if (faults.before) {
    if (auto error = faults.before(name)) return std::unexpected(std::move(*error));
  }
  auto result = operation();
  if (faults.after) {
    if (auto error = faults.after(name)) {
      error->maybe_applied = true;
      return std::unexpected(std::move(*error));
    }
  }
  return result;
}

}  // namespace

StorageResult<std::optional<Record>> FaultyRecords::read(std::string_view key) {
  return with_faults(faults_, "read", [&] { return inner_.read(key); });
}

StorageResult<std::vector<Record>> FaultyRecords::scan(std::string_view prefix) {
  return with_faults(faults_, "scan", [&] { return inner_.scan(prefix); });
}

StorageResult<std::vector<TransactionResult>> FaultyRecords::commit(
    std::span<const Transaction> transactions) {
  return with_faults(faults_, "commit", [&] { return inner_.commit(transactions); });
}

StorageResult<std::vector<Event>> FaultyStreams::open(std::string_view stream, Epoch epoch) {
  return with_faults(faults_, "open", [&] { return inner_.open(stream, epoch); });
}

StorageResult<std::vector<StorageResult<std::vector<Event>>>> FaultyStreams::open_many(
    std::span<const Opening> openings) {
  return with_faults(faults_, "open", [&] { return inner_.open_many(openings); });
}

StorageResult<std::vector<StorageResult<void>>> FaultyStreams::append(
    std::span<const Append> appends) {
  return with_faults(faults_, "append", [&] { return inner_.append(appends); });
}

StorageResult<std::vector<Event>> FaultyStreams::read(std::string_view stream) {
  return with_faults(faults_, "read", [&] { return inner_.read(stream); });
}

StorageResult<std::vector<std::string>> FaultyStreams::list(std::string_view prefix) {
  return with_faults(faults_, "list", [&] { return inner_.list(prefix); });
}

}  // namespace coterie
