#include "node/shared_page.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <limits>
#include <new>
#include <system_error>

namespace coterie {
namespace {

constexpr std::int64_t no_lease = std::numeric_limits<std::int64_t>::min();

std::unexpected<std::string> failed(const std::string& what) {
  return std::unexpected("shared page: " + what + ": " + std::generic_category().message(errno));
}

}  // namespace

struct SharedPage::Layout {
  static constexpr std::uint64_t expected_magic = 0x31'65'67'61'70'74'6F'63;  // "cotpage1"
  std::uint64_t magic = expected_magic;
  std::atomic<std::uint64_t> counter{0};
  std::atomic<std::uint64_t> id{0};  // written last: 0 means that there is no incarnation yet
  std::atomic<std::int64_t> lease_end_ns{no_lease};
  std::atomic<std::int64_t> frozen_for_ns{no_lease};
  std::atomic<std::uint64_t> beats{0};
  RunningNameTable running;
};

std::expected<SharedPage::Layout*, std::string> SharedPage::map(int memory) {
  void* at = ::mmap(nullptr, sizeof(Layout), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  if (at == MAP_FAILED) return failed("cannot be mapped");
  return static_cast<Layout*>(at);
}

std::expected<SharedPage, std::string> SharedPage::create() {
  FileDescriptor memory(::memfd_create("coterie-node", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory) return failed("cannot be made");
  // Sealed: a node gone wild cannot shrink it under its guardian, whose next read would be fatal.
  if (::ftruncate(memory.get(), sizeof(Layout)) != 0 ||
      ::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return failed("cannot be sized");
  }
  auto layout = map(memory.get());
  if (!layout) return std::unexpected(layout.error());
  new (*layout) Layout;
  return SharedPage(std::move(memory), *layout);
}

std::expected<SharedPage, std::string> SharedPage::attach(FileDescriptor memory) {
  struct stat status {};
  if (::fstat(memory.get(), &status) != 0) return failed("not passed by the guardian");
  if (status.st_size != static_cast<off_t>(sizeof(Layout))) {
    return std::unexpected("shared page: of another size than this program's");
  }
  auto layout = map(memory.get());
  if (!layout) return std::unexpected(layout.error());
  SharedPage page(FileDescriptor(), *layout);
  if ((*layout)->magic != Layout::expected_magic) {
    return std::unexpected("shared page: not one of this program's");
  }
  return page;
}

SharedPage::SharedPage(FileDescriptor memory, Layout* layout) noexcept
    : memory_(std::move(memory)), layout_(layout) {}

SharedPage::SharedPage(SharedPage&& other) noexcept
    : memory_(std::move(other.memory_)), layout_(std::exchange(other.layout_, nullptr)) {}

SharedPage& SharedPage::operator=(SharedPage&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(layout_, other.layout_);
  return *this;
}

SharedPage::~SharedPage() {
  if (layout_ != nullptr) ::munmap(layout_, sizeof(Layout));
}

void SharedPage::set_incarnation(const Incarnation& incarnation) noexcept {
  layout_->counter.store(incarnation.counter, std::memory_order_relaxed);
  // Release pairs with the acquire in snapshot(): who sees the id sees its counter.
  layout_->id.store(static_cast<std::uint64_t>(incarnation.id), std::memory_order_release);
}

void SharedPage::lease_renewed(Time end) noexcept {
  layout_->lease_end_ns.store(end.time_since_epoch().count(), std::memory_order_release);
}

void SharedPage::acknowledge_frozen(Time lease_end) noexcept {
  layout_->frozen_for_ns.store(lease_end.time_since_epoch().count(), std::memory_order_release);
}

void SharedPage::beat() noexcept { layout_->beats.fetch_add(1, std::memory_order_relaxed); }

RunningNameTable& SharedPage::running() noexcept { return layout_->running; }
const RunningNameTable& SharedPage::running() const noexcept { return layout_->running; }

PageSnapshot SharedPage::snapshot() const noexcept {
  PageSnapshot found;
  if (const std::uint64_t id = layout_->id.load(std::memory_order_acquire); id != 0) {
    found.incarnation = Incarnation{layout_->counter.load(std::memory_order_relaxed), NodeId{id}};
  }
  // The lease first: an acknowledgement that is read later can only be as new or newer.
  const std::int64_t lease_end = layout_->lease_end_ns.load(std::memory_order_acquire);
  if (lease_end != no_lease) {
    found.lease_end = Time(Duration(lease_end));
    found.frozen = layout_->frozen_for_ns.load(std::memory_order_acquire) >= lease_end;
  }
  found.beats = layout_->beats.load(std::memory_order_relaxed);
  return found;
}

}  // namespace coterie
