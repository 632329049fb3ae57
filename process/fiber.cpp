#include "process/fiber.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <new>

#ifdef COTERIE_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif

namespace coterie::detail {

constinit thread_local ExceptionState* known_exception_state = nullptr;

namespace {

constexpr std::size_t colours = 32;

std::size_t page_bytes() noexcept {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

}  // namespace

Fiber::Fiber() noexcept { context_.owner = this; }

Fiber::Fiber(std::size_t stack_bytes, void (*entry)(void*), void* argument)
    : entry_(entry), argument_(argument) {
  const std::size_t page = page_bytes();
  stack_bytes_ = (stack_bytes + page - 1) / page * page;
  mapping_bytes_ = stack_bytes_ + page;
  mapping_ = ::mmap(nullptr, mapping_bytes_, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (mapping_ == MAP_FAILED) throw std::bad_alloc();
  if (::mprotect(mapping_, page, PROT_NONE) != 0) {
    ::munmap(mapping_, mapping_bytes_);
    throw std::bad_alloc();
  }
  stack_bottom_ = static_cast<char*>(mapping_) + page;
#ifdef COTERIE_TSAN
  tsan_fiber_ = __tsan_create_fiber(0);
#endif
  context_.owner = this;
  prepare();
}

void Fiber::prepare() noexcept {
  // Stacks that all began at the end of a page would fight for the same few sets of the caches.
  const std::size_t colour =
      reinterpret_cast<std::uintptr_t>(mapping_) / mapping_bytes_ % colours * 64;
  prepare_stack(context_, static_cast<std::byte*>(mapping_) + mapping_bytes_ - colour,
                stack_bytes_ - colour, &start);
}

void Fiber::restart(void (*entry)(void*), void* argument) {
  entry_ = entry;
  argument_ = argument;
  exceptions_ = {};
#ifdef COTERIE_ASAN
  __asan_unpoison_memory_region(stack_bottom_, stack_bytes_);
#endif
#ifdef COTERIE_TSAN
  __tsan_destroy_fiber(tsan_fiber_);
  tsan_fiber_ = __tsan_create_fiber(0);
#endif
  prepare();
}

std::size_t Fiber::used_bytes() const noexcept {
  return context_.stack == nullptr ? 0 : used_bytes(context_.stack);
}

std::size_t Fiber::used_bytes(const void* frame) const noexcept {
  if (mapping_ == nullptr) return 0;
  const auto* top = static_cast<const std::byte*>(mapping_) + mapping_bytes_;
  const auto used = static_cast<std::size_t>(top - static_cast<const std::byte*>(frame));
  return (used + page_bytes() - 1) / page_bytes() * page_bytes();
}

Fiber::~Fiber() {
  if (mapping_ == nullptr) return;
#ifdef COTERIE_ASAN
  // The marks of its frames outlive munmap, and whatever stood here next would be accused: another
  // fiber, a slab, the stack or the thread_local variables of a new thread.
  __asan_unpoison_memory_region(mapping_, mapping_bytes_);
#endif
#ifdef COTERIE_TSAN
  __tsan_destroy_fiber(tsan_fiber_);
#endif
  ::munmap(mapping_, mapping_bytes_);
}

void Fiber::keep_alive() noexcept {
#ifdef COTERIE_ASAN
  __lsan_register_root_region(stack_bottom_, stack_bytes_);
#endif
}

void Fiber::start(StackContext& left, StackContext& own) {
  auto* self = static_cast<Fiber*>(own.owner);
  self->arrived(left);
  self->entry_(self->argument_);
}

}  // namespace coterie::detail
