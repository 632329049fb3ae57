#include "registry/store_names_driver.hpp"

#include <type_traits>
#include <utility>

namespace coterie {

StoreNamesDriver::StoreNamesDriver(Options options, Records& records, const Clock& clock,
                                   Executor& executor, std::function<void()> newer_view,
                                   std::function<void(std::string_view)> notice)
    : NamesDriver(options.cache_max, options.cache_bounded),
      core_(std::move(options.names)),
      records_(records),
      clock_(clock),
      newer_view_(std::move(newer_view)),
      notice_(std::move(notice)),
      logic_(executor.make_strand("names")),
      store_(executor.make_strand("names store")) {}

StoreNamesDriver::~StoreNamesDriver() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  store_.reset();
  logic_.reset();
}

void StoreNamesDriver::install(std::shared_ptr<const View> view) {
  to_logic([this, view = std::move(view)] { step(StoreNames::Installed{view}); });
}

void StoreNamesDriver::stop(std::string why) {
  to_logic([this, why = std::move(why)] { step(StoreNames::Stop{why}); });
}

void StoreNamesDriver::ask(Asked asked) {
  ++changes_posted_;
  to_logic([this, asked = std::move(asked)]() mutable {
    std::visit(
        [this](auto& event) {
          std::string name = std::exchange(event.name, StoreNames::row_key(event.name));
          step(event);
          if constexpr (std::is_same_v<decltype(event), name_requests::Release&>) {
            released(name, event.epoch);
          }
        },
        asked);
    --changes_posted_;
  });
}

void StoreNamesDriver::to_logic(Strand::Job job) {
  std::lock_guard lock(mutex_);
  if (!closed_) logic_->post(std::move(job));
}

void StoreNamesDriver::to_store(Strand::Job job) {
  std::lock_guard lock(mutex_);
  if (!closed_) store_->post(std::move(job));
}

void StoreNamesDriver::step(const StoreNames::Event& event) {
  auto actions = core_.step(clock_.now(), event);
  changes_pending_.store(core_.changes_pending());
  for (auto& action : actions) carry_out(action);
}

void StoreNamesDriver::carry_out(StoreNames::Action& action) {
  if (auto* commit = std::get_if<StoreNames::CommitStore>(&action)) {
    to_store([this, id = commit->id, transactions = std::move(commit->transactions)] {
      auto results = records_.commit(transactions);
      to_logic([this, id, results = std::move(results)]() mutable {
        step(StoreNames::Committed{id, std::move(results)});
      });
    });
  } else if (auto* fetch = std::get_if<StoreNames::FetchStore>(&action)) {
    to_store([this, id = fetch->id, keys = std::move(fetch->keys)] {
      auto records = records_.read_many(keys);
      to_logic([this, id, records = std::move(records)]() mutable {
        step(StoreNames::Fetched{id, std::move(records)});
      });
    });
  } else if (auto* scan = std::get_if<StoreNames::ScanStore>(&action)) {
    to_store([this, id = scan->id, prefix = std::move(scan->prefix)] {
      auto records = records_.scan(prefix);
      to_logic([this, id, records = std::move(records)]() mutable {
        step(StoreNames::Scanned{id, std::move(records)});
      });
    });
  } else if (auto* reserved = std::get_if<StoreNames::Reserved>(&action)) {
    answer(std::move(*reserved));
  } else if (auto* confirmed = std::get_if<StoreNames::Confirmed>(&action)) {
    answer(std::move(*confirmed));
  } else if (auto* found = std::get_if<StoreNames::Found>(&action)) {
    answer(std::move(*found));
  } else if (std::get_if<StoreNames::ReadView>(&action)) {
    newer_view_();
  } else if (auto* timer = std::get_if<StoreNames::SetTimer>(&action)) {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    logic_->post_at(timer->at, [this, number = ++timer_] {
      if (number == timer_) step(StoreNames::Tick{});
    });
  } else if (auto* notice = std::get_if<StoreNames::Notice>(&action)) {
    if (notice_) notice_(notice->text);
  }
}

}  // namespace coterie
