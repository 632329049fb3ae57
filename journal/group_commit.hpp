#pragma once
// The writers in front of storage: they take requests from any thread, write what has gathered as
// one durable commit, and tell each requester its own result. One JournalWriter per node carries
// all its streams, so a thousand processes that append share one sync of the disk.
//
// A completion is called exactly once and must neither throw, block, nor destroy the writer. It
// runs on the strand, or, when a request is refused at once (queue full, misuse), in the caller
// before the call returns. A process hands one that wakes it, and parks.
// Destroy the writer before its strands and its store; it waits for a batch that is being written
// and answers `unavailable` to what still waits.

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "journal/coalescer.hpp"
#include "process/ports/executor.hpp"
#include "process/ports/journals.hpp"
#include "process/ports/storage.hpp"

namespace coterie {

class JournalWriter final : public Journals {
 public:
  /// Appends and opens run on strands of their own, so that a long replay delays no append. They
  /// may be the same.
  JournalWriter(Streams& streams, Strand& appends, Strand& opens, WriterLimits limits = {},
                JournalHabits habits = {});

  /// Appends of one caller are written in the order of the calls.
  void append(Append append, Appended done) override;
  /// Opens that arrive while others are under way become one batch.
  void open(std::string stream, Epoch epoch, Opened done) override;
  JournalHabits habits() const noexcept override { return habits_; }
  void remembers(std::size_t requests, std::size_t most) noexcept override;

  WriterCounters append_counters() const { return appends_.counters(); }
  WriterCounters open_counters() const { return opens_.counters(); }
  /// Of both queues.
  const WriterLimits& limits() const noexcept { return appends_.limits(); }
  /// By how many at most a stream's owner has ever remembered more requests than it may.
  std::size_t requests_beyond() const noexcept {
    return requests_beyond_.load(std::memory_order_relaxed);
  }

 private:
  detail::Coalescer<Append, void> appends_;
  detail::Coalescer<Opening, std::vector<Event>> opens_;
  const JournalHabits habits_;
  std::atomic<std::size_t> requests_beyond_ = 0;
};

class RecordsWriter final {
 public:
  using Committed = std::move_only_function<void(StorageResult<TransactionResult>)>;

  RecordsWriter(Records& records, Strand& strand, WriterLimits limits = {});

  /// Transactions of one caller are tried in the order of the calls.
  void commit(Transaction transaction, Committed done);

  WriterCounters counters() const { return commits_.counters(); }

 private:
  detail::Coalescer<Transaction, TransactionResult> commits_;
};

}  // namespace coterie
