#include "registry/engine_mark.hpp"

#include <string>

#include "registry/store_agreement.hpp"

namespace coterie {
namespace {

const std::string mark_key = "agreement_engine";

}  // namespace

StorageResult<void> claim_for_engine(Records& records, std::string_view engine) {
  // A storage of before there was a choice has a view and no mark.
  const auto view = records.read(StoreAgreement::view_key());
  if (!view) return std::unexpected(view.error());
  const bool unmarked_store = view->has_value();
  for (;;) {
    const auto mark = records.read(mark_key);
    if (!mark) return std::unexpected(mark.error());
    const std::string holder = *mark ? (*mark)->value : unmarked_store ? "store" : "";
    if (holder == engine) return {};
    if (!holder.empty()) {
      return std::unexpected(StorageError{
          .code = StorageError::Code::misuse,
          .message = "this journal belongs to a cluster with agreement = \"" + holder +
                     "\", and its epochs count that one's views; write agreement = \"" + holder +
                     "\", or give the cluster another journal"});
    }
    Transaction claim;
    claim.conditions.push_back({mark_key, 0});
    claim.writes.push_back({mark_key, Bytes(engine)});
    const auto committed = records.commit({&claim, 1});
    if (!committed) return std::unexpected(committed.error());
    if (committed->front().committed) return {};
  }
}

}  // namespace coterie
