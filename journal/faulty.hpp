#pragma once
// Storage that misbehaves as it is told, around any other: for tests and the simulator. `before` is
// asked before each operation and may refuse it (full, failing, away) or take its time (slow);
// `after` is asked once it has taken effect and may lose the answer.

#include <functional>
#include <optional>
#include <string_view>

#include "process/ports/storage.hpp"

namespace coterie {

struct StorageFaults {
  /// The name of the operation -> the error that is answered, or none. Called from whatever thread
  /// uses the store, several at once.
  using Ask = std::function<std::optional<StorageError>(std::string_view operation)>;
  Ask before{};  // an error: nothing takes effect
  Ask after{};   // an error: it took effect, the answer is lost
};

class FaultyRecords final : public Records {
 public:
  FaultyRecords(Records& inner, StorageFaults faults) : inner_(inner), faults_(std::move(faults)) {}

  StorageResult<std::optional<Record>> read(std::string_view key) override;
  StorageResult<std::vector<Record>> scan(std::string_view prefix) override;
  StorageResult<std::vector<TransactionResult>> commit(
      std::span<const Transaction> transactions) override;

 private:
  Records& inner_;
  StorageFaults faults_;
};

class FaultyStreams final : public Streams {
 public:
  FaultyStreams(Streams& inner, StorageFaults faults) : inner_(inner), faults_(std::move(faults)) {}

  StorageResult<std::vector<Event>> open(std::string_view stream, Epoch epoch) override;
  StorageResult<std::vector<StorageResult<std::vector<Event>>>> open_many(
      std::span<const Opening> openings) override;
  StorageResult<std::vector<StorageResult<void>>> append(std::span<const Append> appends) override;
  StorageResult<std::vector<Event>> read(std::string_view stream) override;
  StorageResult<std::vector<std::string>> list(std::string_view prefix) override;

 private:
  Streams& inner_;
  StorageFaults faults_;
};

}  // namespace coterie
