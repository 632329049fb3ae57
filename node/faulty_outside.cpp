#include "node/faulty_outside.hpp"

#include <signal.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace coterie {
namespace {

using namespace std::chrono_literals;

// So soon a statement that waits for storage out of reach sees that it is back.
constexpr Duration look_interval = 10ms;

std::unexpected<StorageError> failed(std::string message, bool maybe_applied = false) {
  return std::unexpected(StorageError{.code = StorageError::Code::unavailable,
                                      .message = std::move(message),
                                      .maybe_applied = maybe_applied});
}

/// The faults of one node, as its storage asks for them.
class Disk {
 public:
  Disk(const FaultPage& page, std::string node, const Clock& clock, Duration wait)
      : page_(page), node_(std::move(node)), clock_(clock), wait_(wait) {}

  /// Before a statement.
  StorageResult<void> begin(bool writes) const {
    const DiskFaults faults = page_.disk(node_);
    if (faults.latency > Duration::zero()) std::this_thread::sleep_for(faults.latency);
    const Time end = after(clock_.now(), wait_);
    // A server that cannot be reached does not answer; it does not refuse.
    while (page_.disk(node_).away) {
      if (clock_.now() >= end) return failed("a fault of the test: the storage is out of reach");
      std::this_thread::sleep_for(look_interval);
    }
    if (writes && page_.disk(node_).full) return failed("a fault of the test: the disk is full");
    return {};
  }

  /// After a statement that has to be durable.
  StorageResult<void> synced() const {
    if (!page_.disk(node_).failing_sync) return {};
    return failed("a fault of the test: fsync failed", true);
  }

  template <class Operation>
  auto read(Operation operation) const -> decltype(operation()) {
    if (auto well = begin(false); !well) return std::unexpected(std::move(well.error()));
    return operation();
  }
  template <class Operation>
  auto write(bool durable, Operation operation) const -> decltype(operation()) {
    if (auto well = begin(true); !well) return std::unexpected(std::move(well.error()));
    auto result = operation();
    if (!result || !durable) return result;
    if (auto well = synced(); !well) return std::unexpected(std::move(well.error()));
    return result;
  }

 private:
  const FaultPage& page_;
  const std::string node_;
  const Clock& clock_;
  const Duration wait_;
};

class OnDiskRecords final : public Records {
 public:
  OnDiskRecords(std::unique_ptr<Records> inner, Disk disk)
      : inner_(std::move(inner)), disk_(std::move(disk)) {}

  StorageResult<std::optional<Record>> read(std::string_view key) override {
    return disk_.read([&] { return inner_->read(key); });
  }
  StorageResult<std::vector<std::optional<Record>>> read_many(
      std::span<const std::string> keys) override {
    return disk_.read([&] { return inner_->read_many(keys); });
  }
  StorageResult<std::vector<Record>> scan(std::string_view prefix) override {
    return disk_.read([&] { return inner_->scan(prefix); });
  }
  StorageResult<std::vector<Record>> scan_page(std::string_view prefix, std::string_view after,
                                               std::size_t limit) override {
    return disk_.read([&] { return inner_->scan_page(prefix, after, limit); });
  }
  StorageResult<std::vector<TransactionResult>> commit(
      std::span<const Transaction> transactions) override {
    return disk_.write(std::ranges::any_of(transactions, &Transaction::durable),
                       [&] { return inner_->commit(transactions); });
  }

 private:
  const std::unique_ptr<Records> inner_;
  const Disk disk_;
};

class OnDiskStreams final : public Streams {
 public:
  OnDiskStreams(std::unique_ptr<Streams> inner, Disk disk)
      : inner_(std::move(inner)), disk_(std::move(disk)) {}

  StorageResult<std::vector<Event>> open(std::string_view stream, Epoch epoch) override {
    return disk_.write(true, [&] { return inner_->open(stream, epoch); });
  }
  StorageResult<std::vector<StorageResult<std::vector<Event>>>> open_many(
      std::span<const Opening> openings) override {
    return disk_.write(true, [&] { return inner_->open_many(openings); });
  }
  StorageResult<std::vector<StorageResult<void>>> append(std::span<const Append> appends) override {
    return disk_.write(true, [&] { return inner_->append(appends); });
  }
  StorageResult<std::vector<Event>> read(std::string_view stream) override {
    return disk_.read([&] { return inner_->read(stream); });
  }
  StorageResult<std::vector<std::string>> list(std::string_view prefix) override {
    return disk_.read([&] { return inner_->list(prefix); });
  }

 private:
  const std::unique_ptr<Streams> inner_;
  const Disk disk_;
};

/// The vote's file lies on the node's own disk, and has its room from its making.
class FaultyVoterDisk final : public VoterDisk {
 public:
  FaultyVoterDisk(std::unique_ptr<VoterDisk> inner, const FaultPage& page, std::string node)
      : inner_(std::move(inner)), page_(page), node_(std::move(node)) {}

  StorageResult<Bytes> read() override { return inner_->read(); }
  StorageResult<void> create(BytesView content) override {
    if (page_.disk(node_).full) return failed("a fault of the test: the disk is full");
    if (auto well = wait(); !well) return well;
    return inner_->create(content);
  }
  StorageResult<void> write(std::size_t offset, BytesView bytes) override {
    return inner_->write(offset, bytes);
  }
  StorageResult<void> sync() override {
    if (auto well = wait(); !well) return well;
    return inner_->sync();
  }

 private:
  StorageResult<void> wait() const {
    const DiskFaults faults = page_.disk(node_);
    if (faults.latency > Duration::zero()) std::this_thread::sleep_for(faults.latency);
    if (faults.failing_sync) return failed("a fault of the test: fsync of the vote failed", true);
    return {};
  }

  const std::unique_ptr<VoterDisk> inner_;
  const FaultPage& page_;
  const std::string node_;
};

}  // namespace

StorageResult<StorageSet> FaultyOutside::open_storage(const StorageOptions& options) {
  const Disk disk(page_, node_, clock_, options.wait);
  if (auto well = disk.begin(false); !well) return std::unexpected(std::move(well.error()));
  auto opened = inner_.open_storage(options);
  if (!opened) return opened;
  return StorageSet{
      .agreement = std::make_unique<OnDiskRecords>(std::move(opened->agreement), disk),
      .names = std::make_unique<OnDiskRecords>(std::move(opened->names), disk),
      .streams = std::make_unique<OnDiskStreams>(std::move(opened->streams), disk),
      .warnings = std::move(opened->warnings)};
}

std::unique_ptr<VoterDisk> FaultyOutside::open_voter_disk(const std::string& state_dir) {
  return std::make_unique<FaultyVoterDisk>(inner_.open_voter_disk(state_dir), page_, node_);
}

void PoisonWatch::enter(unsigned, std::string_view name) noexcept {
  if (page_.take_poison(name)) ::raise(SIGSEGV);
}

}  // namespace coterie
