#pragma once
// A bounded queue in front of a commit that takes many requests at once: while one batch is written
// whatever arrives queues up and is the next batch (group commit; no timer, no waiting for more).
// submit() may be called from any thread; batches run on one Strand, one at a time.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "process/ports/executor.hpp"
#include "process/ports/storage.hpp"

namespace coterie {

/// Bounds of a writer's queue and of its batches. Larger queues ride out longer stalls of the disk
/// and make a full one more surprising; larger batches give more throughput and longer commits.
struct WriterLimits {
  std::size_t requests_max = 8192;                     // waiting; one more is refused
  std::size_t bytes_max = std::size_t{32} << 20;       // waiting; what goes beyond is refused
  std::size_t batch_requests_max = 1024;               // in one commit
  std::size_t batch_bytes_max = std::size_t{4} << 20;  // in one commit, except for one big request
  bool bounded = true;                                 // false: a mutant of tests
};

struct WriterCounters {
  std::uint64_t batches = 0;
  std::uint64_t requests = 0;  // that were part of a batch
  std::uint64_t refused = 0;   // because the queue was full
  std::size_t largest_batch = 0;
  std::size_t waiting = 0;  // now
  // The most that ever waited together; one big request passes alone, and its bytes do not count.
  std::size_t most_waiting = 0;
  std::size_t most_bytes = 0;
};

namespace detail {

template <class Request, class Result>
class Coalescer {
 public:
  using Done = std::move_only_function<void(StorageResult<Result>)>;
  using Commit = std::move_only_function<StorageResult<std::vector<StorageResult<Result>>>(
      std::span<const Request>)>;

  Coalescer(std::string name, Strand& strand, WriterLimits limits, Commit commit)
      : strand_(strand),
        core_(std::make_shared<Core>(std::move(name), limits, std::move(commit))) {}
  Coalescer(const Coalescer&) = delete;
  Coalescer& operator=(const Coalescer&) = delete;
  /// Waits for a batch that is being written; what still waits is refused.
  ~Coalescer() { core_->close(); }

  /// `done` is called once: from the strand, or at once from here when the queue is full.
  void submit(Request request, std::size_t bytes, Done done) {
    bool schedule = false;
    bool refused = false;
    {
      const std::lock_guard lock(core_->mutex);
      refused = !core_->has_room(bytes);
      if (!refused) {
        core_->bytes += bytes;
        core_->queue.push_back({std::move(request), bytes, std::move(done)});
        core_->count_waiting();
        schedule = !std::exchange(core_->scheduled, true);
      } else {
        ++core_->counters.refused;
      }
    }
    if (schedule) post(strand_, core_);
    if (refused) done(std::unexpected(core_->full()));
  }

  const WriterLimits& limits() const noexcept { return core_->limits; }

  WriterCounters counters() const {
    const std::lock_guard lock(core_->mutex);
    WriterCounters counters = core_->counters;
    counters.waiting = core_->queue.size();
    return counters;
  }

 private:
  struct Entry {
    Request request;
    std::size_t bytes = 0;
    Done done;
  };

  /// Shared with the jobs on the strand, which may outlive the writer.
  struct Core {
    Core(std::string name_, WriterLimits limits_, Commit commit_)
        : name(std::move(name_)), limits(limits_), commit(std::move(commit_)) {}

    const std::string name;
    const WriterLimits limits;
    Commit commit;       // under `running`
    std::mutex running;  // held while a batch is written and answered
    mutable std::mutex mutex;
    // Under `mutex`.
    std::deque<Entry> queue;
    std::size_t bytes = 0;
    bool scheduled = false;  // a job is posted or runs
    WriterCounters counters;

    bool has_room(std::size_t more) const {
      if (queue.empty() || !limits.bounded) return true;  // one above the bound passes alone
      return queue.size() < limits.requests_max && bytes + more <= limits.bytes_max;
    }

    void count_waiting() {
      counters.most_waiting = std::max(counters.most_waiting, queue.size());
      if (queue.size() > 1) counters.most_bytes = std::max(counters.most_bytes, bytes);
    }

    StorageError full() const {
      return {StorageError::Code::unavailable,
              "the queue of the " + name + " is full (" + std::to_string(limits.requests_max) +
                  " requests or " + std::to_string(limits.bytes_max) +
                  " bytes wait for the disk); nothing was written, try again later"};
    }

    std::vector<Entry> next_batch() {
      std::vector<Entry> batch;
      const std::lock_guard lock(mutex);
      std::size_t batch_bytes = 0;
      while (!queue.empty() && batch.size() < limits.batch_requests_max &&
             (batch.empty() || batch_bytes + queue.front().bytes <= limits.batch_bytes_max)) {
        batch_bytes += queue.front().bytes;
        batch.push_back(std::move(queue.front()));
        queue.pop_front();
      }
      bytes -= batch_bytes;
      if (!batch.empty()) ++counters.batches;
      counters.requests += batch.size();
      counters.largest_batch = std::max(counters.largest_batch, batch.size());
      return batch;
    }

    void write_batch() {
      const std::lock_guard lock(running);
      auto batch = next_batch();
      if (batch.empty()) return;  // closed
      std::vector<Request> requests;
      requests.reserve(batch.size());
      for (auto& entry : batch) requests.push_back(std::move(entry.request));
      auto results = commit(requests);
      for (std::size_t i = 0; i < batch.size(); ++i) {
        if (results) {
          batch[i].done(std::move((*results)[i]));
        } else {
          batch[i].done(std::unexpected(results.error()));
        }
      }
    }

    void close() {
      std::deque<Entry> left;
      {
        const std::lock_guard lock(mutex);
        left.swap(queue);
        bytes = 0;
      }
      const std::lock_guard lock(running);
      for (auto& entry : left) {
        entry.done(std::unexpected(StorageError{
            StorageError::Code::unavailable,
            "the " + name + " was closed before this was written; nothing was written"}));
      }
    }
  };

  static void post(Strand& strand, const std::shared_ptr<Core>& core) {
    strand.post([&strand, core] {
      core->write_batch();
      {
        const std::lock_guard lock(core->mutex);
        core->scheduled = !core->queue.empty();
        if (!core->scheduled) return;
      }
      post(strand, core);
    });
  }

  Strand& strand_;
  std::shared_ptr<Core> core_;
};

}  // namespace detail
}  // namespace coterie
