#include <coterie/partition_supervisor.hpp>

#include <atomic>
#include <charconv>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include <coterie/via_registry.hpp>

#include "process/process.hpp"
#include "process/runtime.hpp"

namespace coterie {
namespace {

/// Who runs as which partition. Written by the supervisor, read by everybody.
class PartitionTable final : public ViaRegistry {
 public:
  PartitionTable(NodeId node, std::size_t partitions)
      : node_(node), serials_(partitions), active_(partitions) {}

  void set(std::size_t partition, const Pid& pid) noexcept {
    serials_[partition].store(pid.serial, std::memory_order_release);
  }
  std::size_t size() const noexcept { return serials_.size(); }
  std::size_t active() const noexcept { return active_.load(std::memory_order_acquire); }
  void set_active(std::size_t partitions) noexcept {
    active_.store(partitions, std::memory_order_release);
  }

  std::optional<Pid> whereis_name(std::string_view key) override {
    const std::size_t partitions = active();
    if (partitions == 0) return std::nullopt;
    const std::size_t partition = PartitionSupervisor::partition_of(key, partitions);
    const std::uint64_t serial = serials_[partition].load(std::memory_order_acquire);
    return serial == 0 ? std::nullopt : std::optional(Pid{node_, serial});
  }
  /// A partition has its supervisor's child and nobody else.
  bool register_name(std::string_view, const Pid&) override { return false; }
  void unregister_name(std::string_view, const Pid&) override {}

 private:
  const NodeId node_;
  std::vector<std::atomic<std::uint64_t>> serials_;
  std::atomic<std::size_t> active_;
};

NameService* names_here() { return detail::current_process().runtime().names(); }

PartitionTable& need(const std::string& name) {
  NameService* names = names_here();
  const auto registry = names == nullptr ? nullptr : names->find_via(name);
  auto* table = dynamic_cast<PartitionTable*>(registry.get());
  if (table == nullptr) {
    throw std::invalid_argument("unknown partition supervisor: " + name +
                                "; start it with PartitionSupervisor::start_link");
  }
  return *table;
}

/// Runs in the supervisor's process, each time that it starts.
std::vector<ChildSpec> start_partitions(const PartitionSupervisor::WithArguments& child,
                                        const PartitionSupervisorOptions& options) {
  detail::Process& self = detail::current_process();
  const std::size_t count =
      options.partitions != 0 ? options.partitions : self.runtime().workers().size();
  const auto table = std::make_shared<PartitionTable>(self.pid().node, count);
  NameService* names = names_here();
  if (options.name.empty() || names == nullptr ||
      !names->add_via(options.name, table, self.pid())) {
    throw std::invalid_argument("a partition supervisor needs a name that no registry has: \"" +
                                options.name + '"');
  }
  self.note_registered();
  std::vector<ChildSpec> specs;
  for (std::size_t partition = 0; partition < count; ++partition) {
    ChildSpec spec = child(partition);
    spec.id = std::to_string(partition);
    spec.start = [table, partition, start = std::move(spec.start)] {
      StartResult started = start();
      if (started) table->set(partition, *started);
      return started;
    };
    specs.push_back(std::move(spec));
  }
  return specs;
}

SupervisorOptions supervisor_options(const PartitionSupervisorOptions& options) {
  SupervisorOptions made;
  made.name = local(options.name);
  made.strategy = options.strategy;
  made.max_restarts = options.max_restarts;
  made.max_seconds = options.max_seconds;
  made.label = options.label;
  return made;
}

}  // namespace

StartResult PartitionSupervisor::start_link(WithArguments child,
                                            PartitionSupervisorOptions options) {
  auto made = supervisor_options(options);
  return Supervisor::start_link(
      [child = std::move(child), options = std::move(options)] {
        return start_partitions(child, options);
      },
      std::move(made));
}

StartResult PartitionSupervisor::start_link(ChildSpec child, PartitionSupervisorOptions options) {
  return start_link(WithArguments([child = std::move(child)](std::size_t) { return child; }),
                    std::move(options));
}

ChildSpec PartitionSupervisor::child_spec(WithArguments child, PartitionSupervisorOptions options) {
  ChildSpec spec;
  spec.id = options.name;
  spec.type = ChildType::supervisor;
  spec.start = [child = std::move(child), options = std::move(options)] {
    return start_link(child, options);
  };
  return spec;
}

ChildSpec PartitionSupervisor::child_spec(ChildSpec child, PartitionSupervisorOptions options) {
  return child_spec(WithArguments([child = std::move(child)](std::size_t) { return child; }),
                    std::move(options));
}

std::size_t PartitionSupervisor::partitions(const std::string& name) { return need(name).active(); }

ChildResult<std::size_t> PartitionSupervisor::resize(const std::string& name,
                                                     std::size_t partitions) {
  PartitionTable& table = need(name);
  if (partitions > table.size()) {
    throw std::invalid_argument("the number of partitions to resize to must be between 0 and " +
                                std::to_string(table.size()) + ", got " +
                                std::to_string(partitions));
  }
  const std::size_t old = table.active();
  for (std::size_t partition = old; partition < partitions; ++partition) {
    const auto started = Supervisor::restart_child(local(name), std::to_string(partition));
    const bool runs = started || started.error().code == ChildError::Code::running ||
                      started.error().code == ChildError::Code::restarting;
    if (!runs) return std::unexpected(started.error());
  }
  table.set_active(partitions);
  for (std::size_t partition = partitions; partition < old; ++partition) {
    const auto stopped = Supervisor::terminate_child(local(name), std::to_string(partition));
    if (!stopped) return std::unexpected(stopped.error());
  }
  return old;
}

ChildResult<std::vector<ChildInfo>> PartitionSupervisor::which_children(const std::string& name) {
  static_cast<void>(need(name));
  return Supervisor::which_children(local(name));
}

ChildResult<ChildCount> PartitionSupervisor::count_children(const std::string& name) {
  static_cast<void>(need(name));
  return Supervisor::count_children(local(name));
}

std::expected<void, CallError> PartitionSupervisor::stop(const std::string& name, ExitReason reason,
                                                         Duration timeout) {
  static_cast<void>(need(name));
  return GenServer::stop(local(name), std::move(reason), timeout);
}

std::size_t PartitionSupervisor::partition_of(std::string_view key,
                                              std::size_t partitions) noexcept {
  const bool negative = key.starts_with('-');
  const char* const begin = key.data() + (negative ? 1 : 0);
  const char* const end = key.data() + key.size();
  std::uint64_t number = 0;
  const auto [stopped, error] = std::from_chars(begin, end, number);
  if (error == std::errc() && stopped == end && begin != end) return number % partitions;
  // FNV-1a, and a last mix so that its low bits depend on all of the key.
  std::uint64_t hash = 0xCBF29CE484222325ull;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
  return (hash ^ hash >> 32) % partitions;
}

}  // namespace coterie
