#include "examples/contracts/ledger.hpp"

#include <cstdio>
#include <stdexcept>

namespace contracts {
namespace {

bool same_payout(const Payout& payout, const PayOut& request) {
  // The time is the asker's clock at this try, not part of what is paid for.
  return payout.contract_id == request.contract_id && payout.customer_id == request.customer_id &&
         payout.amount == request.amount;
}

Ledger::Decision refuse(PayoutRefusal::Code code, std::string detail) {
  return {.reply = std::unexpected(PayoutRefusal{code, std::move(detail)}),
          .event = std::nullopt,
          .hold_reply = false};
}

std::string payout_id(std::size_t number) {
  char text[32];
  std::snprintf(text, sizeof text, "payout-%06zu", number);
  return text;
}

bool is_disbursed(State state) {
  switch (state) {
    case State::disbursed:
    case State::repaying:
    case State::completed:
      return true;
    case State::pending:
    case State::approved:
    case State::rejected:
      return false;
  }
  return false;
}

}  // namespace

Ledger::Decision Ledger::decide(const PayOut& request, PaymentMode mode) const {
  if (const auto found = by_key_.find(request.key); found != by_key_.end()) {
    const Payout& first = payouts_[found->second];
    if (!same_payout(first, request)) {
      return refuse(PayoutRefusal::Code::key_reused,
                    request.key + " has paid " + std::to_string(first.amount) + " to " +
                        first.customer_id + " for " + first.contract_id);
    }
    return {.reply = first, .event = std::nullopt, .hold_reply = mode == PaymentMode::stall};
  }
  if (request.amount <= 0) {
    return refuse(PayoutRefusal::Code::invalid_amount,
                  "amount must be positive, is " + std::to_string(request.amount));
  }
  switch (mode) {
    case PaymentMode::refuse:
      return refuse(PayoutRefusal::Code::refused, "the payment system refuses payouts");
    case PaymentMode::fail:
      return refuse(PayoutRefusal::Code::failed, "the payment system is out of order");
    case PaymentMode::pay:
    case PaymentMode::stall:
      break;
  }
  Payout payout{payout_id(payouts_.size() + 1),
                request.key,
                request.contract_id,
                request.customer_id,
                request.amount,
                request.at};
  return {.reply = payout, .event = PayoutMade{payout}, .hold_reply = mode == PaymentMode::stall};
}

void Ledger::apply(const PayoutMade& event) {
  if (!by_key_.emplace(event.payout.key, payouts_.size()).second) {
    throw std::logic_error("the ledger's journal pays " + event.payout.key + " twice");
  }
  payouts_.push_back(event.payout);
}

std::string payout_key(std::string_view contract_id, Operation operation) {
  return std::string(contract_id) + "/" + std::string(to_string(operation));
}

PayOut payout_for(const Contract& contract, std::string_view at) {
  return {.key = payout_key(contract.contract_id),
          .contract_id = contract.contract_id,
          .customer_id = contract.customer_id,
          .amount = contract.asset_cost,
          .at = std::string(at)};
}

PayoutAudit audit(std::span<const Payout> payouts, std::span<const Contract> contracts) {
  std::map<std::string_view, std::vector<const Payout*>> paid;
  for (const Payout& payout : payouts) paid[payout.contract_id].push_back(&payout);

  PayoutAudit result;
  for (const Contract& contract : contracts) {
    const auto found = paid.find(contract.contract_id);
    if (found == paid.end()) {
      if (is_disbursed(contract.state)) result.missing.push_back(contract.contract_id);
      continue;
    }
    const Payout& first = *found->second.front();
    if (!is_disbursed(contract.state)) result.unsettled.push_back(contract.contract_id);
    if (found->second.size() > 1) result.doubled.push_back(contract.contract_id);
    if (first.amount != contract.asset_cost || first.customer_id != contract.customer_id) {
      result.wrong.push_back(contract.contract_id);
    }
    paid.erase(found);
  }
  for (const auto& [contract_id, list] : paid) {
    result.unsettled.emplace_back(contract_id);
    if (list.size() > 1) result.doubled.emplace_back(contract_id);
  }
  return result;
}

std::string_view to_string(PaymentMode mode) noexcept {
  switch (mode) {
    case PaymentMode::pay:
      return "pay";
    case PaymentMode::refuse:
      return "refuse";
    case PaymentMode::fail:
      return "fail";
    case PaymentMode::stall:
      return "stall";
  }
  return "unknown";
}

std::string_view to_string(PayoutRefusal::Code code) noexcept {
  switch (code) {
    case PayoutRefusal::Code::refused:
      return "refused";
    case PayoutRefusal::Code::failed:
      return "failed";
    case PayoutRefusal::Code::invalid_amount:
      return "invalid_amount";
    case PayoutRefusal::Code::key_reused:
      return "key_reused";
  }
  return "unknown";
}

}  // namespace contracts
