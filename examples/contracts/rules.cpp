#include "examples/contracts/rules.hpp"

#include <array>
#include <limits>
#include <stdexcept>

#include "examples/contracts/timestamp.hpp"

namespace contracts {
namespace {

using Code = Refusal::Code;

std::unexpected<Refusal> refuse(Code code, std::string detail) {
  return std::unexpected(Refusal{code, std::move(detail)});
}

std::optional<std::int64_t> add(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

std::unexpected<Refusal> refuse_state(const Contract& contract, Operation operation) {
  return refuse(Code::invalid_state, std::string(to_string(operation)) + " is not allowed while " +
                                         std::string(to_string(contract.state)));
}

/// The canonical text of a command's time.
std::expected<std::string, Refusal> recorded_time(std::string_view at) {
  const auto time = parse_timestamp(at);
  if (!time) return refuse(Code::invalid_time, time.error());
  return format_timestamp(*time);
}

State require_next(const Contract& contract, Operation operation, bool fully_paid = false) {
  const auto next = next_state(contract.state, operation, fully_paid);
  if (!next) {
    throw std::logic_error("contract " + contract.contract_id + ": the journal holds a " +
                           std::string(to_string(operation)) + " while " +
                           std::string(to_string(contract.state)));
  }
  return *next;
}

/// What approve, reject and disburse have in common: a state that allows it, and a time.
std::expected<std::string, Refusal> decide_time(const Contract& contract, Operation operation,
                                                std::string_view at) {
  if (!next_state(contract.state, operation, false)) return refuse_state(contract, operation);
  return recorded_time(at);
}

bool is_id(std::string_view text) { return !text.empty() && text.size() <= id_bytes_max; }

template <typename E>
std::expected<std::optional<Event>, Refusal> widen(std::expected<E, Refusal> decision) {
  if (!decision) return std::unexpected(std::move(decision.error()));
  return std::optional<Event>(*std::move(decision));
}

}  // namespace

std::expected<Started, Refusal> decide(const Start& command) {
  if (!is_id(command.contract_id) || !is_id(command.customer_id)) {
    return refuse(Code::invalid_text, "contract_id and customer_id have 1 to " +
                                          std::to_string(id_bytes_max) + " bytes");
  }
  if (command.asset_cost <= 0) {
    return refuse(Code::invalid_amount,
                  "asset_cost must be positive, is " + std::to_string(command.asset_cost));
  }
  if (command.profit_amount < 0) {
    return refuse(Code::invalid_amount, "profit_amount must not be negative, is " +
                                            std::to_string(command.profit_amount));
  }
  if (!add(command.asset_cost, command.profit_amount)) {
    return refuse(Code::invalid_amount, "asset_cost + profit_amount is out of range");
  }
  std::string at;
  if (!command.at.empty()) {
    auto time = recorded_time(command.at);
    if (!time) return std::unexpected(std::move(time.error()));
    at = *std::move(time);
  }
  return Started{command.contract_id, command.customer_id, command.asset_cost,
                 command.profit_amount, std::move(at)};
}

std::expected<Approved, Refusal> decide(const Contract& contract, const Approve& command) {
  auto at = decide_time(contract, Operation::approve, command.at);
  if (!at) return std::unexpected(std::move(at.error()));
  return Approved{*std::move(at)};
}

std::expected<Rejected, Refusal> decide(const Contract& contract, const Reject& command) {
  auto at = decide_time(contract, Operation::reject, command.at);
  if (!at) return std::unexpected(std::move(at.error()));
  if (command.reason.size() > reason_bytes_max) {
    return refuse(Code::invalid_text,
                  "a reason has at most " + std::to_string(reason_bytes_max) + " bytes");
  }
  return Rejected{command.reason, *std::move(at)};
}

std::expected<Disbursed, Refusal> decide(const Contract& contract, const Disburse& command) {
  auto at = decide_time(contract, Operation::disburse, command.at);
  if (!at) return std::unexpected(std::move(at.error()));
  return Disbursed{*std::move(at)};
}

std::expected<Paid, Refusal> decide(const Contract& contract, const Pay& command,
                                    const Policy& policy) {
  if (!next_state(contract.state, Operation::pay, false)) {
    return refuse_state(contract, Operation::pay);
  }
  if (command.amount <= 0) {
    return refuse(Code::invalid_amount,
                  "amount must be positive, is " + std::to_string(command.amount));
  }
  const std::int64_t before = total_paid(contract);
  const auto paid = add(before, command.amount);
  if (!paid) return refuse(Code::invalid_amount, "the sum of all payments is out of range");
  if (*paid > contract.total_amount && policy.overpayment == Overpayment::refuse) {
    return refuse(Code::overpayment, std::to_string(command.amount) + " is more than the rest of " +
                                         std::to_string(contract.total_amount - before));
  }
  // The last place in the list is kept for a payment that ends the contract; otherwise one that
  // was paid in crumbs could never be completed.
  if (contract.payments.size() + 1 >= payments_max && *paid < contract.total_amount) {
    return refuse(Code::too_many_payments,
                  "payment " + std::to_string(payments_max) + " must be for all of the rest");
  }
  auto at = recorded_time(command.at);
  if (!at) return std::unexpected(std::move(at.error()));
  return Paid{command.amount, *std::move(at)};
}

std::expected<std::optional<Event>, Refusal> decide(const std::optional<Contract>& contract,
                                                    const Command& command, const Policy& policy) {
  using Decision = std::expected<std::optional<Event>, Refusal>;
  if (const auto* start = std::get_if<Start>(&command)) {
    if (contract) return refuse(Code::already_started, start->contract_id);
    return widen(decide(*start));
  }
  if (!contract) return refuse(Code::unknown_contract, "");
  struct Visitor {
    const Contract& contract;
    const Policy& policy;
    Decision operator()(const Start&) const { return std::nullopt; }  // answered above
    Decision operator()(const Get&) const { return std::nullopt; }
    Decision operator()(const Pay& pay) const { return widen(decide(contract, pay, policy)); }
    Decision operator()(const Approve& approve) const { return widen(decide(contract, approve)); }
    Decision operator()(const Reject& reject) const { return widen(decide(contract, reject)); }
    Decision operator()(const Disburse& disburse) const {
      return widen(decide(contract, disburse));
    }
  };
  return std::visit(Visitor{*contract, policy}, command);
}

Contract apply(const Started& event) {
  const auto total = add(event.asset_cost, event.profit_amount);
  if (!total) {
    throw std::logic_error("contract " + event.contract_id +
                           ": the journal holds a start whose total is out of range");
  }
  Contract contract;
  contract.contract_id = event.contract_id;
  contract.customer_id = event.customer_id;
  contract.asset_cost = event.asset_cost;
  contract.profit_amount = event.profit_amount;
  contract.total_amount = *total;
  return contract;
}

void apply(Contract& contract, const Approved& event) {
  contract.state = require_next(contract, Operation::approve);
  contract.approved_at = event.at;
}

void apply(Contract& contract, const Rejected&) {
  contract.state = require_next(contract, Operation::reject);
}

void apply(Contract& contract, const Disbursed& event) {
  contract.state = require_next(contract, Operation::disburse);
  contract.disbursed_at = event.at;
}

void apply(Contract& contract, const Paid& event) {
  const auto paid = add(total_paid(contract), event.amount);
  if (!paid || event.amount <= 0) {
    throw std::logic_error("contract " + contract.contract_id +
                           ": the journal holds a payment that is out of range");
  }
  contract.state = require_next(contract, Operation::pay, *paid >= contract.total_amount);
  contract.payments.insert(contract.payments.begin(), Payment{event.amount, event.at});
}

void apply(Contract&, const Refused&) {}

void replay(std::optional<Contract>& contract, const Event& event) {
  if (const auto* started = std::get_if<Started>(&event)) {
    if (contract) {
      throw std::logic_error("contract " + contract->contract_id + ": the journal starts it twice");
    }
    contract = apply(*started);
    return;
  }
  if (!contract) throw std::logic_error("the journal of a contract does not begin with its start");
  struct Visitor {
    Contract& contract;
    void operator()(const Started&) const {}  // handled above
    void operator()(const Approved& approved) const { apply(contract, approved); }
    void operator()(const Rejected& rejected) const { apply(contract, rejected); }
    void operator()(const Disbursed& disbursed) const { apply(contract, disbursed); }
    void operator()(const Paid& paid) const { apply(contract, paid); }
    void operator()(const Refused& refused) const { apply(contract, refused); }
  };
  std::visit(Visitor{*contract}, event);
}

// The lifecycle has no cycle but payments: first the start, then approval or rejection, then the
// disbursement, then payments one by one.
std::uint64_t events_of(const Contract& contract) noexcept {
  switch (contract.state) {
    case State::pending:
      return 1;
    case State::approved:
    case State::rejected:
      return 2;
    case State::disbursed:
    case State::repaying:
    case State::completed:
      return 3 + contract.payments.size();
  }
  return 0;
}

Contract as_of(Contract contract, std::uint64_t events) {
  if (events == 0 || events > events_of(contract)) {
    throw std::logic_error("contract " + contract.contract_id + " has no event " +
                           std::to_string(events));
  }
  if (events == events_of(contract)) return contract;
  // Fewer than all: whatever stopped it (rejected, completed) came last.
  const std::uint64_t payments = events > 3 ? events - 3 : 0;
  contract.payments.erase(
      contract.payments.begin(),
      contract.payments.end() - static_cast<std::ptrdiff_t>(payments));  // newest first
  contract.state = payments > 0  ? State::repaying
                   : events == 3 ? State::disbursed
                   : events == 2 ? State::approved
                                 : State::pending;
  if (events < 3) contract.disbursed_at.reset();
  if (events < 2) contract.approved_at.reset();
  return contract;
}

Result perform(std::optional<Contract>& contract, const Command& command, const Policy& policy) {
  auto event = decide(contract, command, policy);
  if (!event) return std::unexpected(std::move(event.error()));
  if (*event) replay(contract, **event);
  return *contract;
}

std::int64_t total_paid(const Contract& contract) noexcept {
  std::int64_t sum = 0;
  for (const Payment& payment : contract.payments) sum += payment.amount;
  return sum;
}

std::int64_t excess(const Contract& contract) noexcept {
  const std::int64_t paid = total_paid(contract);
  return paid > contract.total_amount ? paid - contract.total_amount : 0;
}

bool same_terms(const Contract& contract, const Start& start) noexcept {
  return contract.contract_id == start.contract_id && contract.customer_id == start.customer_id &&
         contract.asset_cost == start.asset_cost && contract.profit_amount == start.profit_amount;
}

Operation operation_of(const Command& command) noexcept {
  struct Visitor {
    Operation operator()(const Start&) const { return Operation::start; }
    Operation operator()(const Approve&) const { return Operation::approve; }
    Operation operator()(const Reject&) const { return Operation::reject; }
    Operation operator()(const Disburse&) const { return Operation::disburse; }
    Operation operator()(const Pay&) const { return Operation::pay; }
    Operation operator()(const Get&) const { return Operation::get; }
  };
  return std::visit(Visitor{}, command);
}

std::string_view to_string(Code code) noexcept {
  switch (code) {
    case Code::invalid_state:
      return "invalid_state";
    case Code::invalid_amount:
      return "invalid_amount";
    case Code::invalid_time:
      return "invalid_time";
    case Code::invalid_text:
      return "invalid_text";
    case Code::unknown_contract:
      return "unknown_contract";
    case Code::already_started:
      return "already_started";
    case Code::overpayment:
      return "overpayment";
    case Code::too_many_payments:
      return "too_many_payments";
    case Code::payment_refused:
      return "payment_refused";
    case Code::payment_failed:
      return "payment_failed";
  }
  return "unknown";
}

std::optional<Code> refusal_code(std::string_view text) noexcept {
  for (int value = 0; value <= static_cast<int>(Code::payment_failed); ++value) {
    if (to_string(static_cast<Code>(value)) == text) return static_cast<Code>(value);
  }
  return std::nullopt;
}

std::string to_string(const Refusal& refusal) {
  std::string text(to_string(refusal.code));
  if (!refusal.detail.empty()) text += ": " + refusal.detail;
  return text;
}

}  // namespace contracts
