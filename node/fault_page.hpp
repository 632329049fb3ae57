#pragma once
// Faults that lie inside of real nodes, for failover tests: what their disks do, and which names
// are poisonous. One page that the test and all nodes of its cluster map; a node has it only when
// it was started with `--faults FILE`, which nothing but a failover test does. Any thread; reading
// it costs a load.

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <coterie/time.hpp>

namespace coterie {

/// What a node's journal and the file of its vote see.
struct DiskFaults {
  Duration latency{};         // before each statement, and before each sync of the vote
  bool full = false;          // nothing can be written that has not its room already
  bool failing_sync = false;  // no sync succeeds: what was written is there, or not
  bool away = false;          // the storage cannot be reached; the vote's file can
};

class FaultPage final {
 public:
  static constexpr std::size_t nodes_max = 64;
  static constexpr std::size_t poisons_max = 64;

  /// The test's side: makes the file.
  static std::expected<std::unique_ptr<FaultPage>, std::string> create(
      const std::string& file, std::span<const std::string> nodes);
  /// A node's side.
  static std::expected<std::unique_ptr<FaultPage>, std::string> attach(const std::string& file);
  ~FaultPage();
  FaultPage(const FaultPage&) = delete;
  FaultPage& operator=(const FaultPage&) = delete;

  void set_disk(std::string_view node, const DiskFaults& faults) noexcept;
  DiskFaults disk(std::string_view node) const noexcept;

  /// The next callback of the name kills the program that runs it, once. False: too many, or a name
  /// above 255 bytes.
  bool poison(std::string_view name) noexcept;
  /// True: it was poisonous, and is so no more.
  bool take_poison(std::string_view name) noexcept;

 private:
  struct Layout;
  struct Slot;
  explicit FaultPage(Layout* layout) noexcept : layout_(layout) {}
  static std::expected<Layout*, std::string> map(const std::string& file, bool make);
  Slot* slot(std::string_view node) const noexcept;

  Layout* layout_;
};

}  // namespace coterie
