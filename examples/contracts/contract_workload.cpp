#include "examples/contracts/contract_workload.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>

#include <coterie/pack.hpp>

#include "examples/contracts/contract_json.hpp"
#include "examples/contracts/contract_server.hpp"
#include "examples/contracts/ledger.hpp"
#include "examples/contracts/payment_server.hpp"
#include "examples/contracts/workload.hpp"
#include "examples/contracts/workload_generator.hpp"

namespace contracts {
namespace {

using coterie::Bytes;
using coterie::BytesView;
using coterie::WorkloadAnswer;
using coterie::WorkloadCall;
using coterie::WorkloadOperation;
using Answers = std::map<std::string, Bytes, std::less<>>;

/// Operations come from this program's own reading or drawing.
WorkloadCommand command_of(const WorkloadOperation& operation) {
  auto command = parse_command_line(operation.bytes, operation.request_id);
  if (!command) throw std::logic_error(command.error());
  return *std::move(command);
}

WorkloadOperation operation_from(const WorkloadCommand& command) {
  return {command.contract, std::string(to_string(operation_of(command.command))),
          command.request_id, to_line(command)};
}

/// Nothing: refused, so there is no such contract.
std::optional<Contract> contract_in(BytesView answer) {
  constexpr std::string_view accepted = "{\"accepted\":";
  if (!answer.starts_with(accepted)) return std::nullopt;
  return contract_from_json(answer.substr(accepted.size(), answer.size() - accepted.size() - 1))
      .value();
}

std::map<std::string, Contract, std::less<>> contracts_in(const Answers& answers) {
  std::map<std::string, Contract, std::less<>> contracts;
  for (const auto& [key, answer] : answers) {
    if (auto contract = contract_in(answer)) contracts.emplace(key, *std::move(contract));
  }
  return contracts;
}

class GeneratedSource final : public coterie::Workload::Source {
 public:
  explicit GeneratedSource(GeneratorOptions options) : generator_(std::move(options)) {}
  WorkloadOperation start(std::size_t index) override {
    return operation_from(generator_.start(index));
  }
  WorkloadOperation next(std::size_t index) override {
    return operation_from(generator_.next_for(index));
  }

 private:
  WorkloadGenerator generator_;
};

void note(std::vector<std::string>& lines, const std::vector<std::string>& contracts,
          std::string_view what) {
  for (const std::string& contract : contracts)
    lines.push_back(contract + ": " + std::string(what));
}

}  // namespace

std::string_view ContractWorkload::kind() const noexcept { return contracts_kind; }

std::vector<std::string> ContractWorkload::words() const {
  return {"approve", "reject", "disburse", "pay", "get", "invalid"};
}

std::expected<std::vector<WorkloadOperation>, std::string> ContractWorkload::read(
    std::istream& in, std::string_view file) const {
  const auto workload = read_workload(in, file);
  if (!workload) return std::unexpected(workload.error());
  std::vector<WorkloadOperation> list;
  list.reserve(workload->size());
  for (const WorkloadCommand& command : *workload) list.push_back(operation_from(command));
  return list;
}

std::unique_ptr<coterie::Workload::Source> ContractWorkload::source(
    std::uint64_t seed, const std::map<std::string, std::uint64_t>& weights) const {
  GeneratorOptions options;
  options.seed = seed;
  if (!weights.empty()) {
    options.mix = {0, 0, 0, 0, 0, 0};
    Mix& mix = options.mix;
    const std::pair<std::string_view, unsigned*> known[] = {
        {"approve", &mix.approve}, {"reject", &mix.reject}, {"disburse", &mix.disburse},
        {"pay", &mix.pay},         {"get", &mix.get},       {"invalid", &mix.invalid}};
    for (const auto& [word, weight] : weights) {
      for (const auto& [name, field] : known) {
        if (name == word) *field = static_cast<unsigned>(std::min<std::uint64_t>(weight, 1u << 20));
      }
    }
  }
  return std::make_unique<GeneratedSource>(std::move(options));
}

WorkloadCall ContractWorkload::call(const WorkloadOperation& operation) const {
  return std::visit(
      [&](const auto& command) {
        return WorkloadCall{coterie::via(std::string(contracts_kind), operation.key),
                            std::string(command.type_name), coterie::pack(command)};
      },
      command_of(operation).command);
}

std::expected<WorkloadAnswer, std::string> ContractWorkload::answer(const WorkloadOperation&,
                                                                    BytesView reply) const {
  const auto result = coterie::unpack<Result>(reply);
  if (!result) return std::unexpected(to_string(result.error()));
  return WorkloadAnswer{result->has_value(), answer_of(*result)};
}

std::optional<WorkloadAnswer> ContractWorkload::absent(const WorkloadOperation& operation) const {
  if (operation.word == to_string(Operation::start)) return std::nullopt;
  return WorkloadAnswer{
      false, answer_of(std::unexpected(Refusal{Refusal::Code::unknown_contract, operation.key}))};
}

WorkloadOperation ContractWorkload::last_read(const std::string& key) const {
  return operation_from({"last-read-" + key, key, Get{}});
}

std::vector<std::string> ContractWorkload::compare(std::span<const WorkloadOperation> recorded,
                                                   const Answers& last_answers) const {
  contracts::Workload workload;
  for (const WorkloadOperation& operation : recorded) workload.push_back(command_of(operation));
  std::vector<std::string> lines;
  for (const ContractDifference& difference :
       contracts::compare(run_reference(workload).contracts, contracts_in(last_answers))) {
    if (difference.missing) lines.push_back(difference.contract + ": expected, and not there");
    if (difference.unexpected) lines.push_back(difference.contract + ": there, and not expected");
    for (const FieldDifference& field : difference.fields) {
      lines.push_back(difference.contract + "." + field.field + ": expected " + field.expected +
                      ", found " + field.found);
    }
  }
  return lines;
}

std::vector<WorkloadCall> ContractWorkload::audit_calls() const {
  return {{payment_system(), std::string(ListPayouts::type_name), coterie::pack(ListPayouts{})}};
}

std::vector<std::string> ContractWorkload::audit(std::span<const Bytes> replies,
                                                 const Answers& last_answers,
                                                 const std::set<std::string>& unknown) const {
  if (replies.size() != 1) return {"the ledger was not read"};
  const auto payouts = coterie::unpack<std::vector<Payout>>(replies.front());
  if (!payouts) return {"the ledger cannot be understood: " + to_string(payouts.error())};
  std::vector<Contract> contracts;
  for (auto& [key, contract] : contracts_in(last_answers)) contracts.push_back(contract);
  // The ledger may hold payouts of contracts that this run has not touched.
  std::vector<Payout> ours;
  std::ranges::copy_if(*payouts, std::back_inserter(ours), [&](const Payout& payout) {
    return last_answers.contains(payout.contract_id);
  });
  PayoutAudit found = contracts::audit(ours, contracts);
  // A disburse that was cut short between the payout and the journal; the next one settles it.
  std::erase_if(found.unsettled, [&](const std::string& id) { return unknown.contains(id); });
  std::vector<std::string> lines;
  note(lines, found.missing, "disbursed, and never paid out");
  note(lines, found.doubled, "paid out more than once");
  note(lines, found.wrong, "paid out to somebody else, or another amount");
  note(lines, found.unsettled, "paid out, and the contract does not know it");
  return lines;
}

}  // namespace contracts
