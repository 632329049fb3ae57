#pragma once
// PartitionSupervisor: the same child several times over, and a name that leads to one of them by
// key, so that one process is no bottleneck. Elixir's PartitionSupervisor.
//
//   PartitionSupervisor::start_link(DynamicSupervisor::child_spec("carts"), {.name = "carts"});
//   DynamicSupervisor::start_child(via_partition("carts", self()), child<Cart>("", {}, customer));
//
//   PartitionSupervisor::start_link(
//       [](std::size_t partition) { return child<Metrics>("", {}, partition); },
//       {.name = "metrics"});
//   cast(via_partition("metrics", customer_id), Metrics::Add{1});
//
// It is a Supervisor with the local name `name`, whose children's ids are the partitions' numbers:
// Supervisor's functions work on local(name). Of a partition that is between its
// end and its restart, a call answers noproc.

#include <concepts>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include <coterie/supervisor.hpp>

namespace coterie {

struct PartitionSupervisorOptions {
  std::string name;            // required; the node may have no registry of that name
  std::size_t partitions = 0;  // 0: as many as the node has workers
  Strategy strategy = Strategy::one_for_one;
  std::size_t max_restarts = 3;
  Duration max_seconds = std::chrono::seconds(5);
  std::string label{};
};

class PartitionSupervisor final {
 public:
  /// Elixir's with_arguments: the spec of each partition. Its id is not used.
  using WithArguments = std::function<ChildSpec(std::size_t partition)>;

  static StartResult start_link(WithArguments child, PartitionSupervisorOptions options);
  static StartResult start_link(ChildSpec child, PartitionSupervisorOptions options);
  static ChildSpec child_spec(WithArguments child, PartitionSupervisorOptions options);
  static ChildSpec child_spec(ChildSpec child, PartitionSupervisorOptions options);

  /// How many keys are routed to. This and the next three throw std::invalid_argument if there is
  /// no partition supervisor of that name on this node.
  static std::size_t partitions(const std::string& name);
  /// Routes to so many from now on, not more than it started with; stops the others, or starts them
  /// again. The old number.
  static ChildResult<std::size_t> resize(const std::string& name, std::size_t partitions);
  static ChildResult<std::vector<ChildInfo>> which_children(const std::string& name);
  static ChildResult<ChildCount> count_children(const std::string& name);
  /// As GenServer::stop of local(name): stops the partitions, waits for the end.
  static std::expected<void, CallError> stop(const std::string& name,
                                             ExitReason reason = ExitReason::normal(),
                                             Duration timeout = infinity);

  /// Where a key goes: an integer to abs(key) modulo partitions, other text by a hash that is the
  /// same everywhere. `partitions` is not 0.
  static std::size_t partition_of(std::string_view key, std::size_t partitions) noexcept;
};

/// The partition of a key, as a server like any other.
inline ViaName via_partition(std::string name, std::string key) {
  return via(std::move(name), std::move(key));
}
inline ViaName via_partition(std::string name, const char* key) {
  return via(std::move(name), key);
}
template <std::integral Key>
ViaName via_partition(std::string name, Key key) {
  return via(std::move(name), std::to_string(key));
}
inline ViaName via_partition(std::string name, const Pid& key) {
  return via(std::move(name), to_string(key));
}

}  // namespace coterie
