// Goal: whatever the payment system does, a key pays at most once and a retry learns of the first.
#include "examples/contracts/ledger.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace contracts {
namespace {

const std::string at = "2026-01-02T03:04:05Z";

Contract contract_in(const std::string& id, State state) {
  Contract contract = apply(Started{id, "c-1", 100'000, 10'000, ""});
  contract.state = state;
  return contract;
}

PayOut::Reply pay_out(Ledger& ledger, const PayOut& request, PaymentMode mode) {
  const Ledger::Decision decision = ledger.decide(request, mode);
  if (decision.event) ledger.apply(*decision.event);
  return decision.reply;
}

TEST(Ledger, ARepeatedKeyGetsTheFirstPayout) {
  Ledger ledger;
  PayOut request = payout_for(contract_in("contract-1", State::approved), at);
  EXPECT_EQ(request.key, "contract-1/disburse");
  const auto first = pay_out(ledger, request, PaymentMode::pay);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->amount, 100'000) << "the asset's cost is paid out, not the profit";
  request.at = "2026-01-02T03:04:06Z";
  for (const PaymentMode mode :
       {PaymentMode::pay, PaymentMode::refuse, PaymentMode::fail, PaymentMode::stall}) {
    EXPECT_EQ(pay_out(ledger, request, mode), first) << to_string(mode);
  }
  EXPECT_EQ(ledger.payouts().size(), 1u);
}

TEST(Ledger, ARefusalMovesNoMoneyAndLeavesTheKeyOpen) {
  Ledger ledger;
  const PayOut request = payout_for(contract_in("contract-1", State::approved), at);
  EXPECT_EQ(pay_out(ledger, request, PaymentMode::refuse).error().code,
            PayoutRefusal::Code::refused);
  EXPECT_EQ(pay_out(ledger, request, PaymentMode::fail).error().code, PayoutRefusal::Code::failed);
  EXPECT_TRUE(ledger.payouts().empty());
  EXPECT_TRUE(pay_out(ledger, request, PaymentMode::pay));
}

TEST(Ledger, AStalledPayoutIsMadeAndAnsweredLater) {
  Ledger ledger;
  const PayOut request = payout_for(contract_in("contract-1", State::approved), at);
  const Ledger::Decision stalled = ledger.decide(request, PaymentMode::stall);
  ASSERT_TRUE(stalled.event);
  EXPECT_TRUE(stalled.hold_reply);
  ledger.apply(*stalled.event);
  EXPECT_TRUE(ledger.decide(request, PaymentMode::stall).hold_reply);
  const Ledger::Decision retried = ledger.decide(request, PaymentMode::pay);
  EXPECT_FALSE(retried.hold_reply);
  EXPECT_FALSE(retried.event);
  EXPECT_EQ(retried.reply, stalled.reply);
}

TEST(Ledger, AKeyPaysForOneThingOnly) {
  Ledger ledger;
  PayOut request = payout_for(contract_in("contract-1", State::approved), at);
  ASSERT_TRUE(pay_out(ledger, request, PaymentMode::pay));
  request.amount += 1;
  EXPECT_EQ(pay_out(ledger, request, PaymentMode::pay).error().code,
            PayoutRefusal::Code::key_reused);
  request.key = "contract-2/disburse";
  request.amount = 0;
  EXPECT_EQ(pay_out(ledger, request, PaymentMode::pay).error().code,
            PayoutRefusal::Code::invalid_amount);
  EXPECT_THROW(ledger.apply(PayoutMade{ledger.payouts().front()}), std::logic_error);
}

TEST(Ledger, TheAuditNamesEveryFault) {
  const std::vector<Contract> contracts{
      contract_in("paid", State::repaying),      contract_in("missing", State::disbursed),
      contract_in("doubled", State::completed),  contract_in("wrong", State::disbursed),
      contract_in("unsettled", State::approved), contract_in("pending", State::pending)};
  const auto payout = [](const std::string& id, std::int64_t amount) {
    return Payout{"p", id + "/disburse", id, "c-1", amount, at};
  };
  const std::vector<Payout> payouts{payout("paid", 100'000),      payout("doubled", 100'000),
                                    payout("doubled", 100'000),   payout("wrong", 1),
                                    payout("unsettled", 100'000), payout("nobody", 100'000)};
  const PayoutAudit result = audit(payouts, contracts);
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.missing, std::vector<std::string>{"missing"});
  EXPECT_EQ(result.doubled, std::vector<std::string>{"doubled"});
  EXPECT_EQ(result.wrong, std::vector<std::string>{"wrong"});
  EXPECT_EQ(result.unsettled, (std::vector<std::string>{"unsettled", "nobody"}));
  const PayoutAudit clean = audit(std::span(payouts).first(1), std::span(contracts).first(1));
  EXPECT_TRUE(clean.ok());
}

}  // namespace
}  // namespace contracts
