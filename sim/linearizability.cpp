#include "sim/linearizability.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

namespace coterie::sim {
namespace {

using StateId = std::uint32_t;
constexpr StateId no_state = UINT32_MAX;
constexpr std::size_t none = SIZE_MAX;

/// The model's states as small numbers, and each step computed once.
class Steps {
 public:
  Steps(const WorkloadModel& model, const std::vector<const Operation*>& operations)
      : model_(model), operations_(operations) {}

  StateId intern(Bytes state) {
    const auto [entry, is_new] =
        ids_.try_emplace(std::move(state), static_cast<StateId>(states_.size()));
    if (is_new) states_.push_back(&entry->first);
    return entry->second;
  }
  const Bytes& state(StateId id) const { return *states_[id]; }

  /// The state after `operation`, or no_state if it cannot have answered so.
  StateId next(StateId from, std::size_t operation) {
    const std::uint64_t key = (static_cast<std::uint64_t>(from) << 32) | operation;
    if (const auto found = known_.find(key); found != known_.end()) return found->second;
    const Operation& what = *operations_[operation];
    std::optional<Bytes> answer;
    if (what.outcome != Outcome::unknown) answer = what.answer;
    auto state = model_.step(this->state(from), what.bytes, answer);
    const StateId id = state ? intern(*std::move(state)) : no_state;
    known_.emplace(key, id);
    return id;
  }

 private:
  const WorkloadModel& model_;
  const std::vector<const Operation*>& operations_;
  std::unordered_map<Bytes, StateId> ids_;
  std::vector<const Bytes*> states_;  // into ids_, whose nodes stay where they are
  std::unordered_map<std::uint64_t, StateId> known_;
};

/// The begin or the end of an operation in a doubly linked list in the order of time.
struct Entry {
  std::size_t operation = 0;
  std::size_t match = none;  // of a begin: its end, or none if that never came; of an end: none
  bool is_begin = false;
  std::size_t before = none;
  std::size_t after = none;
};

class KeySearch {
 public:
  KeySearch(std::vector<const Operation*> operations, const WorkloadModel& model,
            const SearchLimits& limits)
      : operations_(std::move(operations)),
        limits_(limits),
        steps_(model, operations_),
        placed_(operations_.size(), false) {
    for (const Operation* operation : operations_) {
      keeps_state_.push_back(operation->outcome != Outcome::unknown &&
                             model.keeps_state(operation->bytes, operation->answer));
    }
    build();
  }

  enum class Result { linearizable, violated, undecided };

  Result run(Bytes initial) {
    StateId state = steps_.intern(std::move(initial));
    std::size_t entry = entries_[0].after;
    for (std::uint64_t step = 0; open_ > 0; ++step) {
      if (step == limits_.steps_max || visited_.size() >= limits_.configurations_max) {
        return Result::undecided;
      }
      if (entries_[entry].is_begin) {
        const std::size_t operation = entries_[entry].operation;
        const StateId next = steps_.next(state, operation);
        const bool is_unknown = entries_[entry].match == none;
        // An unknown operation without effect here is the same as one that never ran.
        const bool useful = next != no_state && !(is_unknown && next == state);
        if (useful && visit(operation, next)) {
          // What changes no state is as well placed here as anywhere later: no need to come back.
          stack_.push_back({entry, state, keeps_state_[operation]});
          state = next;
          lift(entry);
          entry = entries_[0].after;
        } else {
          entry = entries_[entry].after;
        }
        continue;
      }
      // An operation that ended must have found its place by now: this order fails.
      note_stuck(entries_[entry].operation, state);
      bool forced = true;
      while (forced) {
        if (stack_.empty()) return Result::violated;
        const Frame frame = stack_.back();
        stack_.pop_back();
        unlift(frame.entry);
        state = frame.state;
        entry = entries_[frame.entry].after;
        forced = frame.forced;
      }
    }
    return Result::linearizable;
  }

  /// The operation that the longest explained part got stuck at.
  std::size_t stuck_operation() const noexcept { return stuck_; }
  const Bytes& stuck_state() const { return steps_.state(stuck_state_); }

 private:
  struct Frame {
    std::size_t entry = 0;
    StateId state = 0;
    bool forced = false;
  };

  void build() {
    struct Moment {
      Duration at{};
      bool is_end = false;
      std::size_t operation = 0;
    };
    std::vector<Moment> moments;
    for (std::size_t i = 0; i < operations_.size(); ++i) {
      moments.push_back({operations_[i]->invoked, false, i});
      if (operations_[i]->outcome == Outcome::unknown) continue;
      moments.push_back({operations_[i]->completed, true, i});
      ++open_;
    }
    // At the same moment begins come first: the two may have overlapped.
    std::ranges::sort(moments, {}, [](const Moment& moment) {
      return std::tuple(moment.at, moment.is_end, moment.operation);
    });
    entries_.push_back({});  // the head
    std::vector<std::size_t> begin(operations_.size(), none);
    for (const Moment& moment : moments) {
      const std::size_t index = entries_.size();
      entries_.push_back({.operation = moment.operation,
                          .match = none,
                          .is_begin = !moment.is_end,
                          .before = index - 1,
                          .after = none});
      entries_[index - 1].after = index;
      if (moment.is_end) {
        entries_[begin[moment.operation]].match = index;
      } else {
        begin[moment.operation] = index;
      }
    }
  }

  void unlink(std::size_t index) {
    const Entry& entry = entries_[index];
    entries_[entry.before].after = entry.after;
    if (entry.after != none) entries_[entry.after].before = entry.before;
  }
  void link(std::size_t index) {
    const Entry& entry = entries_[index];
    entries_[entry.before].after = index;
    if (entry.after != none) entries_[entry.after].before = index;
  }
  void lift(std::size_t begin) {
    unlink(begin);
    if (entries_[begin].match != none) {
      unlink(entries_[begin].match);
      --open_;
    }
    place(entries_[begin].operation);
  }
  void unlift(std::size_t begin) {
    if (entries_[begin].match != none) {
      link(entries_[begin].match);
      ++open_;
    }
    link(begin);
    unplace(entries_[begin].operation);
  }

  // Which operations are placed: all below prefix_, and the few in beyond_.
  void place(std::size_t operation) {
    placed_[operation] = true;
    ++placed_count_;
    while (prefix_ < placed_.size() && placed_[prefix_]) ++prefix_;
  }
  void unplace(std::size_t operation) {
    placed_[operation] = false;
    --placed_count_;
    prefix_ = std::min(prefix_, operation);
  }

  /// Whether the configuration after placing `operation` is a new one.
  bool visit(std::size_t operation, StateId state) {
    std::string key;
    const auto put = [&](std::size_t number) {
      for (int shift = 0; shift < 32; shift += 8) key += static_cast<char>(number >> shift & 0xff);
    };
    placed_[operation] = true;
    std::size_t prefix = prefix_;
    while (prefix < placed_.size() && placed_[prefix]) ++prefix;
    put(state);
    put(prefix);
    std::size_t left = placed_count_ + 1 - prefix;
    for (std::size_t i = prefix; left > 0; ++i) {
      if (!placed_[i]) continue;
      put(i);
      --left;
    }
    placed_[operation] = false;
    return visited_.insert(std::move(key)).second;
  }

  void note_stuck(std::size_t operation, StateId state) {
    if (stuck_ != none && placed_count_ <= stuck_placed_) return;
    stuck_ = operation;
    stuck_state_ = state;
    stuck_placed_ = placed_count_;
  }

  std::vector<const Operation*> operations_;  // in the order of their begins
  SearchLimits limits_;
  Steps steps_;
  std::vector<Entry> entries_;
  std::vector<Frame> stack_;
  std::vector<bool> keeps_state_;
  std::vector<bool> placed_;
  std::size_t placed_count_ = 0;
  std::size_t prefix_ = 0;
  std::size_t open_ = 0;  // answered operations without a place
  std::unordered_set<std::string> visited_;
  std::size_t stuck_ = none;
  std::size_t stuck_placed_ = 0;
  StateId stuck_state_ = 0;
};

}  // namespace

LinearizabilityResult check_linearizability(const History& history, const WorkloadModel& model,
                                            const SearchLimits& limits) {
  std::map<std::string_view, std::vector<const Operation*>> by_key;
  for (const Operation& operation : history) {
    if (operation.outcome == Outcome::not_executed) continue;
    by_key[operation.key].push_back(&operation);
  }
  LinearizabilityResult result;
  result.keys = by_key.size();
  for (auto& [key, operations] : by_key) {
    std::ranges::stable_sort(operations, {}, &Operation::invoked);
    KeySearch search(operations, model, limits);
    switch (search.run(model.initial(key))) {
      case KeySearch::Result::linearizable:
        break;
      case KeySearch::Result::undecided:
        result.undecided.emplace_back(key);
        break;
      case KeySearch::Result::violated: {
        const Operation& stuck = *operations[search.stuck_operation()];
        result.violations.push_back(
            {std::string(key), static_cast<std::size_t>(&stuck - history.data()), stuck.answer,
             model.expected(search.stuck_state(), stuck.bytes)});
        break;
      }
    }
  }
  std::ranges::stable_sort(result.violations, {}, [&](const Violation& violation) {
    return history[violation.operation].completed;
  });
  return result;
}

}  // namespace coterie::sim
