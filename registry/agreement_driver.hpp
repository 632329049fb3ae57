#pragma once
// What the drivers of both engines share: a strand for the member's logic, so that the node freezes
// on time, a second one for what may block (the store's statements, a voter's disk), and what the
// decisions have come to, for others to read. The lease's end is one atomic that every gate reads.
// Owned by the node; functions may be called from any thread.

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "process/ports/agreement.hpp"
#include "process/ports/executor.hpp"
#include "registry/agreement_terms.hpp"

namespace coterie {

class AgreementDriver : public Agreement {
 public:
  virtual void start() = 0;
  /// The members that this node hears now, by name. Until the first call connectivity is not
  /// judged by this node's word.
  virtual void heard_peers(std::set<std::string> names) = 0;

  std::shared_ptr<const View> view() const final;  // null before the first one
  NodeState state() const final;
  Time lease_end() const noexcept final;
  /// Why this node is out and what its program does now; set before the state says excluded or
  /// down.
  std::optional<Departure> departure() const;
  /// lease_end() as nanoseconds of the clock, for gates. Written with release, so a gate that
  /// reads it with acquire also sees the view in which the lease was granted.
  const std::atomic<std::int64_t>& gate() const noexcept { return lease_end_; }

 protected:
  /// Everything referred to must outlive the driver. `notice` gets lines for the log, on either
  /// strand. AgreementEvents are called on the logic strand.
  AgreementDriver(const Clock& clock, Executor& executor, AgreementEvents& events,
                  std::function<void(std::string_view)> notice, std::string blocking_name);

  /// Waits for the jobs under way and drops the others; first thing in a driver's destructor. Not
  /// from an AgreementEvents callback.
  void stop();
  void to_logic(Strand::Job job);
  void to_blocking(Strand::Job job);
  void to_blocking_at(Time at, Strand::Job job);
  /// On the logic strand: the engine's timer.
  virtual void tick() = 0;

  // On the logic strand.
  void carry_out(AgreementActions::InstallView& action);
  void carry_out(AgreementActions::SetLeaseEnd& action);
  void carry_out(AgreementActions::ChangeState& action);
  void carry_out(AgreementActions::SetTimer& action);
  void carry_out(AgreementActions::Depart& action);
  void carry_out(AgreementActions::Notice& action) { say(action.text); }
  void say(std::string_view text) const;

  const Clock& clock_;

 private:
  AgreementEvents& events_;
  const std::function<void(std::string_view)> notice_;
  std::uint64_t timer_ = 0;  // on the logic strand only
  std::atomic<std::int64_t> lease_end_;
  std::atomic<NodeState> state_ = NodeState::joining;
  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<const View> view_;
  std::optional<Departure> departure_;
  bool closed_ = false;  // no more posts: a strand may be gone
  std::unique_ptr<Strand> logic_;
  std::unique_ptr<Strand> blocking_;
};

}  // namespace coterie
