#pragma once
// The Murabaha contract as pure rules: what a command asks, whether the contract allows it, which
// event that is, and what the contract is after it. No clock, process or storage in here, so the
// server, its replay, the reference run and the history checker all share one truth.
// Values only; any thread. Money is in integer minor units, times are canonical ISO 8601 text.
//
//   auto event = decide(contract, Approve{.at = now});    // or the refusal, and nothing changes
//   ...append *event to the journal...
//   apply(contract, *event);
//
// Overpayment: record_payment records money that has already arrived, so by default (and in the
// document this implements) a payment above the rest is accepted and completes the contract;
// excess() is what the customer is owed. Overpayment::refuse turns it away instead.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "examples/contracts/lifecycle.hpp"

namespace contracts {

struct Payment {
  std::int64_t amount = 0;
  std::string timestamp;
  friend bool operator==(const Payment&, const Payment&) = default;
};

struct Contract {
  std::string contract_id;
  std::string customer_id;
  std::int64_t asset_cost = 0;
  std::int64_t profit_amount = 0;
  std::int64_t total_amount = 0;
  State state = State::pending;
  std::optional<std::string> approved_at;
  std::optional<std::string> disbursed_at;
  std::vector<Payment> payments;  // newest first
  friend bool operator==(const Contract&, const Contract&) = default;
};

struct Refusal {
  enum class Code : std::uint8_t {
    invalid_state,      // the lifecycle has no such transition from the contract's state
    invalid_amount,     // not positive, or a sum would overflow
    invalid_time,       // `at` is not a time
    invalid_text,       // an id that is empty or too long, a reason that is too long
    unknown_contract,   // no contract of that id was ever started
    already_started,    // a second start of the same id, with whatever terms
    overpayment,        // more than the rest, where the policy refuses that
    too_many_payments,  // the bound is reached and this payment does not complete the contract
    payment_refused,    // the payment system said no: no money moved, disburse may be tried again
    payment_failed,     // the payment system did not say what happened: disburse again, its key
                        // keeps the payout from being made twice
  };
  Code code = Code::invalid_state;
  std::string detail;
  friend bool operator==(const Refusal&, const Refusal&) = default;
};

using Result = std::expected<Contract, Refusal>;

// Commands, which are also the messages that a contract's server takes. `at` is the time that the
// contract records; a server fills it in when it is empty.
struct Start {
  using Reply = Result;
  static constexpr std::string_view type_name = "contracts.start";
  std::string contract_id;
  std::string customer_id;
  std::int64_t asset_cost = 0;
  std::int64_t profit_amount = 0;
  std::string at;  // for the journal; the contract does not record it, and it may be empty
  friend bool operator==(const Start&, const Start&) = default;
};
struct Approve {
  using Reply = Result;
  static constexpr std::string_view type_name = "contracts.approve";
  std::string at;
  friend bool operator==(const Approve&, const Approve&) = default;
};
struct Reject {
  using Reply = Result;
  static constexpr std::string_view type_name = "contracts.reject";
  std::string reason;
  std::string at;
  friend bool operator==(const Reject&, const Reject&) = default;
};
struct Disburse {
  using Reply = Result;
  static constexpr std::string_view type_name = "contracts.disburse";
  std::string at;
  friend bool operator==(const Disburse&, const Disburse&) = default;
};
/// record_payment of the document; workload files call it `pay`.
struct Pay {
  using Reply = Result;
  static constexpr std::string_view type_name = "contracts.pay";
  std::int64_t amount = 0;
  std::string at;
  friend bool operator==(const Pay&, const Pay&) = default;
};
/// get_state of the document.
struct Get {
  using Reply = Result;
  static constexpr std::string_view type_name = "contracts.get";
  friend bool operator==(const Get&, const Get&) = default;
};
using Command = std::variant<Start, Approve, Reject, Disburse, Pay, Get>;

// Events: what is journalled. Fields are only ever appended.
struct Started {
  static constexpr std::string_view type_name = "started";
  std::string contract_id;
  std::string customer_id;
  std::int64_t asset_cost = 0;
  std::int64_t profit_amount = 0;
  std::string at;
  friend bool operator==(const Started&, const Started&) = default;
};
struct Approved {
  static constexpr std::string_view type_name = "approved";
  std::string at;
  friend bool operator==(const Approved&, const Approved&) = default;
};
struct Rejected {
  static constexpr std::string_view type_name = "rejected";
  std::string reason;
  std::string at;
  friend bool operator==(const Rejected&, const Rejected&) = default;
};
struct Disbursed {
  static constexpr std::string_view type_name = "disbursed";
  std::string at;
  friend bool operator==(const Disbursed&, const Disbursed&) = default;
};
struct Paid {
  static constexpr std::string_view type_name = "paid";
  std::int64_t amount = 0;
  std::string at;
  friend bool operator==(const Paid&, const Paid&) = default;
};
/// A command came too early. It changes nothing; it is there for its request id, so that a repeat
/// is refused again although the contract has come further.
struct Refused {
  static constexpr std::string_view type_name = "refused";
  friend bool operator==(const Refused&, const Refused&) = default;
};
using Event = std::variant<Started, Approved, Rejected, Disbursed, Paid, Refused>;

enum class Overpayment : std::uint8_t { accept, refuse };

struct Policy {
  Overpayment overpayment = Overpayment::accept;
};

inline constexpr std::size_t payments_max = 10'000;  // of one contract
inline constexpr std::size_t refusals_max = 1'000;   // of one contract, remembered
inline constexpr std::size_t id_bytes_max = 200;
inline constexpr std::size_t reason_bytes_max = 1'000;

// The decisions, one per command. disburse is decided twice: once before the payment system is
// asked, and its event is journalled only when that has paid.
std::expected<Started, Refusal> decide(const Start& command);
std::expected<Approved, Refusal> decide(const Contract& contract, const Approve& command);
std::expected<Rejected, Refusal> decide(const Contract& contract, const Reject& command);
std::expected<Disbursed, Refusal> decide(const Contract& contract, const Disburse& command);
std::expected<Paid, Refusal> decide(const Contract& contract, const Pay& command,
                                    const Policy& policy = {});

/// Any command on a contract that may not exist yet; `get` is accepted without an event.
std::expected<std::optional<Event>, Refusal> decide(const std::optional<Contract>& contract,
                                                    const Command& command,
                                                    const Policy& policy = {});

/// The contract after an event. An event that the rules would never have produced there means that
/// the journal is not this contract's: throws std::logic_error, and the server must not serve.
Contract apply(const Started& event);
void apply(Contract& contract, const Approved& event);
void apply(Contract& contract, const Rejected& event);
void apply(Contract& contract, const Disbursed& event);
void apply(Contract& contract, const Paid& event);
void apply(Contract& contract, const Refused& event);
/// Any event, from the first one on. (Not called apply: std::apply would be the better match.)
void replay(std::optional<Contract>& contract, const Event& event);

/// The contract as it was when `events` of its events had happened, which is what a repeated
/// request is answered with. 1 <= events <= those that there are.
Contract as_of(Contract contract, std::uint64_t events);
/// How many events changed this contract.
std::uint64_t events_of(const Contract& contract) noexcept;

/// decide and apply in one: what a reference run does. Refused, `contract` is unchanged.
Result perform(std::optional<Contract>& contract, const Command& command,
               const Policy& policy = {});

/// The sum of all payments. Cannot overflow: decide refuses the payment that would.
std::int64_t total_paid(const Contract& contract) noexcept;
/// Paid above the total; zero unless completed by an overpayment.
std::int64_t excess(const Contract& contract) noexcept;
/// Whether a start that answered already_started asked for just this contract: a client whose
/// first try had an unknown outcome may then take it for its own.
bool same_terms(const Contract& contract, const Start& start) noexcept;

Operation operation_of(const Command& command) noexcept;
std::string_view to_string(Refusal::Code code) noexcept;
std::optional<Refusal::Code> refusal_code(std::string_view text) noexcept;
std::string to_string(const Refusal& refusal);

}  // namespace contracts
