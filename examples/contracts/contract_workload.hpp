#pragma once
// Contracts as a workload: how `coterie replay`, `coterie failover` and the demo drive them and
// judge what came back. Operations are lines of a workload file, answers are what answer_of()
// writes. Pure; any thread.

#include <coterie/workload.hpp>

#include "examples/contracts/contract_model.hpp"

namespace contracts {

class ContractWorkload final : public coterie::Workload {
 public:
  std::string_view kind() const noexcept override;
  const coterie::WorkloadModel& model() const noexcept override { return model_; }
  std::vector<std::string> words() const override;

  std::expected<std::vector<coterie::WorkloadOperation>, std::string> read(
      std::istream& in, std::string_view file) const override;
  std::unique_ptr<Source> source(
      std::uint64_t seed, const std::map<std::string, std::uint64_t>& weights) const override;

  coterie::WorkloadCall call(const coterie::WorkloadOperation& operation) const override;
  std::expected<coterie::WorkloadAnswer, std::string> answer(
      const coterie::WorkloadOperation& operation, coterie::BytesView reply) const override;
  /// A contract that was never started refuses everything but its start.
  std::optional<coterie::WorkloadAnswer> absent(
      const coterie::WorkloadOperation& operation) const override;
  coterie::WorkloadOperation last_read(const std::string& key) const override;

  std::vector<std::string> compare(
      std::span<const coterie::WorkloadOperation> recorded,
      const std::map<std::string, coterie::Bytes, std::less<>>& last_answers) const override;

  /// The ledger: exactly one payout per disbursed contract of those that were read.
  std::vector<coterie::WorkloadCall> audit_calls() const override;
  std::vector<std::string> audit(
      std::span<const coterie::Bytes> replies,
      const std::map<std::string, coterie::Bytes, std::less<>>& last_answers,
      const std::set<std::string>& unknown) const override;

 private:
  ContractModel model_;
};

}  // namespace contracts
