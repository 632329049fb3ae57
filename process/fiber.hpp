#pragma once
// Stackful fibers: a stack, a saved context, and what the C++ runtime and the sanitizers keep per
// thread but must keep per stack. Only workers switch fibers; a fiber never changes its thread.
// Contexts are Boost.Context's fcontext; annotations follow <sanitizer/common_interface_defs.h>.

#include <cstddef>

#include <boost/context/detail/fcontext.hpp>

namespace coterie::detail {

/// The per-thread words of libstdc++'s exception handling (Itanium ABI: __cxa_eh_globals).
struct ExceptionState {
  void* caught = nullptr;
  unsigned int uncaught = 0;
};

class Fiber {
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
  void switch_to(Fiber& to);

  /// It is never resumed: what only its frames hold is leaked on purpose.
  void keep_alive() noexcept;

  Fiber* next = nullptr;  // in the owner's pool

 private:
  static void start(boost::context::detail::transfer_t from);
  void arrived(boost::context::detail::transfer_t from);

  boost::context::detail::fcontext_t context_ = nullptr;
  ExceptionState exceptions_;
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

}  // namespace coterie::detail
