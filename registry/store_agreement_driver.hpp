#pragma once
// Runs the decisions of StoreAgreement against a real store. Owned by the node; functions may be
// called from any thread.

#include <functional>
#include <set>
#include <string>

#include "process/ports/storage.hpp"
#include "registry/agreement_driver.hpp"
#include "registry/store_agreement.hpp"

namespace coterie {

class StoreAgreementDriver final : public AgreementDriver {
 public:
  /// As AgreementDriver says. `records` should give up a statement within a fraction of the lease:
  /// while one blocks no other is sent.
  StoreAgreementDriver(AgreementOptions options, Records& records, const Clock& clock,
                       Executor& executor, AgreementEvents& events,
                       std::function<void(std::string_view)> notice = {});
  ~StoreAgreementDriver() override;

  void start() override;
  void heard_peers(std::set<std::string> names) override;
  void confirm_death(std::string_view name, const Incarnation& incarnation) override;
  void hint() override;
  void drain() override;
  void leave() override;

 private:
  void tick() override { step(StoreAgreement::Tick{}); }
  void step(const StoreAgreement::Event& event);
  void post_event(StoreAgreement::Event event);
  using AgreementDriver::carry_out;
  void carry_out(StoreAgreement::ScanStore& scan);
  void carry_out(StoreAgreement::CommitStore& commit);

  StoreAgreement core_;  // on the logic strand only
  Records& records_;
};

}  // namespace coterie
