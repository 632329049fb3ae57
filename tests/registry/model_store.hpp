#pragma once
// A store of records in memory, as the ports promise it, that tells an observer of each commit.

#include <functional>
#include <map>

#include "process/ports/storage.hpp"

namespace coterie::testing {

class ModelStore final : public Records {
 public:
  StorageResult<std::optional<Record>> read(std::string_view key) override;
  StorageResult<std::vector<Record>> scan(std::string_view prefix) override;
  StorageResult<std::vector<TransactionResult>> commit(
      std::span<const Transaction> transactions) override;

  const std::map<std::string, Record, std::less<>>& records() const { return records_; }
  std::function<void(const Transaction&, const TransactionResult&)> on_commit;

 private:
  TransactionResult apply(const Transaction& transaction);
  std::map<std::string, Record, std::less<>> records_;
  std::uint64_t version_ = 0;
};

}  // namespace coterie::testing
