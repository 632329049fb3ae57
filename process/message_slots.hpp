#pragma once
// Memory for messages of up to 64, 128 or 192 bytes, which most are: aligned to a cache line,
// reused last-in first-out, and moved between threads in magazines of 128, so that neither a sender
// nor a receiver on another thread takes a lock for each message. Idea: Bonwick's magazines (USENIX
// 2001). What was once taken from the system is kept for the next flood: a mailbox's bound is its
// bound.

#include <cstddef>

namespace coterie::detail {

/// Memory for `slots` slots, 1 to 3, one after another. Any thread. Throws std::bad_alloc.
void* take_message_slots(unsigned slots);
/// Any thread, also another than the one that took it.
void give_message_slots(void* memory, unsigned slots) noexcept;

}  // namespace coterie::detail
