#include "registry/engine_mark.hpp"

#include <charconv>
#include <string>

#include "registry/store_agreement.hpp"

namespace coterie {
namespace {

const std::string mark_key = "agreement_engine";

/// "voters", or "voters 2".
struct Mark {
  std::string engine;
  std::uint64_t history = 0;
};

Mark read_mark(const Bytes& text) {
  Mark mark{text.substr(0, text.find(' ')), 0};
  if (mark.engine.size() < text.size()) {
    std::from_chars(text.data() + mark.engine.size() + 1, text.data() + text.size(), mark.history);
  }
  return mark;
}

}  // namespace

StorageResult<std::uint64_t> claim_for_engine(Records& records, std::string_view engine) {
  // A storage of before there was a choice has a view and no mark.
  const auto view = records.read(StoreAgreement::view_key());
  if (!view) return std::unexpected(view.error());
  const bool unmarked_store = view->has_value();
  for (;;) {
    const auto mark = records.read(mark_key);
    if (!mark) return std::unexpected(mark.error());
    const Mark found = *mark ? read_mark((*mark)->value) : Mark{unmarked_store ? "store" : "", 0};
    const std::string& holder = found.engine;
    if (holder == engine) return found.history;
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
    if (committed->front().committed) return 0;
  }
}

StorageResult<void> raise_history(Records& records, std::uint64_t own) {
  for (;;) {
    const auto found = records.read(mark_key);
    if (!found) return std::unexpected(found.error());
    const Mark mark = read_mark(*found ? (*found)->value : Bytes());
    if (mark.history >= own) return {};
    Transaction raise;
    raise.conditions.push_back({mark_key, *found ? (*found)->version : 0});
    raise.writes.push_back({mark_key, Bytes(mark.engine + " " + std::to_string(own))});
    const auto committed = records.commit({&raise, 1});
    if (!committed) return std::unexpected(committed.error());
    if (committed->front().committed) return {};
  }
}

}  // namespace coterie
