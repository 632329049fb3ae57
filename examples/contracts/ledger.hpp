#pragma once
// The ledger of the payment system that pays contracts out, as pure rules: at most one payout per
// idempotency key, for ever. The payment system's server journals PayoutMade before it answers.
// Values only; any thread.
//
// A payout is final: a repeated key gets the first payout back, whatever the mode. A refusal or
// failure moved no money and leaves the key open, so the same disbursement may be tried again
// later; if it consumed the key, a contract that was refused once could never be disbursed.

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "examples/contracts/rules.hpp"

namespace contracts {

struct Payout {
  std::string payout_id;  // "payout-000001": in the order of payment
  std::string key;
  std::string contract_id;
  std::string customer_id;
  std::int64_t amount = 0;
  std::string at;
  friend bool operator==(const Payout&, const Payout&) = default;
};

struct PayoutRefusal {
  enum class Code : std::uint8_t {
    refused,         // the payment system says no: no money moved
    failed,          // it broke down before it paid: no money moved
    invalid_amount,  // not positive
    key_reused,      // the key has paid for something else
  };
  Code code = Code::refused;
  std::string detail;
  friend bool operator==(const PayoutRefusal&, const PayoutRefusal&) = default;
};

/// Request of a contract to the payment system.
struct PayOut {
  using Reply = std::expected<Payout, PayoutRefusal>;
  static constexpr std::string_view type_name = "payments.pay_out";
  std::string key;
  std::string contract_id;
  std::string customer_id;
  std::int64_t amount = 0;
  std::string at;
  friend bool operator==(const PayOut&, const PayOut&) = default;
};

/// How the payment system behaves towards payouts it has not made yet.
enum class PaymentMode : std::uint8_t {
  pay,     // pays and answers
  refuse,  // answers `refused`
  fail,    // answers `failed`
  stall,   // pays, and answers nobody until the mode changes: the caller cannot know
};

/// Request of an operator: how the payment system behaves from now on, on whatever node it runs.
/// The reply is the mode before.
struct SetMode {
  using Reply = PaymentMode;
  static constexpr std::string_view type_name = "payments.mode";
  PaymentMode mode = PaymentMode::pay;
};
/// The payouts made, in their order, from number `from` on.
struct ListPayouts {
  using Reply = std::vector<Payout>;
  static constexpr std::string_view type_name = "payments.list";
  std::uint64_t from = 0;
  std::uint64_t limit = 200'000;
};

// Events: what the ledger journals.
struct ModeSet {
  static constexpr std::string_view type_name = "mode_set";
  PaymentMode mode = PaymentMode::pay;
  friend bool operator==(const ModeSet&, const ModeSet&) = default;
};
struct PayoutMade {
  static constexpr std::string_view type_name = "payout_made";
  Payout payout;
  friend bool operator==(const PayoutMade&, const PayoutMade&) = default;
};

using LedgerEvent = std::variant<PayoutMade, ModeSet>;

class Ledger {
 public:
  struct Decision {
    PayOut::Reply reply;
    std::optional<PayoutMade> event;  // to journal and apply before the reply leaves
    bool hold_reply = false;          // stalled: the reply leaves when the mode changes
  };
  Decision decide(const PayOut& request, PaymentMode mode) const;
  /// Throws std::logic_error when the key has paid already: the journal is not this ledger's.
  void apply(const PayoutMade& event);

  const std::vector<Payout>& payouts() const noexcept { return payouts_; }

 private:
  std::vector<Payout> payouts_;
  std::map<std::string, std::size_t, std::less<>> by_key_;
};

/// The idempotency key of an operation of a contract: the same on every node and at every epoch.
std::string payout_key(std::string_view contract_id, Operation operation = Operation::disburse);
/// What a contract asks the payment system for when it is disbursed: the cost of the asset.
PayOut payout_for(const Contract& contract, std::string_view at);

/// Exactly one payout per disbursed contract, of the right amount to the right customer.
struct PayoutAudit {
  std::vector<std::string> missing;    // disbursed, and never paid out
  std::vector<std::string> doubled;    // paid out more than once
  std::vector<std::string> wrong;      // paid to somebody else, or another amount
  std::vector<std::string> unsettled;  // paid out, and the contract does not know it
  bool ok() const noexcept {
    return missing.empty() && doubled.empty() && wrong.empty() && unsettled.empty();
  }
};
PayoutAudit audit(std::span<const Payout> payouts, std::span<const Contract> contracts);

std::string_view to_string(PaymentMode mode) noexcept;
std::string_view to_string(PayoutRefusal::Code code) noexcept;

}  // namespace contracts
