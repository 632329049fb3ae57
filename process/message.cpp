#include <coterie/detail/message.hpp>

#include <new>

#include "process/message_slots.hpp"

namespace coterie::detail {
namespace {

// Every message begins a cache line: the mailbox keeps its count in the address's low bits.
constexpr std::align_val_t alignment{Message::slot_bytes};

}  // namespace

void* allocate_message(std::size_t bytes) {
  return bytes <= Message::slot_bytes ? take_message_slot() : ::operator new(bytes, alignment);
}

void free_message(Message* message) noexcept {
  if (message == nullptr) return;
  if (message->type != nullptr && message->type->destroy != nullptr) {
    message->type->destroy(message->payload());
  }
  const bool in_slot = message->in_slot();
  message->~Message();
  if (in_slot) {
    give_message_slot(message);
  } else {
    ::operator delete(static_cast<void*>(message), alignment);
  }
}

}  // namespace coterie::detail
