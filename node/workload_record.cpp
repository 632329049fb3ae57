#include "node/workload_record.hpp"

namespace coterie {

std::string_view to_string(OperationOutcome outcome) noexcept {
  switch (outcome) {
    case OperationOutcome::acknowledged:
      return "acknowledged";
    case OperationOutcome::refused:
      return "refused";
    case OperationOutcome::not_executed:
      return "not executed";
    case OperationOutcome::unknown:
      return "unknown";
  }
  return "unknown";
}

}  // namespace coterie
