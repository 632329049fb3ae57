#pragma once
// A contract as a process: the rules of rules.hpp with a journal under them. Registered as
// via("contracts", id) by the cluster-wide supervisor "contracts", which starts it again on another
// node when its own is gone.
//
// It starts blank and replays the journal stream "contracts/<id>"; `Start` is a command like any
// other. A blank one does not stay: it ends when its first start is refused, and when nobody starts
// it for a while. What a command did is journalled, with its request id, before the reply leaves,
// so a repeated request is answered with its first outcome and does nothing. Of the refusals only
// those are journalled that a repeat might not get again: commands that came too early.
//
// disburse asks the payment system first, under a key that never changes for this contract: if the
// node dies between the payout and the journal, the next disburse gets the same payout back.

#include <optional>
#include <string>

#include <coterie/gen_server.hpp>
#include <coterie/journal.hpp>
#include <coterie/kind.hpp>

#include "examples/contracts/rules.hpp"

namespace contracts {

/// Of cluster scope: via(contracts_kind, "contract-7").
inline constexpr std::string_view contracts_kind = "contracts";

struct ContractTimes {
  /// How long a disburse asks the payment system, again and again, before it answers `unknown`.
  coterie::Duration payment = std::chrono::seconds(3);
  /// How long a blank contract waits for its start.
  coterie::Duration blank = std::chrono::seconds(60);
};

class ContractServer final : public coterie::GenServer {
 public:
  using Calls = Messages<Start, Approve, Reject, Disburse, Pay, Get>;
  using Infos = Messages<Timeout>;

  ContractServer(std::string id, coterie::NoArguments, ContractTimes times = {});

  Init init();
  void terminate(const coterie::ExitReason& reason);

  Outcome<Result> handle_call(const Start& command);
  Outcome<Result> handle_call(const Approve& command);
  Outcome<Result> handle_call(const Reject& command);
  Outcome<Result> handle_call(const Disburse& command);
  Outcome<Result> handle_call(const Pay& command);
  Outcome<Result> handle_call(const Get& command);
  Next handle_info(const Timeout& timeout);

 private:
  std::optional<Result> first_outcome() const;
  template <class Command>
  Outcome<Result> run(Command command);
  Outcome<Result> record(const Event& event);
  Outcome<Result> refuse(Refusal refusal, Operation operation);
  Outcome<Result> answer(Result result);

  const std::string id_;
  const ContractTimes times_;
  /// What a snapshot holds. The events stay: a contract is an account of what happened.
  struct Snapshot {
    std::optional<Contract> contract;
    std::uint64_t refusals = 0;
  };
  void take_snapshot();

  // The rules bound the commands of a contract, so it forgets none of their ids.
  coterie::Journal journal_{{.request_memory = coterie::infinity, .snapshot_every = 16}};
  std::optional<Contract> contract_;
  std::size_t refusals_ = 0;  // journalled
};

}  // namespace contracts
