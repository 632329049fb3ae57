#pragma once
// The contracts' rules as the model that a failover test judges a recorded history by. States are
// a contract's JSON or nothing, operations are lines of a workload file, answers are what
// answer_of writes. Pure; any thread.

#include <coterie/workload_model.hpp>

#include "examples/contracts/rules.hpp"

namespace contracts {

/// The answer that a client recorded, as the model reads it: {"accepted":{...}} or
/// {"refused":"invalid_state"}.
coterie::Bytes answer_of(const Result& result);

class ContractModel final : public coterie::WorkloadModel {
 public:
  explicit ContractModel(Policy policy = {}) : policy_(policy) {}

  coterie::Bytes initial(std::string_view key) const override;
  /// Refusals are compared by code. disburse may be refused by the payment system whenever the
  /// rules would accept it, and then changes nothing.
  std::optional<coterie::Bytes> step(coterie::BytesView state, coterie::BytesView operation,
                                     const std::optional<coterie::Bytes>& answer) const override;
  bool keeps_state(coterie::BytesView operation, coterie::BytesView answer) const override;
  std::string expected(coterie::BytesView state, coterie::BytesView operation) const override;
  std::optional<coterie::Bytes> effect(coterie::BytesView operation) const override;
  std::vector<coterie::Bytes> effects(coterie::BytesView last_answer) const override;

 private:
  Policy policy_;
};

}  // namespace contracts
