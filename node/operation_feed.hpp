#pragma once
// Which command comes next: from a recorded list, or drawn by seed. Commands of one key come one
// after another, different keys side by side. Pure; used by one thread at a time (the driver's).

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include <coterie/workload.hpp>

#include "process/seeded_random.hpp"

namespace coterie {

class OperationFeed {
 public:
  OperationFeed() = default;
  OperationFeed(const OperationFeed&) = delete;
  OperationFeed& operator=(const OperationFeed&) = delete;
  virtual ~OperationFeed() = default;

  /// The next command of a key that has none under way; nothing: none now.
  virtual std::optional<WorkloadOperation> next() = 0;
  /// The command of `key` that was under way has ended.
  virtual void ended(const std::string& key) = 0;
  /// There will be no more.
  virtual bool finished() const = 0;
};

/// A list: each key's commands in its order, the keys in the order of their first waiting command.
class RecordedFeed final : public OperationFeed {
 public:
  explicit RecordedFeed(std::vector<WorkloadOperation> operations);

  std::optional<WorkloadOperation> next() override;
  void ended(const std::string& key) override;
  bool finished() const override { return left_ == 0; }

 private:
  std::vector<WorkloadOperation> operations_;
  std::map<std::string, std::queue<std::size_t>, std::less<>> waiting_;
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready_;
  std::size_t left_;
};

/// Draws commands of `keys` keys that were started already (starts()), for ever.
class DrawnFeed final : public OperationFeed {
 public:
  /// `source` is as long used by nobody else.
  DrawnFeed(Workload::Source& source, std::vector<std::string> keys, std::uint64_t seed);

  std::optional<WorkloadOperation> next() override;
  void ended(const std::string& key) override;
  bool finished() const override { return false; }

 private:
  Workload::Source& source_;
  SeededRandom random_;
  std::vector<std::size_t> idle_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

/// What starts the first `keys` keys of a source.
std::vector<WorkloadOperation> starts(Workload::Source& source, std::size_t keys);

}  // namespace coterie
