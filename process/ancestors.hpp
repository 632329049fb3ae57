#pragma once
// The pids of a process and its ancestors, nearest first. All children of a process share one list,
// whatever threads they run on; the last one frees it. One word, where a std::shared_ptr has two:
// there may be a million children.

#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

#include <coterie/pid.hpp>

namespace coterie::detail {

class Ancestors {
 public:
  Ancestors() = default;
  explicit Ancestors(std::vector<Pid> pids) : shared_(new Shared{std::move(pids)}) {}
  Ancestors(const Ancestors& other) noexcept : shared_(other.shared_) {
    if (shared_ != nullptr) shared_->owners.fetch_add(1, std::memory_order_relaxed);
  }
  Ancestors(Ancestors&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)) {}
  Ancestors& operator=(Ancestors other) noexcept {
    std::swap(shared_, other.shared_);
    return *this;
  }
  ~Ancestors() {
    // Release: what other owners read comes before; acquire: it comes before the end here.
    if (shared_ != nullptr && shared_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      delete shared_;
    }
  }
  void reset() noexcept { *this = Ancestors(); }
  explicit operator bool() const noexcept { return shared_ != nullptr; }
  const std::vector<Pid>& operator*() const noexcept { return shared_->pids; }
  const std::vector<Pid>* operator->() const noexcept { return &shared_->pids; }

 private:
  struct Shared {
    const std::vector<Pid> pids;
    std::atomic<std::uint32_t> owners{1};
  };
  Shared* shared_ = nullptr;
};

}  // namespace coterie::detail
