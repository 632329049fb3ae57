#include "sim/sim_store.hpp"

#include <algorithm>
#include <utility>

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;

// What a statement takes on a healthy disk, each way: mostly little, now and then a long commit.
constexpr Duration usual_max = 1ms;
constexpr Duration long_max = 20ms;
constexpr std::uint64_t long_every = 50;
constexpr Duration early_by = 150ms;

StorageError error(std::string what) {
  return {StorageError::Code::unavailable, std::move(what), false};
}

class Statements {
 public:
  Statements(SimWorld& world, SimExecutor& executor, const DiskTrouble& trouble,
             std::function<bool()> alive, Duration away_wait, Time& late_until)
      : world_(world),
        executor_(executor),
        trouble_(trouble),
        alive_(std::move(alive)),
        away_wait_(away_wait),
        late_until_(late_until) {}

  StorageFaults faults() const {
    return {[this](std::string_view operation) { return before(operation); },
            [this](std::string_view operation) { return after_effect(operation); }};
  }

  bool is_late() const { return draw(trouble_.late); }
  /// The caller is told at once that it will never know.
  StorageError land_late(SimWorld::Job job) const {
    take_time();
    if (!alive_()) return error("the node is dead");
    const auto most = static_cast<std::uint64_t>(trouble_.late_max.count()) + 1;
    const Duration wait(static_cast<Duration::rep>(world_.random().below(most)));
    held_up(wait);
    world_.post_at(after(world_.now(), wait), std::move(job));
    StorageError lost = error("simulated: the connection broke before the answer");
    lost.maybe_applied = true;
    return lost;
  }

  /// Of the mutant: in order, and not at all if the node dies before.
  void store_later(SimWorld::Job job) const {
    world_.post_at(after(world_.now(), early_by), [alive = alive_, job = std::move(job)]() mutable {
      if (alive()) job();
    });
  }

 private:
  std::optional<StorageError> before(std::string_view operation) const {
    take_time();
    if (writes(operation) && trouble_.before_write) std::function(trouble_.before_write)();
    if (!alive_()) return error("the node is dead");
    if (trouble_.full && writes(operation)) return error("simulated: no space left on device");
    if (draw(trouble_.refused)) return error("simulated: the store refuses a statement");
    if (trouble_.away || trouble_.parted > 0) {
      held_up(away_wait_);
      executor_.sleep_world(away_wait_);
      return error("simulated: the store is away");
    }
    return std::nullopt;
  }

  std::optional<StorageError> after_effect(std::string_view operation) const {
    if (writes(operation) && trouble_.after_write) std::function(trouble_.after_write)();
    take_time();
    if (!alive_()) return error("the node is dead");
    if (writes(operation) && draw(trouble_.answers_lost))
      return error("simulated: the answer to a statement was lost");
    return std::nullopt;
  }

  static bool writes(std::string_view operation) {
    return operation == "commit" || operation == "append" || operation == "open";
  }

  void take_time() const {
    SeededRandom& random = world_.random();
    const Duration most = random.below(long_every) == 0 ? long_max : usual_max;
    Duration wait(
        static_cast<Duration::rep>(random.below(static_cast<std::uint64_t>(most.count()))));
    wait += trouble_.latency;
    if (trouble_.latency > Duration::zero()) held_up(wait);
    // A plain caller (an audit after the run) does not wait.
    if (world_.thread() != nullptr) executor_.sleep_world(wait);
  }

  void held_up(Duration wait) const {
    late_until_ = std::max(late_until_, after(world_.now(), wait));
  }

  bool draw(double probability) const {
    if (probability <= 0) return false;
    return static_cast<double>(world_.random().below(1'000'000)) < probability * 1e6;
  }

  SimWorld& world_;
  SimExecutor& executor_;
  const DiskTrouble& trouble_;
  const std::function<bool()> alive_;
  const Duration away_wait_;
  Time& late_until_;
};

class RecordsWay final : public Records {
 public:
  RecordsWay(std::shared_ptr<Statements> statements, Records& records)
      : statements_(std::move(statements)),
        records_(records),
        faulty_(records, statements_->faults()) {}
  StorageResult<std::optional<Record>> read(std::string_view key) override {
    return faulty_.read(key);
  }
  StorageResult<std::vector<Record>> scan(std::string_view prefix) override {
    return faulty_.scan(prefix);
  }
  StorageResult<std::vector<TransactionResult>> commit(
      std::span<const Transaction> transactions) override {
    if (!statements_->is_late()) return faulty_.commit(transactions);
    std::vector<Transaction> kept(transactions.begin(), transactions.end());
    return std::unexpected(statements_->land_late([&records = records_, kept = std::move(kept)] {
      static_cast<void>(records.commit(kept));
    }));
  }

 private:
  std::shared_ptr<Statements> statements_;
  Records& records_;
  FaultyRecords faulty_;
};

class StreamsWay final : public Streams {
 public:
  StreamsWay(std::shared_ptr<Statements> statements, SimStore& store)
      : statements_(std::move(statements)),
        store_(store),
        faulty_(store.streams(), statements_->faults()) {}
  StorageResult<std::vector<Event>> open(std::string_view stream, Epoch epoch) override {
    return faulty_.open(stream, epoch);
  }
  StorageResult<std::vector<StorageResult<std::vector<Event>>>> open_many(
      std::span<const Opening> openings) override {
    return faulty_.open_many(openings);
  }
  StorageResult<std::vector<StorageResult<void>>> append(std::span<const Append> appends) override {
    if (store_.answers_early) return answer_early(appends);
    if (!statements_->is_late()) return faulty_.append(appends);
    std::vector<Append> kept(appends.begin(), appends.end());
    return std::unexpected(
        statements_->land_late([&streams = store_.streams(), kept = std::move(kept)] {
          static_cast<void>(streams.append(kept));
        }));
  }
  StorageResult<std::vector<Event>> read(std::string_view stream) override {
    return faulty_.read(stream);
  }
  StorageResult<std::vector<std::string>> list(std::string_view prefix) override {
    return faulty_.list(prefix);
  }

 private:
  StorageResult<std::vector<StorageResult<void>>> answer_early(std::span<const Append> appends) {
    statements_->store_later(
        [&streams = store_.streams(), kept = std::vector<Append>(appends.begin(), appends.end())] {
          static_cast<void>(streams.append(kept));
        });
    return std::vector<StorageResult<void>>(appends.size());
  }

  std::shared_ptr<Statements> statements_;
  SimStore& store_;
  FaultyStreams faulty_;
};

}  // namespace

/// Checks what is accepted (I2, I3): within a stream epochs never shrink and sequences have neither
/// gap nor repeat.
class SimStore::Watched final : public Streams {
 public:
  explicit Watched(SimStore& store) : store_(store) {}

  StorageResult<std::vector<Event>> open(std::string_view stream, Epoch epoch) override {
    if (store_.fence_off) {
      Epoch& greatest = opened_[std::string(stream)];
      greatest = std::max(greatest, epoch);
      epoch = greatest;
    }
    auto events = store_.memory.streams.open(stream, epoch);
    if (events && store_.forgets_requests) {
      events = store_.memory.streams.read(stream);  // snapshots remember them too
      std::erase_if(*events, [](const Event& e) { return e.kind != Event::Kind::event; });
      for (Event& event : *events) event.request_id.clear();
    }
    // From now on nothing of an older epoch may be accepted.
    if (events) {
      Tail& tail = tails_[std::string(stream)];
      tail.epoch = std::max(tail.epoch, epoch);
    }
    return events;
  }
  StorageResult<std::vector<StorageResult<void>>> append(std::span<const Append> appends) override {
    std::vector<Append> changed(appends.begin(), appends.end());
    if (store_.fence_off) {
      for (Append& append : changed) append.epoch = opened_[append.stream];
    }
    if (store_.order_off) {
      for (Append& append : changed) append.expected_sequence = tails_[append.stream].next;
    }
    auto results = store_.memory.streams.append(changed);
    if (!results) return results;
    for (std::size_t i = 0; i < appends.size(); ++i) {
      if ((*results)[i]) accepted(appends[i]);
    }
    return results;
  }
  StorageResult<std::vector<Event>> read(std::string_view stream) override {
    return store_.memory.streams.read(stream);
  }
  StorageResult<std::vector<std::string>> list(std::string_view prefix) override {
    return store_.memory.streams.list(prefix);
  }

 private:
  struct Tail {
    Epoch epoch;
    std::uint64_t next = 1;
  };
  void accepted(const Append& append) {
    ++store_.appends;
    Tail& tail = tails_[append.stream];
    if (append.epoch < tail.epoch) {
      store_.violation("I2 " + append.stream + ": an append of epoch " + to_string(append.epoch) +
                       " was accepted after " + to_string(tail.epoch) + " had opened it");
    }
    if (append.expected_sequence != tail.next) {
      store_.violation("I3 " + append.stream + ": event " +
                       std::to_string(append.expected_sequence) + " was accepted where event " +
                       std::to_string(tail.next) + " comes next");
    }
    tail = {append.epoch, tail.next + append.events.size()};
  }

  SimStore& store_;
  std::map<std::string, Tail, std::less<>> tails_;
  std::map<std::string, Epoch, std::less<>> opened_;
};

std::shared_ptr<Streams> SimStore::make_watched() { return std::make_shared<Watched>(*this); }

StorageSet open_sim_storage(SimWorld& world, SimExecutor& executor, SimStore& store,
                            const DiskTrouble& trouble, std::function<bool()> alive,
                            Duration away_wait) {
  auto statements = std::make_shared<Statements>(world, executor, trouble, std::move(alive),
                                                 away_wait, store.late_until);
  StorageSet set;
  set.agreement = std::make_unique<RecordsWay>(statements, store.memory.agreement);
  set.names = std::make_unique<RecordsWay>(statements, store.memory.names);
  set.streams = std::make_unique<StreamsWay>(statements, store);
  return set;
}

}  // namespace coterie::sim
