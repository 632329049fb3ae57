#pragma once
// The commands of a failover test's clients. Keys are drawn in rounds, each key once a round, so
// that a name's downtime is not hidden in a long pause between two commands for it. One command in
// four goes to the key of the command before, so that commands of one key run side by side: a check
// for linearizability needs that to bite. Pure; used by one thread at a time.

#include <cstddef>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "node/operation_feed.hpp"
#include "process/seeded_random.hpp"

namespace coterie::sim {

class SideBySideFeed final : public OperationFeed {
 public:
  static constexpr std::uint64_t repeat_every = 4;

  /// Keys 0 to `keys` - 1 of `source` have been started; `keys` > 0.
  SideBySideFeed(Workload::Source& source, std::size_t keys, std::uint64_t seed)
      : source_(source), round_(keys), at_(keys), random_(seed) {
    std::iota(round_.begin(), round_.end(), std::size_t{0});
  }

  std::optional<WorkloadOperation> next() override {
    if (last_ && random_.below(repeat_every) == 0) return source_.next(*last_);
    if (at_ == round_.size()) shuffle();
    last_ = round_[at_++];
    return source_.next(*last_);
  }
  void ended(const std::string& key) override { static_cast<void>(key); }
  bool finished() const override { return false; }

 private:
  void shuffle() {
    for (std::size_t left = round_.size(); left > 1; --left) {
      std::swap(round_[left - 1], round_[random_.below(left)]);
    }
    at_ = 0;
  }

  Workload::Source& source_;
  std::vector<std::size_t> round_;
  std::size_t at_;
  std::optional<std::size_t> last_;
  SeededRandom random_;
};

}  // namespace coterie::sim
