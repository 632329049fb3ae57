#pragma once
// Which engine of agreement a cluster's storage was used with. Epochs carry numbers of views, and
// each engine counts its own, so names and journals written under one must not be continued under
// the other. Blocks as Records does.

#include <string_view>

#include "process/ports/storage.hpp"

namespace coterie {

/// Claims the storage for `engine` ("store", "voters") at the first start; `misuse` if it is the
/// other one's. `records`: those of the agreement.
StorageResult<void> claim_for_engine(Records& records, std::string_view engine);

}  // namespace coterie
