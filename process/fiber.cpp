#include "process/fiber.hpp"

#include <cxxabi.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define COTERIE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COTERIE_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define COTERIE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define COTERIE_TSAN 1
#endif
#endif

#ifdef COTERIE_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#ifdef COTERIE_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace coterie::detail {
namespace {

using boost::context::detail::transfer_t;

/// What a switch tells the fiber it arrives at; lives on the stack that is left.
struct Travel {
  Fiber* from;
  Fiber* to;
};

ExceptionState& exception_state() noexcept {
  return *reinterpret_cast<ExceptionState*>(abi::__cxa_get_globals());
}

std::size_t page_bytes() noexcept {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

}  // namespace

Fiber::Fiber() noexcept = default;

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
  char* bottom = static_cast<char*>(mapping_) + page;
  stack_bottom_ = bottom;
#ifdef COTERIE_ASAN
  // An earlier stack at this address may have left poison behind; it survives munmap.
  __asan_unpoison_memory_region(bottom, stack_bytes_);
#endif
#ifdef COTERIE_TSAN
  tsan_fiber_ = __tsan_create_fiber(0);
#endif
  context_ = boost::context::detail::make_fcontext(bottom + stack_bytes_, stack_bytes_, &start);
}

Fiber::~Fiber() {
  if (mapping_ == nullptr) return;
#ifdef COTERIE_TSAN
  __tsan_destroy_fiber(tsan_fiber_);
#endif
  ::munmap(mapping_, mapping_bytes_);
}

void Fiber::switch_to(Fiber& to) {
  exceptions_ = exception_state();
#ifdef COTERIE_TSAN
  // The driver belongs to whichever thread runs the worker.
  if (mapping_ == nullptr) tsan_fiber_ = __tsan_get_current_fiber();
#endif
  Travel travel{this, &to};
#ifdef COTERIE_ASAN
  __sanitizer_start_switch_fiber(&fake_stack_, to.stack_bottom_, to.stack_bytes_);
#endif
#ifdef COTERIE_TSAN
  __tsan_switch_to_fiber(to.tsan_fiber_, 0);
#endif
  arrived(boost::context::detail::jump_fcontext(to.context_, &travel));
}

void Fiber::arrived(transfer_t from) {
  Fiber* previous = static_cast<Travel*>(from.data)->from;
  previous->context_ = from.fctx;
#ifdef COTERIE_ASAN
  const void* bottom = nullptr;
  std::size_t bytes = 0;
  __sanitizer_finish_switch_fiber(fake_stack_, &bottom, &bytes);
  if (previous->mapping_ == nullptr) {
    previous->stack_bottom_ = bottom;
    previous->stack_bytes_ = bytes;
  }
#endif
  exception_state() = exceptions_;
}

void Fiber::keep_alive() noexcept {
#ifdef COTERIE_ASAN
  __lsan_register_root_region(stack_bottom_, stack_bytes_);
#endif
}

void Fiber::start(transfer_t from) {
  Fiber* self = static_cast<Travel*>(from.data)->to;
  self->arrived(from);
  self->entry_(self->argument_);
}

}  // namespace coterie::detail
