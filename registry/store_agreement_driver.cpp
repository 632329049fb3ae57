#include "registry/store_agreement_driver.hpp"

#include <utility>

namespace coterie {

StoreAgreementDriver::StoreAgreementDriver(AgreementOptions options, Records& records,
                                           const Clock& clock, Executor& executor,
                                           AgreementEvents& events,
                                           std::function<void(std::string_view)> notice)
    : AgreementDriver(clock, executor, events, std::move(notice), "agreement store"),
      core_(std::move(options)),
      records_(records) {}

StoreAgreementDriver::~StoreAgreementDriver() { stop(); }

void StoreAgreementDriver::start() { post_event(StoreAgreement::Start{}); }
void StoreAgreementDriver::confirm_death(std::string_view name, const Incarnation& incarnation) {
  post_event(StoreAgreement::ConfirmDeath{std::string(name), incarnation});
}
void StoreAgreementDriver::hint() { post_event(StoreAgreement::Hint{}); }
void StoreAgreementDriver::drain() { post_event(StoreAgreement::Drain{}); }
void StoreAgreementDriver::leave() { post_event(StoreAgreement::Leave{}); }
void StoreAgreementDriver::heard_peers(std::set<std::string> names) {
  post_event(StoreAgreement::Heard{std::move(names)});
}

void StoreAgreementDriver::post_event(StoreAgreement::Event event) {
  to_logic([this, event = std::move(event)] { step(event); });
}

void StoreAgreementDriver::step(const StoreAgreement::Event& event) {
  for (auto& action : core_.step(clock_.now(), event)) {
    std::visit([this](auto& what) { carry_out(what); }, action);
  }
}

void StoreAgreementDriver::carry_out(StoreAgreement::ScanStore& scan) {
  to_blocking([this, id = scan.id, prefix = std::move(scan.prefix)] {
    const Time started = clock_.now();
    post_event(StoreAgreement::Scanned{id, started, records_.scan(prefix)});
  });
}

void StoreAgreementDriver::carry_out(StoreAgreement::CommitStore& commit) {
  to_blocking([this, id = commit.id, transaction = std::move(commit.transaction)] {
    StoreAgreement::Committed committed{id, clock_.now(), std::unexpected(StorageError{})};
    auto results = records_.commit({&transaction, 1});
    if (!results) {
      committed.result = std::unexpected(std::move(results.error()));
    } else if (results->size() == 1) {
      committed.result = std::move(results->front());
    }
    post_event(std::move(committed));
  });
}

}  // namespace coterie
