#include "examples/contracts/contract_model.hpp"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "examples/contracts/contract_json.hpp"
#include "examples/contracts/timestamp.hpp"
#include "examples/contracts/workload.hpp"

namespace contracts {
namespace {

using coterie::Bytes;
using coterie::BytesView;

constexpr std::string_view accepted_prefix = "{\"accepted\":";
constexpr std::string_view refused_prefix = "{\"refused\":\"";

// A history is written by the same program that reads it: what cannot be read is a fault of the
// program, not of the run.
Command command_of(BytesView operation) {
  auto line = parse_command_line(operation, "history");
  if (!line) throw std::logic_error(line.error());
  return std::move(line->command);
}

std::optional<Contract> contract_of(BytesView json) {
  if (json.empty()) return std::nullopt;
  auto contract = contract_from_json(json);
  if (!contract) throw std::logic_error("history: " + contract.error());
  return *std::move(contract);
}

bool is_accepted_with(BytesView contract, BytesView answer) {
  return answer.size() == accepted_prefix.size() + contract.size() + 1 &&
         answer.starts_with(accepted_prefix) &&
         answer.substr(accepted_prefix.size(), contract.size()) == contract && answer.back() == '}';
}

std::string canonical(const std::string& at) {
  const auto time = parse_timestamp(at);
  return time ? format_timestamp(*time) : at;
}

bool is_payment_refusal(BytesView answer) {
  return answer == answer_of(std::unexpected(Refusal{Refusal::Code::payment_refused, ""})) ||
         answer == answer_of(std::unexpected(Refusal{Refusal::Code::payment_failed, ""}));
}

}  // namespace

Bytes answer_of(const Result& result) {
  if (result) return std::string(accepted_prefix) + to_json_text(*result) + "}";
  return std::string(refused_prefix) + std::string(to_string(result.error().code)) + "\"}";
}

Bytes ContractModel::initial(std::string_view) const { return {}; }

std::optional<Bytes> ContractModel::step(BytesView state, BytesView operation,
                                         const std::optional<Bytes>& answer) const {
  std::optional<Contract> contract = contract_of(state);
  const Command command = command_of(operation);
  const Result result = perform(contract, command, policy_);
  // What is accepted answers with the contract as it is now; what is refused leaves it as it was.
  Bytes next = result ? to_json_text(*result) : Bytes(state);
  if (!answer || (result ? is_accepted_with(next, *answer) : *answer == answer_of(result))) {
    return next;
  }
  if (std::holds_alternative<Disburse>(command) && result && is_payment_refusal(*answer)) {
    return Bytes(state);
  }
  return std::nullopt;
}

bool ContractModel::keeps_state(BytesView operation, BytesView answer) const {
  return answer.starts_with(refused_prefix) || std::holds_alternative<Get>(command_of(operation));
}

std::string ContractModel::expected(BytesView state, BytesView operation) const {
  std::optional<Contract> contract = contract_of(state);
  return answer_of(perform(contract, command_of(operation), policy_));
}

std::optional<Bytes> ContractModel::effect(BytesView operation) const {
  struct Visitor {
    std::optional<Bytes> operator()(const Start& start) const {
      return "start " + start.contract_id;
    }
    std::optional<Bytes> operator()(const Approve& approve) const {
      return "approve " + canonical(approve.at);
    }
    std::optional<Bytes> operator()(const Reject&) const { return "reject"; }
    std::optional<Bytes> operator()(const Disburse& disburse) const {
      return "disburse " + canonical(disburse.at);
    }
    std::optional<Bytes> operator()(const Pay& pay) const {
      return "pay " + std::to_string(pay.amount) + " " + canonical(pay.at);
    }
    std::optional<Bytes> operator()(const Get&) const { return std::nullopt; }
  };
  return std::visit(Visitor{}, command_of(operation));
}

std::vector<Bytes> ContractModel::effects(BytesView last_answer) const {
  if (!last_answer.starts_with(accepted_prefix)) return {};
  const BytesView json =
      last_answer.substr(accepted_prefix.size(), last_answer.size() - accepted_prefix.size() - 1);
  const auto contract = contract_of(json);
  std::vector<Bytes> list{"start " + contract->contract_id};
  if (contract->approved_at) list.push_back("approve " + *contract->approved_at);
  if (contract->state == State::rejected) list.push_back("reject");
  if (contract->disbursed_at) list.push_back("disburse " + *contract->disbursed_at);
  for (const Payment& payment : contract->payments) {
    list.push_back("pay " + std::to_string(payment.amount) + " " + payment.timestamp);
  }
  return list;
}

}  // namespace contracts
