#pragma once
// Runs the decisions of StoreAgreement against a real store: one strand for the logic, so that the
// node freezes on time, and one for the store's statements, which may block. The lease's end is
// one atomic that every gate reads. Owned by the node; functions may be called from any thread.

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "process/ports/agreement.hpp"
#include "process/ports/executor.hpp"
#include "process/ports/storage.hpp"
#include "registry/store_agreement.hpp"

namespace coterie {

class StoreAgreementDriver final : public Agreement {
 public:
  /// Everything referred to must outlive the driver. `records` should give up a statement within
  /// a fraction of the lease: while one blocks no other is sent. `notice` gets lines for the log,
  /// on the logic strand. AgreementEvents are called on the logic strand too.
  StoreAgreementDriver(AgreementOptions options, Records& records, const Clock& clock,
                       Executor& executor, AgreementEvents& events,
                       std::function<void(std::string_view)> notice = {});
  /// Waits for the statement and the event under way. Not from an AgreementEvents callback.
  ~StoreAgreementDriver() override;

  void start();

  std::shared_ptr<const View> view() const override;  // null before the first one
  NodeState state() const override;
  Time lease_end() const noexcept override;
  void confirm_death(std::string_view name, const Incarnation& incarnation) override;
  void hint() override;
  void drain() override;
  void leave() override;

  /// The members that this node hears now, by name. Until the first call connectivity is not
  /// judged by this node's word.
  void heard_peers(std::set<std::string> names);
  /// Why this node is out and what its program does now; set before the state says excluded or
  /// down.
  std::optional<Departure> departure() const;
  /// lease_end() as nanoseconds of the clock, for gates. Written with release, so a gate that
  /// reads it with acquire also sees the view in which the lease was granted.
  const std::atomic<std::int64_t>& gate() const noexcept { return lease_end_; }

 private:
  void step(const StoreAgreement::Event& event);
  void carry_out(StoreAgreement::Action& action);
  void post_event(StoreAgreement::Event event);
  void to_logic(Strand::Job job);
  void to_store(Strand::Job job);

  StoreAgreement core_;  // on the logic strand only
  Records& records_;
  const Clock& clock_;
  AgreementEvents& events_;
  std::function<void(std::string_view)> notice_;
  std::uint64_t timer_ = 0;  // on the logic strand only

  std::atomic<std::int64_t> lease_end_;
  std::atomic<NodeState> state_ = NodeState::joining;
  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<const View> view_;
  std::optional<Departure> departure_;
  bool closed_ = false;  // no more posts: a strand may be gone
  std::unique_ptr<Strand> logic_;
  std::unique_ptr<Strand> store_;
};

}  // namespace coterie
