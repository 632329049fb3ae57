// The contract and the payment system as processes of one node: real journal in memory, names in a
// map, storage that fails as it is told.

#include "examples/contracts/contract_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "examples/contracts/contract_workload.hpp"
#include "examples/contracts/payment_server.hpp"
#include "journal/faulty.hpp"
#include "journal/group_commit.hpp"
#include "tests/supervision/cluster_fixture.hpp"

namespace contracts {
namespace {

using namespace std::chrono_literals;
using coterie::call;
using coterie::CallError;
using coterie::CallOptions;
using coterie::Duration;
using coterie::GenServer;
using coterie::StorageError;
using coterie::via;
using testing::HasSubstr;
using Code = Refusal::Code;

const std::string at = "2026-01-02T03:04:05Z";

class ContractServerTest : public testing::Test {
 protected:
  ContractServerTest() { node_.local.runtime.set_journals(&journals_); }

  coterie::StartResult start_contract(ContractTimes times = {}) {
    return GenServer::start<ContractServer>({.name = contract_}, "contract-1",
                                            coterie::NoArguments{}, times);
  }
  void start_payments() {
    ASSERT_TRUE(GenServer::start<PaymentServer>({.name = payment_system()}, "ledger",
                                                coterie::NoArguments{}));
  }
  /// How many of these the contract's stream has.
  std::ptrdiff_t journalled(coterie::Event::Kind kind) {
    const auto entries = streams_.read("contracts/contract-1").value();
    return std::ranges::count(entries, kind, &coterie::Event::kind);
  }
  /// As after the death of its node: nothing of it runs, its journal is there.
  void kill(const coterie::ViaName& name) {
    const auto found = node_.names.resolve(name.registry, name.key, true, 1s);
    ASSERT_TRUE(found);
    const coterie::Ref down = coterie::monitor(found->pid);
    coterie::exit(found->pid, coterie::ExitReason::kill());
    coterie::receive(coterie::when([down](const coterie::Down& d) { return d.ref == down; },
                                   [](const coterie::Down&) {}));
  }
  template <class Command>
  coterie::CallResult<Command> ask(Command command, std::string id = {}, Duration timeout = 5s) {
    return call(contract_, std::move(command), CallOptions{timeout, std::move(id)});
  }
  template <class Command>
  Contract accepted(Command command, std::string id = {}) {
    const auto result = ask(std::move(command), std::move(id));
    EXPECT_TRUE(result) << to_string(result.error());
    EXPECT_TRUE(result && *result) << (result ? to_string(result->error()) : "");
    return result && *result ? **result : Contract{};
  }
  template <class Command>
  std::optional<Code> refused(Command command, std::string id = {}) {
    const auto result = ask(std::move(command), std::move(id));
    EXPECT_TRUE(result) << to_string(result.error());
    if (!result || *result) return std::nullopt;
    return result->error().code;
  }
  void approved() {
    accepted(Start{"contract-1", "c-1", 10'000, 1'000, at}, "s");
    accepted(Approve{at}, "a");
  }
  void set_mode(PaymentMode mode) { ASSERT_TRUE(call(payment_system(), SetMode{mode})); }
  std::vector<Payout> payouts() { return call(payment_system(), ListPayouts{}).value(); }

  const coterie::ViaName contract_ = via("contracts", "contract-1");
  coterie::MemoryStreams streams_;
  std::atomic<int> fail_before_{0}, fail_after_{0};  // so many of the next appends
  coterie::FaultyStreams faulty_{
      streams_,
      {.before =
           [this](std::string_view operation) { return fault(operation, fail_before_, false); },
       .after =
           [this](std::string_view operation) { return fault(operation, fail_after_, true); }}};
  coterie::SystemClock clock_;
  coterie::ThreadExecutor executor_{clock_};
  std::unique_ptr<coterie::Strand> strand_ = executor_.make_strand("journal");
  coterie::test::SharedNames shared_;
  coterie::test::ClusterNodeUnderTest node_{"a", 7, shared_};
  // Ends before the node, whose processes it wakes; at the end of a test none of them appends.
  coterie::JournalWriter journals_{faulty_, *strand_, *strand_};

 private:
  static std::optional<StorageError> fault(std::string_view operation, std::atomic<int>& left,
                                           bool lost) {
    if (operation != "append" || left.load() == 0) return std::nullopt;
    --left;
    return StorageError{StorageError::Code::unavailable, "the disk is full", lost};
  }
};

// Goal: a contract goes its way, and is the same after its process died, field by field.
TEST_F(ContractServerTest, LivesAndComesBack) {
  start_payments();
  ASSERT_TRUE(start_contract());
  approved();
  accepted(Disburse{at});
  accepted(Pay{4'000, at});
  const Contract before = accepted(Pay{7'000, at});
  EXPECT_EQ(before.state, State::completed);
  EXPECT_EQ(refused(Pay{1, at}), Code::invalid_state);
  kill(contract_);
  ASSERT_TRUE(start_contract());
  EXPECT_EQ(accepted(Get{}), before);
  EXPECT_EQ(payouts().size(), 1u);
}

// Goal: a repeated request changes nothing and gets the contract as its first try left it, also
// after later commands and a restart.
TEST_F(ContractServerTest, RepeatsAreAnsweredWithTheFirstOutcome) {
  start_payments();
  ASSERT_TRUE(start_contract());
  const Contract started = accepted(Start{"contract-1", "c-1", 10'000, 1'000, at}, "s");
  const Contract approved = accepted(Approve{at}, "a");
  const Contract disbursed = accepted(Disburse{at}, "d");
  const Contract first = accepted(Pay{100, at}, "p-1");
  const Contract second = accepted(Pay{200, at}, "p-2");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(accepted(Pay{200, at}, "p-2"), second);
    EXPECT_EQ(accepted(Pay{100, at}, "p-1"), first);
    EXPECT_EQ(accepted(Disburse{at}, "d"), disbursed);
    EXPECT_EQ(accepted(Approve{at}, "a"), approved);
    EXPECT_EQ(accepted(Start{"contract-1", "c-1", 10'000, 1'000, at}, "s"), started);
    EXPECT_EQ(accepted(Get{}), second);
    kill(contract_);
    ASSERT_TRUE(start_contract());
  }
  EXPECT_EQ(refused(Start{"contract-1", "c-1", 10'000, 1'000, at}, "other"), Code::already_started);
}

// Goal: a command that came too early is refused again when the whole list of commands is sent once
// more, also after a restart; under another request id it is a command of its own.
TEST_F(ContractServerTest, RefusalsThatCameTooEarlyAreRepeated) {
  start_payments();
  ASSERT_TRUE(start_contract());
  accepted(Start{"contract-1", "c-1", 10'000, 1'000, at}, "s");
  const auto first = ask(Pay{100, at}, "early");
  ASSERT_TRUE(first && !*first);
  EXPECT_EQ(refused(Disburse{at}, "early-d"), Code::invalid_state);
  EXPECT_EQ(refused(Pay{100, at}), Code::invalid_state) << "without an id";
  accepted(Approve{at}, "a");
  accepted(Disburse{at}, "d");
  EXPECT_EQ(refused(Approve{at}, "late"), Code::invalid_state);
  const Contract paid = accepted(Pay{200, at}, "p");
  for (int i = 0; i < 2; ++i) {
    const auto again = ask(Pay{100, at}, "early");
    ASSERT_TRUE(again && !*again);
    EXPECT_EQ(again->error(), first->error());
    EXPECT_EQ(refused(Disburse{at}, "early-d"), Code::invalid_state);
    EXPECT_EQ(accepted(Pay{200, at}, "p"), paid);
    EXPECT_EQ(accepted(Get{}), paid);
    kill(contract_);
    ASSERT_TRUE(start_contract());
  }
  EXPECT_EQ(accepted(Pay{100, at}, "of its own").payments.size(), 2u);
  // Start, approve, disburse and two payments; of the refusals the two early ones with an id.
  EXPECT_EQ(journalled(coterie::Event::Kind::event), 7);
}

// Goal: however many come too early, a contract remembers a bounded number of them.
TEST_F(ContractServerTest, RememberedRefusalsAreBounded) {
  ASSERT_TRUE(start_contract());
  accepted(Start{"contract-1", "c-1", 10'000, 1'000, at}, "s");
  for (std::size_t i = 0; i < refusals_max + 5; ++i) {
    ASSERT_EQ(refused(Pay{100, at}, "early-" + std::to_string(i)), Code::invalid_state);
  }
  EXPECT_EQ(journalled(coterie::Event::Kind::event), std::ptrdiff_t{1 + refusals_max});
  kill(contract_);
  ASSERT_TRUE(start_contract());
  EXPECT_EQ(refused(Pay{100, at}, "one more"), Code::invalid_state);
  EXPECT_EQ(journalled(coterie::Event::Kind::event), std::ptrdiff_t{1 + refusals_max});
}

// Goal: a contract that is handed to another node takes a snapshot, so that nothing is replayed
// there; one that has nothing new to say takes none.
TEST_F(ContractServerTest, OneThatIsHandedOverLeavesNothingToReplay) {
  ASSERT_TRUE(start_contract());
  approved();
  ASSERT_TRUE(GenServer::stop(contract_, coterie::ExitReason::shutdown()));
  const auto past = streams_.read("contracts/contract-1");
  ASSERT_TRUE(past);
  EXPECT_EQ(past->back().kind, coterie::Event::Kind::snapshot);
  EXPECT_EQ(past->back().sequence, 2u);
  ASSERT_TRUE(start_contract());
  EXPECT_EQ(accepted(Get{}).state, State::approved);
  ASSERT_TRUE(GenServer::stop(contract_, coterie::ExitReason::shutdown()));
  EXPECT_EQ(journalled(coterie::Event::Kind::snapshot), 1);
}

// Goal: a contract with many payments starts from a snapshot, as the same contract, and answers
// repeats of requests from before it; its events all stay.
TEST_F(ContractServerTest, StartsFromASnapshot) {
  start_payments();
  ASSERT_TRUE(start_contract());
  accepted(Start{"contract-1", "c-1", 10'000, 1'000, at}, "s");
  accepted(Approve{at}, "a");
  accepted(Disburse{at}, "d");
  std::vector<Contract> paid;
  for (int i = 0; i < 40; ++i) paid.push_back(accepted(Pay{100, at}, "p" + std::to_string(i)));
  EXPECT_EQ(journalled(coterie::Event::Kind::event), 43);
  EXPECT_EQ(journalled(coterie::Event::Kind::snapshot), 2);
  kill(contract_);
  ASSERT_TRUE(start_contract());
  EXPECT_EQ(accepted(Get{}), paid.back());
  for (const int repeat : {0, 20, 39}) {
    EXPECT_EQ(accepted(Pay{100, at}, "p" + std::to_string(repeat)),
              paid[static_cast<std::size_t>(repeat)]);
  }
  EXPECT_EQ(journalled(coterie::Event::Kind::event), 43);
}

// Goal: of a contract that never was nothing is left: a refused start ends it, nobody's start too,
// and everything else is refused.
TEST_F(ContractServerTest, BlankContractsDoNotStay) {
  ASSERT_TRUE(start_contract());
  EXPECT_EQ(refused(Pay{1, at}), Code::unknown_contract);
  EXPECT_EQ(refused(Get{}), Code::unknown_contract);
  const auto pid = node_.names.resolve("contracts", "contract-1", true, 1s)->pid;
  const coterie::Ref down = coterie::monitor(pid);
  EXPECT_EQ(refused(Start{"contract-1", "c-1", -5, 0, at}), Code::invalid_amount);
  coterie::receive(coterie::when(
      [down](const coterie::Down& d) { return d.ref == down; },
      [](const coterie::Down& d) { EXPECT_EQ(d.reason, coterie::ExitReason::normal()); }));

  const auto second = start_contract({.blank = 20ms});
  ASSERT_TRUE(second);
  const coterie::Ref gone = coterie::monitor(*second);
  coterie::receive(coterie::when(
      [gone](const coterie::Down& d) { return d.ref == gone; },
      [](const coterie::Down& d) { EXPECT_EQ(d.reason, coterie::ExitReason::normal()); }));
  EXPECT_TRUE(streams_.read("contracts/contract-1")->empty());
}

// Goal: a start without an id is of the name it was sent to, and another contract's is refused.
TEST_F(ContractServerTest, StartsOnlyItself) {
  ASSERT_TRUE(start_contract());
  EXPECT_EQ(accepted(Start{"", "c-1", 100, 0, at}).contract_id, "contract-1");
  EXPECT_EQ(refused(Start{"contract-2", "c-1", 100, 0, at}), Code::invalid_text);
  EXPECT_EQ(accepted(Get{}).customer_id, "c-1");
  EXPECT_FALSE(accepted(Approve{}).approved_at->empty()) << "its own clock's time";
}

// Goal: the node dies between the payout and the journal: the next disburse pays nothing more.
TEST_F(ContractServerTest, PaysOnceThroughACrash) {
  start_payments();
  ASSERT_TRUE(start_contract());
  approved();
  set_mode(PaymentMode::stall);
  const coterie::Pid asker = coterie::spawn([&] {
    static_cast<void>(call(contract_, Disburse{at}, CallOptions{5s, "d"}));
  });
  while (payouts().empty()) coterie::sleep(1ms);
  kill(contract_);  // paid, and not journalled
  set_mode(PaymentMode::pay);
  ASSERT_TRUE(start_contract());
  EXPECT_EQ(accepted(Get{}).state, State::approved);
  EXPECT_EQ(accepted(Disburse{at}, "d").state, State::disbursed);
  EXPECT_EQ(payouts().size(), 1u);
  coterie::exit(asker, coterie::ExitReason::kill());
}

// Goal: while the payment is not known the outcome is unknown and the contract stays approved; the
// same request settles it later, with one payout.
TEST_F(ContractServerTest, StallsAreUnknown) {
  start_payments();
  ASSERT_TRUE(start_contract({.payment = 100ms}));
  approved();
  set_mode(PaymentMode::stall);
  const auto stalled = ask(Disburse{at}, "d");
  ASSERT_FALSE(stalled);
  EXPECT_TRUE(stalled.error().maybe_executed());
  EXPECT_THAT(stalled.error().detail(), HasSubstr("contract-1"));
  EXPECT_EQ(accepted(Get{}).state, State::approved);
  kill(payment_system());
  const auto away = ask(Disburse{at}, "d");
  ASSERT_FALSE(away) << "nobody there to ask";
  start_payments();
  EXPECT_FALSE(ask(Disburse{at}, "d")) << "it stalls again: the mode is journalled";
  set_mode(PaymentMode::pay);
  EXPECT_EQ(accepted(Disburse{at}, "d").state, State::disbursed);
  EXPECT_EQ(payouts().size(), 1u);
}

// Goal: without the payment system nothing was paid, and the answer says so.
TEST_F(ContractServerTest, NoPaymentSystem) {
  ASSERT_TRUE(start_contract({.payment = 50ms}));
  approved();
  const auto nobody = ask(Disburse{at});
  ASSERT_FALSE(nobody);
  EXPECT_FALSE(nobody.error().maybe_executed());
  EXPECT_EQ(accepted(Get{}).state, State::approved);
}

// Goal: a refused or failed payment is told with its reason and changes nothing.
TEST_F(ContractServerTest, RefusedPayments) {
  start_payments();
  ASSERT_TRUE(start_contract());
  approved();
  set_mode(PaymentMode::refuse);
  EXPECT_EQ(refused(Disburse{at}, "d"), Code::payment_refused);
  set_mode(PaymentMode::fail);
  EXPECT_EQ(refused(Disburse{at}, "d"), Code::payment_failed);
  EXPECT_TRUE(payouts().empty());
  set_mode(PaymentMode::pay);
  EXPECT_EQ(accepted(Disburse{at}, "d").state, State::disbursed);
}

// Goal: what the journal did not take did not happen, and the answer says which of the two it is.
TEST_F(ContractServerTest, JournalFailures) {
  ASSERT_TRUE(start_contract());
  start_payments();
  approved();
  accepted(Disburse{at}, "d");
  fail_before_ = 1;
  const auto full = ask(Pay{100, at}, "p-1");
  ASSERT_FALSE(full);
  EXPECT_FALSE(full.error().maybe_executed());
  EXPECT_THAT(full.error().detail(), HasSubstr("disk is full"));
  EXPECT_TRUE(accepted(Get{}).payments.empty()) << "it lives on";

  fail_after_ = 1;
  const auto lost = ask(Pay{100, at}, "p-1");
  ASSERT_FALSE(lost);
  EXPECT_TRUE(lost.error().maybe_executed());
  // It ended itself: only a replay can tell.
  while (node_.names.resolve("contracts", "contract-1", true, 1s)) coterie::sleep(1ms);
  ASSERT_TRUE(start_contract());
  EXPECT_EQ(accepted(Pay{100, at}, "p-1").payments.size(), 1u);
  EXPECT_EQ(accepted(Get{}).payments.size(), 1u);
}

// Goal: an unreadable past is never served: neither empty nor in part.
TEST_F(ContractServerTest, ForeignPast) {
  coterie::Append foreign;
  foreign.stream = "contracts/contract-1";
  foreign.epoch = {1, 1};
  ASSERT_TRUE(streams_.open(foreign.stream, foreign.epoch));
  foreign.events.push_back({.payload = coterie::pack(Event(Approved{at}))});
  ASSERT_TRUE(streams_.append(std::span(&foreign, 1))->front());
  const auto started = start_contract();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, coterie::StartError::Code::failed);
}

// Goal: the requests that the workload makes are the ones that the servers take, and what it makes
// of the answers is what the model says.
TEST_F(ContractServerTest, WorkloadSpeaksTheServersLanguage) {
  start_payments();
  ASSERT_TRUE(start_contract());
  const ContractWorkload workload;
  const auto source = workload.source(3, {});
  coterie::WorkloadOperation first = source->start(1);
  std::optional<coterie::Bytes> state = workload.model().initial("contract-1");
  coterie::Bytes last;
  for (int i = 0; i < 60; ++i) {
    const auto operation = i == 0 ? first : source->next(1);
    const auto request = workload.call(operation);
    const auto reply = coterie::call_packed(request.target, request.type, request.payload,
                                            CallOptions{5s, operation.request_id});
    ASSERT_TRUE(reply) << operation.bytes << ": " << to_string(reply.error());
    const auto answer = workload.answer(operation, reply->bytes);
    ASSERT_TRUE(answer) << answer.error();
    state = workload.model().step(*state, operation.bytes, answer->bytes);
    ASSERT_TRUE(state) << operation.bytes << " answered " << answer->bytes;
    last = answer->accepted ? answer->bytes : last;
  }
  const auto audit = workload.audit_calls().at(0);
  const auto ledger = coterie::call_packed(audit.target, audit.type, audit.payload);
  ASSERT_TRUE(ledger);
  EXPECT_TRUE(workload.audit(std::span(&ledger->bytes, 1), {{"contract-1", last}}, {}).empty());
  const coterie::Bytes other = "{\"refused\":\"x\"}";
  EXPECT_EQ(workload.audit(std::span(&ledger->bytes, 1), {{"contract-1", other}}, {}).size(),
            payouts().size());
  EXPECT_TRUE(
      workload.audit(std::span(&ledger->bytes, 1), {{"contract-1", other}}, {"contract-1"}).empty())
      << "a disburse that was cut short is settled by the next one";
}

}  // namespace
}  // namespace contracts
