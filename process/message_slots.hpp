#pragma once
// Memory for messages of up to 64 bytes, which most are: aligned to a cache line, reused last-in
// first-out, and moved between threads in magazines of 128, so that neither a sender nor a receiver
// on another thread takes a lock for each message. Idea: Bonwick's magazines (USENIX 2001).
// What was once taken from the system is kept for the next flood: a mailbox's bound is its bound.

#include <cstddef>

namespace coterie::detail {

/// Any thread. Throws std::bad_alloc.
void* take_message_slot();
/// Any thread, also another than the one that took it.
void give_message_slot(void* slot) noexcept;

}  // namespace coterie::detail
