#include "examples/contracts/payment_server.hpp"

#include <algorithm>

#include <coterie/cluster_child.hpp>
#include <coterie/log.hpp>

namespace contracts {

using coterie::CallError;
using coterie::ChildError;
using coterie::GenServer;

PaymentServer::PaymentServer(std::string key, coterie::NoArguments) : key_(std::move(key)) {}

GenServer::Init PaymentServer::init() {
  const auto opened = journal_.open(std::string(payments_kind) + '/' + key_,
                                    [this](const LedgerEvent& event) { apply(event); });
  if (!opened) return stop_init(opened.error().reason());
  return ok();
}

void PaymentServer::apply(const LedgerEvent& event) {
  if (const auto* paid = std::get_if<PayoutMade>(&event)) {
    ledger_.apply(*paid);
  } else {
    mode_ = std::get<ModeSet>(event).mode;
  }
}

GenServer::Outcome<PayOut::Reply> PaymentServer::handle_call(const PayOut& request,
                                                             From<PayOut> from) {
  Ledger::Decision decision = ledger_.decide(request, mode_);
  if (decision.event) {
    const LedgerEvent event = *decision.event;
    if (const auto stored = journal_.append(event); !stored) return fail(stored.error());
    apply(event);
  }
  if (!decision.hold_reply) return std::move(decision.reply);
  if (held_.size() == held_max) {
    return fail(CallError::Code::overloaded, CallError::Execution::unknown,
                "the payment system stalls and holds " + std::to_string(held_max) + " answers");
  }
  held_.push_back({from, std::move(decision.reply)});
  return noreply();
}

GenServer::Outcome<PaymentMode> PaymentServer::handle_call(const SetMode& request) {
  const PaymentMode before = mode_;
  if (request.mode != before) {
    const LedgerEvent event = ModeSet{request.mode};
    if (const auto stored = journal_.append(event); !stored) return fail(stored.error());
    apply(event);
  }
  if (mode_ != PaymentMode::stall) {
    for (const Held& held : std::exchange(held_, {})) held.from.reply(held.reply);
  }
  return before;
}

std::vector<Payout> PaymentServer::handle_call(const ListPayouts& request) {
  const std::vector<Payout>& all = ledger_.payouts();
  const std::uint64_t from = std::min<std::uint64_t>(request.from, all.size());
  const std::uint64_t count = std::min<std::uint64_t>(request.limit, all.size() - from);
  const auto first = all.begin() + static_cast<std::ptrdiff_t>(from);
  return {first, first + static_cast<std::ptrdiff_t>(count)};
}

namespace {

using namespace std::chrono_literals;

class PaymentStarter final : public coterie::GenServer {
 public:
  struct Try {};
  using Continues = Messages<Try>;
  using Infos = Messages<Timeout>;

  Init init() { return ok().then_continue(Try{}); }
  Next handle_continue(const Try&) { return try_once(); }
  Next handle_info(const Timeout&) { return try_once(); }

 private:
  Next try_once() {
    // Not on every node: only those that host the kind have its supervisor.
    const std::string supervisor(payments_kind);
    if (!coterie::whereis(supervisor)) {
      if (++absent_ == absent_max) return stop(coterie::ExitReason::normal());
      return noreply().timeout(pause_min);
    }
    coterie::cluster::StartChild request;
    request.child.key = payment_system().key;
    const auto answer = coterie::call(coterie::local(supervisor), request);
    if (answer && (*answer || answer->error().code == ChildError::Code::already_started ||
                   answer->error().code == ChildError::Code::starting)) {
      return stop(coterie::ExitReason::normal());
    }
    coterie::node_log().debug(
        coterie::LogModule::application, "the payment system cannot be started yet",
        {{"why", answer ? to_string(answer->error()) : to_string(answer.error())}});
    pause_ = std::min<coterie::Duration>(2 * pause_, pause_max);
    return noreply().timeout(pause_);
  }

  static constexpr coterie::Duration pause_min = 50ms;
  static constexpr coterie::Duration pause_max = 1s;
  static constexpr int absent_max = 100;
  coterie::Duration pause_ = pause_min;
  int absent_ = 0;
};

}  // namespace

coterie::ChildSpec payment_starter() {
  coterie::ChildSpec spec =
      coterie::child<PaymentStarter>("payment_starter", {.label = "payment_starter"});
  spec.restart = coterie::Restart::transient;
  return spec;
}

}  // namespace contracts
