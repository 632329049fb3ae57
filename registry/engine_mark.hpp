#pragma once
// Which engine of agreement a cluster's storage was used with. Epochs carry numbers of views, and
// each engine counts its own, so names and journals written under one must not be continued under
// the other. The mark also tells how often a lost majority of voters was given up (`voters 2`), so
// that nodes which know nothing of that are refused. Blocks as Records does.

#include <cstdint>
#include <string_view>

#include "process/ports/storage.hpp"

namespace coterie {

/// Of storage that was claimed: raises its history to `own` if that is later.
StorageResult<void> raise_history(Records& records, std::uint64_t own);

/// Claims the storage for `engine` ("store", "voters") at the first start; `misuse` if it is the
/// other one's. `records`: those of the agreement. The answer is the history that it is of: how
/// often a lost majority of voters was given up.
StorageResult<std::uint64_t> claim_for_engine(Records& records, std::string_view engine);

}  // namespace coterie
