#pragma once
// The rows of one supervisor in the names store, as the core's actions ask for them. These
// functions block: run them where that is allowed.

#include <memory>
#include <vector>

#include "process/ports/storage.hpp"
#include "supervision/cluster_core.hpp"

namespace coterie::detail {

class SpecStore {
 public:
  SpecStore(Records& records, std::string supervisor)
      : records_(records), supervisor_(std::move(supervisor)) {}

  /// A page of the rows, from the first whose key is greater than `after`: those that concern
  /// `node`, which are its own and those whose owner is not in `view`.
  StorageResult<FoundRows> scan(const View& view, NodeId node, const std::string& after) const;
  /// Those of `keys` that exist.
  StorageResult<FoundRows> read(const std::vector<std::string>& keys) const;
  /// One commit. A result for each; all `lost` if storage failed, `error` then says how.
  std::vector<RowResult> write(const std::vector<RowWrite>& writes, std::string& error) const;

 private:
  std::expected<FoundRow, StorageError> decode(const Record& record) const;
  std::string key_of(const Record& record) const;
  void add(FoundRows& to, const Record& record) const;

  Records& records_;
  std::string supervisor_;
};

}  // namespace coterie::detail
