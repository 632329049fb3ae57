#pragma once
// The payment system as a process: the ledger of ledger.hpp with a journal under it, one for the
// whole cluster, via("payments", "ledger"). A payout is journalled before it is answered. The mode
// is journalled too: an operator who turned payouts off finds them off after a failover.
//
//   coterie call --config FILE payments/ledger payments.mode '{"mode":"refuse"}'

#include <string>
#include <vector>

#include <coterie/child_spec.hpp>
#include <coterie/gen_server.hpp>
#include <coterie/journal.hpp>
#include <coterie/kind.hpp>

#include "examples/contracts/ledger.hpp"

namespace contracts {

inline constexpr std::string_view payments_kind = "payments";
inline coterie::ViaName payment_system() {
  return coterie::via(std::string(payments_kind), "ledger");
}

class PaymentServer final : public coterie::GenServer {
 public:
  using Calls = Messages<PayOut, SetMode, ListPayouts>;

  PaymentServer(std::string key, coterie::NoArguments);

  Init init();
  Outcome<PayOut::Reply> handle_call(const PayOut& request, From<PayOut> from);
  Outcome<PaymentMode> handle_call(const SetMode& request);
  std::vector<Payout> handle_call(const ListPayouts& request);

 private:
  /// A payout whose answer waits until the system stalls no more.
  struct Held {
    From<PayOut> from;
    PayOut::Reply reply;
  };
  static constexpr std::size_t held_max = 10'000;

  void apply(const LedgerEvent& event);

  const std::string key_;
  coterie::Journal journal_;
  Ledger ledger_;
  PaymentMode mode_ = PaymentMode::pay;
  std::vector<Held> held_;
};

/// A process that brings the payment system into being and ends: a child of the application's
/// supervisor on every node. Whichever node comes first starts it; the others find it started.
coterie::ChildSpec payment_starter();

}  // namespace contracts
