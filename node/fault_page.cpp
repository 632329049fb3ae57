#include "node/fault_page.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>
#include <system_error>

#include "node/file_descriptor.hpp"

namespace coterie {
namespace {

constexpr std::uint64_t magic = 0x636f7465'66617531;  // "cotefau1"
constexpr std::uint32_t full_bit = 1, failing_sync_bit = 2, away_bit = 4;
constexpr std::uint32_t armed = 1;
constexpr std::size_t name_bytes = 256;

}  // namespace

struct FaultPage::Slot {
  std::array<char, name_bytes> node{};  // written before any node starts
  std::atomic<std::int64_t> latency_ns{0};
  std::atomic<std::uint32_t> bits{0};
};

struct FaultPage::Layout {
  struct Poison {
    std::atomic<std::uint32_t> state{0};  // released after the name is written, taken by exchange
    std::array<char, name_bytes> name{};
  };
  std::uint64_t magic = 0;
  std::atomic<std::uint32_t> poisons_made{0};
  std::array<Slot, nodes_max> slots{};
  std::array<Poison, poisons_max> poisons{};
};

std::expected<FaultPage::Layout*, std::string> FaultPage::map(const std::string& file, bool make) {
  const auto why = [&] { return file + ": " + std::generic_category().message(errno); };
  const FileDescriptor opened(
      ::open(file.c_str(), O_RDWR | O_CLOEXEC | (make ? O_CREAT | O_TRUNC : 0), 0600));
  if (!opened) return std::unexpected(why());
  if (make && ::ftruncate(opened.get(), sizeof(Layout)) != 0) return std::unexpected(why());
  struct stat found {};
  if (::fstat(opened.get(), &found) != 0) return std::unexpected(why());
  if (static_cast<std::size_t>(found.st_size) != sizeof(Layout)) {
    return std::unexpected(file + ": expected the page of a failover test, found another file");
  }
  void* memory =
      ::mmap(nullptr, sizeof(Layout), PROT_READ | PROT_WRITE, MAP_SHARED, opened.get(), 0);
  if (memory == MAP_FAILED) return std::unexpected(why());
  auto* layout = make ? new (memory) Layout : static_cast<Layout*>(memory);
  if (make) layout->magic = magic;
  if (layout->magic != magic) {
    ::munmap(memory, sizeof(Layout));
    return std::unexpected(file + ": expected the page of a failover test, found another file");
  }
  return layout;
}

std::expected<std::unique_ptr<FaultPage>, std::string> FaultPage::create(
    const std::string& file, std::span<const std::string> nodes) {
  if (nodes.size() > nodes_max) {
    return std::unexpected("faults of disks and names are for clusters of at most " +
                           std::to_string(nodes_max) + " nodes");
  }
  const auto layout = map(file, true);
  if (!layout) return std::unexpected(layout.error());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    nodes[i].copy((*layout)->slots[i].node.data(), name_bytes - 1);
  }
  return std::unique_ptr<FaultPage>(new FaultPage(*layout));
}

std::expected<std::unique_ptr<FaultPage>, std::string> FaultPage::attach(const std::string& file) {
  const auto layout = map(file, false);
  if (!layout) return std::unexpected(layout.error());
  return std::unique_ptr<FaultPage>(new FaultPage(*layout));
}

FaultPage::~FaultPage() { ::munmap(layout_, sizeof(Layout)); }

FaultPage::Slot* FaultPage::slot(std::string_view node) const noexcept {
  for (Slot& one : layout_->slots) {
    if (node == one.node.data()) return &one;
  }
  return nullptr;
}

// Relaxed: each word counts for itself.
void FaultPage::set_disk(std::string_view node, const DiskFaults& faults) noexcept {
  Slot* one = slot(node);
  if (one == nullptr) return;
  one->latency_ns.store(faults.latency.count(), std::memory_order_relaxed);
  one->bits.store((faults.full ? full_bit : 0) | (faults.failing_sync ? failing_sync_bit : 0) |
                      (faults.away ? away_bit : 0),
                  std::memory_order_relaxed);
}

DiskFaults FaultPage::disk(std::string_view node) const noexcept {
  const Slot* one = slot(node);
  if (one == nullptr) return {};
  const std::uint32_t bits = one->bits.load(std::memory_order_relaxed);
  return {.latency = Duration(one->latency_ns.load(std::memory_order_relaxed)),
          .full = (bits & full_bit) != 0,
          .failing_sync = (bits & failing_sync_bit) != 0,
          .away = (bits & away_bit) != 0};
}

bool FaultPage::poison(std::string_view name) noexcept {
  const std::uint32_t made = layout_->poisons_made.load(std::memory_order_relaxed);
  if (made >= poisons_max || name.size() >= name_bytes) return false;
  Layout::Poison& one = layout_->poisons[made];
  name.copy(one.name.data(), name.size());
  one.state.store(armed, std::memory_order_release);
  layout_->poisons_made.store(made + 1, std::memory_order_release);
  return true;
}

bool FaultPage::take_poison(std::string_view name) noexcept {
  const std::uint32_t made = layout_->poisons_made.load(std::memory_order_acquire);
  for (std::uint32_t i = 0; i < made && i < poisons_max; ++i) {
    Layout::Poison& one = layout_->poisons[i];
    if (name != one.name.data()) continue;
    if (one.state.exchange(0, std::memory_order_acq_rel) == armed) return true;
  }
  return false;
}

}  // namespace coterie
