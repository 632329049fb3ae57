#pragma once
// The model store for tests with threads: behind a lock, and it can be made to stall or to fail.

#include <condition_variable>
#include <mutex>

#include "tests/registry/model_store.hpp"

namespace coterie::testing {

class LockedStore final : public Records {
 public:
  StorageResult<std::optional<Record>> read(std::string_view key) override {
    std::unique_lock lock(mutex_);
    if (!enter(lock)) return std::unexpected(StorageError{});
    return store_.read(key);
  }
  StorageResult<std::vector<Record>> scan(std::string_view prefix) override {
    std::unique_lock lock(mutex_);
    if (!enter(lock)) return std::unexpected(StorageError{});
    return store_.scan(prefix);
  }
  StorageResult<std::vector<TransactionResult>> commit(
      std::span<const Transaction> transactions) override {
    std::unique_lock lock(mutex_);
    if (!enter(lock)) return std::unexpected(StorageError{});
    ++commits_;
    return store_.commit(transactions);
  }

  void stall(bool on) {
    std::lock_guard lock(mutex_);
    stalled_ = on;
    changed_.notify_all();
  }
  void fail(bool on) {
    std::lock_guard lock(mutex_);
    failing_ = on;
  }
  std::uint64_t commits() const {
    std::lock_guard lock(mutex_);
    return commits_;
  }

 private:
  bool enter(std::unique_lock<std::mutex>& lock) {
    changed_.wait(lock, [this] { return !stalled_; });
    return !failing_;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stalled_ = false;
  bool failing_ = false;
  std::uint64_t commits_ = 0;
  ModelStore store_;
};

}  // namespace coterie::testing
