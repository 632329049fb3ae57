#include "examples/contracts/contract_server.hpp"

#include <coterie/call.hpp>
#include <coterie/log.hpp>

#include "examples/contracts/ledger.hpp"
#include "examples/contracts/payment_server.hpp"
#include "examples/contracts/timestamp.hpp"

namespace contracts {

using coterie::GenServer;

namespace {

using coterie::CallError;
using coterie::LogModule;

/// What the journal keeps of a request: the number of the event that it made, from which as_of()
/// makes the contract as it was right after it, so that a contract of many payments does not store
/// itself with each of them; or why it was refused.
struct Remembered {
  std::uint64_t event = 0;
  std::optional<Refusal> refusal;
};

/// A time that the command does not bring is this node's.
std::string at_or_now(const std::string& at) {
  return at.empty() ? format_timestamp(coterie::wall_time()) : at;
}

Refusal refusal_of(const PayoutRefusal& refusal) {
  switch (refusal.code) {
    case PayoutRefusal::Code::failed:
      return {Refusal::Code::payment_failed, refusal.detail};
    case PayoutRefusal::Code::refused:
    case PayoutRefusal::Code::invalid_amount:
    case PayoutRefusal::Code::key_reused:
      break;
  }
  return {Refusal::Code::payment_refused, refusal.detail};
}

}  // namespace

ContractServer::ContractServer(std::string id, coterie::NoArguments, ContractTimes times)
    : id_(std::move(id)), times_(times) {}

GenServer::Init ContractServer::init() {
  coterie::trap_exit(true);  // so that terminate runs before it is handed to another node
  const auto opened = journal_.open(
      std::string(contracts_kind) + '/' + id_,
      [this](const Snapshot& snapshot) {
        contract_ = snapshot.contract;
        refusals_ = snapshot.refusals;
      },
      [this](const Event& event) {
        replay(contract_, event);
        if (std::holds_alternative<Refused>(event)) ++refusals_;
      });
  if (!opened) return stop_init(opened.error().reason());
  if (contract_) return ok();
  return ok().timeout(times_.blank);
}

void ContractServer::terminate(const coterie::ExitReason& reason) {
  coterie::node_log().info(LogModule::application,
                           "Contract " + id_ + " terminating: " + to_string(reason));
  // Whoever has it next replays nothing. After a crash the state is not to be trusted.
  if (reason.is_clean() && journal_.since_snapshot() > 0) take_snapshot();
}

std::optional<Result> ContractServer::first_outcome() const {
  const coterie::Bytes* stored = journal_.outcome(current_request_id());
  if (stored == nullptr) return std::nullopt;
  Remembered remembered = coterie::unpack<Remembered>(*stored).value();
  if (remembered.refusal) return std::unexpected(*std::move(remembered.refusal));
  return as_of(contract_.value(), remembered.event);
}

GenServer::Outcome<Result> ContractServer::answer(Result result) {
  if (contract_) return result;
  return reply(std::move(result)).timeout(times_.blank);
}

GenServer::Outcome<Result> ContractServer::record(const Event& event) {
  const std::uint64_t before = contract_ ? events_of(*contract_) : 0;
  const auto stored =
      journal_.append(event, current_request_id(), coterie::pack(Remembered{before + 1, {}}));
  if (!stored) return fail(stored.error());
  replay(contract_, event);
  if (journal_.snapshot_due()) take_snapshot();
  return answer(*contract_);
}

void ContractServer::take_snapshot() {
  // Without it the next replay is longer; the command is done all the same.
  if (const auto stored = journal_.snapshot(Snapshot{contract_, refusals_}); !stored) {
    coterie::node_log().warning(LogModule::application,
                                "Contract " + id_ + ": no snapshot: " + stored.error().message);
  }
}

/// A command that came too early is refused again when it is repeated, whatever has happened since:
/// who sends a whole list of commands again must not get another contract.
GenServer::Outcome<Result> ContractServer::refuse(Refusal refusal, Operation operation) {
  if (contract_ && !current_request_id().empty() && refusal.code == Refusal::Code::invalid_state &&
      comes_to_allow(contract_->state, operation) && refusals_ < refusals_max) {
    const auto stored = journal_.append(Event(Refused{}), current_request_id(),
                                        coterie::pack(Remembered{0, refusal}));
    if (!stored) return fail(stored.error());
    ++refusals_;
    if (journal_.snapshot_due()) take_snapshot();
  }
  return answer(std::unexpected(std::move(refusal)));
}

template <class Command>
GenServer::Outcome<Result> ContractServer::run(Command command) {
  if (auto known = first_outcome()) return answer(*std::move(known));
  command.at = at_or_now(command.at);
  const contracts::Command any(std::move(command));
  auto event = decide(contract_, any, Policy{});
  if (!event) return refuse(std::move(event.error()), operation_of(any));
  return record(event->value());
}

GenServer::Outcome<Result> ContractServer::handle_call(const Start& command) {
  Start start = command;
  if (start.contract_id.empty()) start.contract_id = id_;
  if (auto known = first_outcome()) return answer(*std::move(known));
  if (start.contract_id != id_) {
    Result refused =
        std::unexpected(Refusal{Refusal::Code::invalid_text,
                                "contract_id is \"" + start.contract_id + "\", sent to " + id_});
    if (contract_) return refused;
    return stop(coterie::ExitReason::normal(), std::move(refused));
  }
  const bool blank = !contract_;
  const auto event = decide(contract_, contracts::Command(start), Policy{});
  if (event) return record(event->value());
  Result refused = std::unexpected(event.error());
  // Nothing is left of a contract that never was.
  if (blank) return stop(coterie::ExitReason::normal(), std::move(refused));
  return refused;
}

GenServer::Outcome<Result> ContractServer::handle_call(const Approve& command) {
  return run(command);
}
GenServer::Outcome<Result> ContractServer::handle_call(const Reject& command) {
  return run(command);
}
GenServer::Outcome<Result> ContractServer::handle_call(const Pay& command) { return run(command); }

GenServer::Outcome<Result> ContractServer::handle_call(const Disburse& command) {
  if (auto known = first_outcome()) return answer(*std::move(known));
  const Disburse disburse{at_or_now(command.at)};
  const auto event = decide(contract_, contracts::Command(disburse), Policy{});
  if (!event) return refuse(event.error(), Operation::disburse);
  const PayOut request = payout_for(*contract_, disburse.at);
  const auto paid =
      coterie::call_until(payment_system(), request, times_.payment, /*request_id=*/request.key);
  if (!paid) {
    // Nothing is journalled: the contract stays approved until it is known what became of the
    // payment. Whoever asks again asks under the same key.
    return fail(
        paid.error().code(),
        paid.error().maybe_executed() ? CallError::Execution::unknown
                                      : CallError::Execution::not_executed,
        "the payment system does not answer for " + request.key + ": " + to_string(paid.error()));
  }
  if (!*paid) return answer(std::unexpected(refusal_of(paid->error())));
  return record(event->value());
}

GenServer::Outcome<Result> ContractServer::handle_call(const Get&) {
  if (contract_) return Result(*contract_);
  return answer(std::unexpected(
      Refusal{Refusal::Code::unknown_contract, "contract " + id_ + " was never started"}));
}

GenServer::Next ContractServer::handle_info(const Timeout&) {
  if (contract_) return noreply();
  return stop(coterie::ExitReason::normal());
}

}  // namespace contracts
