#pragma once
// Leaves one stack for another. On x86-64 it is a dozen instructions in place: a function that
// switches costs more than the switch itself, because it pushes a return address that nobody
// returns to, and from there on the processor predicts each return one frame wrong; and because it
// saves and loads all registers and both floating-point control words, where here the compiler
// saves what is alive and a control word is loaded only if it differs. Other processors use
// Boost.Context. Only Fiber uses this.

#include <cstddef>
#include <cstdint>

#if defined(__x86_64__) && !defined(__AVX512F__) && !defined(COTERIE_BOOST_CONTEXT)
#define COTERIE_STACK_SWITCH_IN_PLACE 1
#else
#include <boost/context/detail/fcontext.hpp>
#endif

namespace coterie::detail {

/// Where a stack that is not running goes on. `owner` is for whoever it goes on to.
struct StackContext {
  void* stack = nullptr;  // null: it has not been left yet
#ifdef COTERIE_STACK_SWITCH_IN_PLACE
  void* frame = nullptr;
  void* place = nullptr;
  std::uint32_t sse_control = 0;
  std::uint16_t x87_control = 0;
#else
  void (*entry)(StackContext& left, StackContext& own) = nullptr;
#endif
  void* owner = nullptr;
};

/// The first thing that runs on a stack; `left` is the context that switched to it.
using StackEntry = void (*)(StackContext& left, StackContext& own);

#ifdef COTERIE_STACK_SWITCH_IN_PLACE

/// `top` is the stack's upper end, aligned to 16.
inline void prepare_stack(StackContext& context, std::byte* top, std::size_t, StackEntry entry) {
  // As if called from nowhere: there a back trace ends.
  auto* const from = reinterpret_cast<void**>(top) - 1;
  *from = nullptr;
  context.stack = from;
  context.frame = nullptr;
  context.place = reinterpret_cast<void*>(entry);
  asm("stmxcsr %0\n\tfnstcw %1" : "=m"(context.sse_control), "=m"(context.x87_control));
}

/// Returns when somebody switches back; who that was is the result.
[[gnu::always_inline]] inline StackContext& switch_stack(StackContext& from, StackContext& to) {
  static_assert(offsetof(StackContext, frame) == 8 && offsetof(StackContext, place) == 16 &&
                offsetof(StackContext, sse_control) == 24 &&
                offsetof(StackContext, x87_control) == 28);
  // The two pointers are also what a new stack's entry gets as its arguments. Of the SSE control
  // word only the control bits belong to a stack; the exceptions it has seen are the thread's.
  StackContext* left = &from;
  StackContext* next = &to;
  asm volatile(
      "leaq 1f(%%rip), %%rax\n\t"
      "movq %%rsp, (%%rdi)\n\t"
      "movq %%rbp, 8(%%rdi)\n\t"
      "movq %%rax, 16(%%rdi)\n\t"
      "stmxcsr 24(%%rdi)\n\t"
      "fnstcw 28(%%rdi)\n\t"
      "movq (%%rsi), %%rsp\n\t"
      "movq 8(%%rsi), %%rbp\n\t"
      "movl 24(%%rsi), %%eax\n\t"
      "xorl 24(%%rdi), %%eax\n\t"
      "movzwl 28(%%rsi), %%ecx\n\t"
      "xorw 28(%%rdi), %%cx\n\t"
      "andl $0xffc0, %%eax\n\t"
      "orl %%eax, %%ecx\n\t"
      "jz 0f\n\t"
      "ldmxcsr 24(%%rsi)\n\t"
      "fldcw 28(%%rsi)\n"
      "0:\n\t"
      "jmpq *16(%%rsi)\n"
      "1:"
      : "+D"(left), "+S"(next)
      :
      : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0",
        "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
        "xmm12", "xmm13", "xmm14", "xmm15", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)",
        "st(6)", "st(7)", "cc", "memory");
  return *left;
}

#else

/// What a switch tells the stack it arrives at; lives on the stack that is left.
struct StackTravel {
  StackContext* from;
  StackContext* to;
};

inline StackContext& arrived_on_stack(boost::context::detail::transfer_t from) {
  StackContext& left = *static_cast<StackTravel*>(from.data)->from;
  left.stack = from.fctx;
  return left;
}

inline void prepare_stack(StackContext& context, std::byte* top, std::size_t bytes,
                          StackEntry entry) {
  context.entry = entry;
  context.stack = boost::context::detail::make_fcontext(
      top, bytes, +[](boost::context::detail::transfer_t from) {
        const StackTravel travel = *static_cast<StackTravel*>(from.data);
        travel.to->entry(arrived_on_stack(from), *travel.to);
      });
}

inline StackContext& switch_stack(StackContext& from, StackContext& to) {
  StackTravel travel{&from, &to};
  return arrived_on_stack(boost::context::detail::jump_fcontext(to.stack, &travel));
}

#endif

}  // namespace coterie::detail
