#pragma once
// What a node tells its guardian while it lives, and what is left of that when it has died: a few
// pages of memory (memfd) mapped by both. The guardian makes a new one for every run. The node's
// functions are for any thread, and cost a store or two; moments are on the SystemClock, which both
// processes read alike.
//
// Freezing is acknowledged *for a lease's end*: an acknowledgement of an earlier lease counts for
// nothing once a later one has been granted, so renewal and acknowledgement cannot race.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include <coterie/pid.hpp>
#include <coterie/time.hpp>

#include "node/file_descriptor.hpp"
#include "node/running_names.hpp"

namespace coterie {

/// The page at one moment, as the guardian judges it.
struct PageSnapshot {
  std::optional<Incarnation> incarnation;  // none: the node had not got that far
  std::optional<Time> lease_end;           // none: never held a lease
  bool frozen = false;                     // acknowledged for just that lease
  std::uint64_t beats = 0;
};

class SharedPage final {
 public:
  /// The guardian, or a node that runs without one.
  static std::expected<SharedPage, std::string> create();
  /// The node: maps what the guardian made, and closes the descriptor.
  static std::expected<SharedPage, std::string> attach(FileDescriptor memory);

  SharedPage(SharedPage&& other) noexcept;
  SharedPage& operator=(SharedPage&& other) noexcept;
  ~SharedPage();

  // The node's side.
  void set_incarnation(const Incarnation& incarnation) noexcept;
  /// Before anything strict runs under that lease. Ends only grow.
  void lease_renewed(Time end) noexcept;
  /// Nothing strict runs and nothing strict will, until a lease that ends later than `lease_end`.
  void acknowledge_frozen(Time lease_end) noexcept;
  void beat() noexcept;
  RunningNameTable& running() noexcept;

  // The guardian's side, and status.
  PageSnapshot snapshot() const noexcept;
  const RunningNameTable& running() const noexcept;
  /// For the child to attach(); -1 where attached.
  int descriptor() const noexcept { return memory_.get(); }

 private:
  struct Layout;
  explicit SharedPage(FileDescriptor memory, Layout* layout) noexcept;
  static std::expected<Layout*, std::string> map(int memory);

  FileDescriptor memory_;
  Layout* layout_ = nullptr;
};

}  // namespace coterie
