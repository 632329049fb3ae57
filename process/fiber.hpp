#pragma once
// Stackful fibers: a stack, a saved context, and what the C++ runtime and the sanitizers keep per
// thread but must keep per stack. Only workers switch fibers; a fiber changes its thread only to
// begin again. Annotations follow <sanitizer/common_interface_defs.h>.

#include <cxxabi.h>

#include <cstddef>

#include "process/sanitizers.hpp"
#include "process/stack_switch.hpp"

#ifdef COTERIE_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef COTERIE_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace coterie::detail {

/// The per-thread words of libstdc++'s exception handling (Itanium ABI: __cxa_eh_globals).
struct ExceptionState {
  void* caught = nullptr;
  unsigned int uncaught = 0;
};

/// The thread's own, found once: asking the C++ runtime costs as much as a switch.
extern constinit thread_local ExceptionState* known_exception_state;

inline ExceptionState& exception_state() noexcept {
  if (known_exception_state == nullptr) {
    known_exception_state = reinterpret_cast<ExceptionState*>(abi::__cxa_get_globals());
  }
  return *known_exception_state;
}

class alignas(64) Fiber {
 public:
  /// The context of the thread itself; it has no stack of its own.
  Fiber() noexcept;
  /// A fiber that will run entry(argument), which must not return. Throws std::bad_alloc when the
  /// kernel refuses the stack. `stack_bytes` is rounded up to pages; a guard page lies below.
  Fiber(std::size_t stack_bytes, void (*entry)(void*), void* argument);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Suspends `this`, which must be the running fiber, and runs `to` until somebody switches back.
  /// Inline, as all that leads to it is: after a switch the processor's stack of return addresses
  /// is another fiber's, so each return from here to the user's code is a misprediction.
  void switch_to(Fiber& to);

  /// Of a fiber that is suspended for good, whose frames own nothing: begins again, on any thread.
  void restart(void (*entry)(void*), void* argument);

  /// It is never resumed: what only its frames hold is leaked on purpose.
  void keep_alive() noexcept;

  /// Of a suspended fiber: the stack below which it waits, in whole pages.
  std::size_t used_bytes() const noexcept;
  /// Of the running one, down to `frame`.
  std::size_t used_bytes(const void* frame) const noexcept;

  /// Fetches what switch_to() will need first: not all fibers that wait are in the nearest cache.
  void prefetch() const noexcept {
    __builtin_prefetch(context_.stack);
    __builtin_prefetch(static_cast<const std::byte*>(context_.stack) + 64);
  }

 private:
  void prepare() noexcept;
  static void start(StackContext& left, StackContext& own);
  void arrived(StackContext& left);

  // What a switch needs is one cache line.
  StackContext context_;
  ExceptionState exceptions_;

 public:
  Fiber* next = nullptr;        // in the owner's pool
  Fiber* next_batch = nullptr;  // in the depot, of the first one of a batch

 private:
  void* mapping_ = nullptr;
  std::size_t mapping_bytes_ = 0;
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
  // For the sanitizers; unused otherwise.
  const void* stack_bottom_ = nullptr;
  std::size_t stack_bytes_ = 0;
  void* fake_stack_ = nullptr;
  void* tsan_fiber_ = nullptr;
};

[[gnu::always_inline]] inline void Fiber::arrived([[maybe_unused]] StackContext& left) {
#ifdef COTERIE_ASAN
  const void* bottom = nullptr;
  std::size_t bytes = 0;
  __sanitizer_finish_switch_fiber(fake_stack_, &bottom, &bytes);
  Fiber* previous = static_cast<Fiber*>(left.owner);
  if (previous->mapping_ == nullptr) {
    previous->stack_bottom_ = bottom;
    previous->stack_bytes_ = bytes;
  }
#endif
  exception_state() = exceptions_;
}

[[gnu::always_inline]] inline void Fiber::switch_to(Fiber& to) {
  exceptions_ = exception_state();
#ifdef COTERIE_TSAN
  // The driver belongs to whichever thread runs the worker.
  if (mapping_ == nullptr) tsan_fiber_ = __tsan_get_current_fiber();
#endif
#ifdef COTERIE_ASAN
  __sanitizer_start_switch_fiber(&fake_stack_, to.stack_bottom_, to.stack_bytes_);
#endif
#ifdef COTERIE_TSAN
  __tsan_switch_to_fiber(to.tsan_fiber_, 0);
#endif
  arrived(switch_stack(context_, to.context_));
}

}  // namespace coterie::detail
