#pragma once
// A monitor of a name rather than of a process: says where the name is now. A process monitor says
// that a process has ended; of a name that lives on elsewhere, after a failover, a hand-over, a
// restart or Global::re_register_name, one wants to hear where.
//
//   const auto [ref, now] = monitor_name(via("contracts", id));
//   receive([](const NameMoved& moved) { ... moved.to, moved.epoch ... },
//           [](const NameGone&) { ... });
//
// For every kind of via name: strict ones, those of local and `available` registries, and the
// program's own. Each monitor is a small process of this node that monitors the holder and looks
// the name up, past caches, when that ends; it ends with the process that asked for it.

#include <optional>
#include <utility>

#include <coterie/process.hpp>

namespace coterie {

/// Names one monitor in what it sends.
struct NameMonitor {
  Pid pid;
  friend bool operator==(const NameMonitor&, const NameMonitor&) = default;
};

/// The name is another process's, or the same one's under a later epoch. Of several moves in short
/// order only the last may be told. Epochs of one monitor grow; names that are not strict have
/// none.
struct NameMoved {
  static constexpr std::string_view type_name = "coterie.name_moved";
  NameMonitor monitor;
  ViaName name;
  Pid from;  // none: nobody had it when the monitor began
  Pid to;
  Epoch epoch;
};

/// For `gone_after` nobody has had the name. The monitor is over.
struct NameGone {
  static constexpr std::string_view type_name = "coterie.name_gone";
  NameMonitor monitor;
  ViaName name;
  Pid from;
};

struct NameMonitorOptions {
  /// What a restart, or a hand-over, may take without being told as an end. Time in which it cannot
  /// be decided, or in which a child of cluster scope is being started elsewhere, does not count.
  Duration gone_after = std::chrono::seconds(1);
};

/// With who has the name now, if that is known; what changes after that is told.
std::pair<NameMonitor, std::optional<Pid>> monitor_name(const ViaName& name,
                                                        NameMonitorOptions options = {});
/// Nothing of that monitor arrives any more; what is in the mailbox is removed.
void demonitor_name(const NameMonitor& monitor);

}  // namespace coterie
