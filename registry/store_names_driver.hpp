#pragma once
// Runs the decisions of StoreNames against a real store: one strand for the logic and one for the
// store's statements, which may block. Whatever is queued while a commit is under way goes into the
// next one, so many names are taken quickly. Owned by the node; callbacks run on the logic strand.

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "process/ports/executor.hpp"
#include "process/ports/storage.hpp"
#include "registry/names_driver.hpp"
#include "registry/store_names.hpp"

namespace coterie {

class StoreNamesDriver final : public NamesDriver {
 public:
  struct Options {
    NamesOptions names;
    std::size_t cache_max = 100'000;
    bool cache_bounded = true;  // false: a mutant of tests
  };

  /// Everything referred to must outlive the driver. `newer_view` asks the agreement to read now
  /// (Agreement::hint); `notice` gets lines for the log. Both on the logic strand.
  StoreNamesDriver(Options options, Records& records, const Clock& clock, Executor& executor,
                   std::function<void()> newer_view,
                   std::function<void(std::string_view)> notice = {});
  /// Waits for the statement and the callback under way; callbacks not yet run are dropped. Not
  /// from a callback.
  ~StoreNamesDriver() override;

  void stop(std::string why) override;
  std::size_t changes_pending() const noexcept override {
    return changes_posted_.load() + changes_pending_.load();
  }

 private:
  void ask(Asked asked) override;
  void install(std::shared_ptr<const View> view) override;
  void step(const StoreNames::Event& event);
  void carry_out(StoreNames::Action& action);
  void to_logic(Strand::Job job);
  void to_store(Strand::Job job);

  StoreNames core_;  // this and the timer: on the logic strand only
  std::uint64_t timer_ = 0;

  Records& records_;
  const Clock& clock_;
  const std::function<void()> newer_view_;
  const std::function<void(std::string_view)> notice_;
  std::atomic<std::size_t> changes_pending_ = 0;
  std::atomic<std::size_t> changes_posted_ = 0;  // raised before and lowered after pending's change
  std::mutex mutex_;                             // guards closed_ and the strands' existence
  bool closed_ = false;                          // no more posts: a strand may be gone
  std::unique_ptr<Strand> logic_;
  std::unique_ptr<Strand> store_;
};

}  // namespace coterie
