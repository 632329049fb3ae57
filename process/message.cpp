#include <coterie/detail/message.hpp>

#include <new>

#include "process/message_slots.hpp"

namespace coterie::detail {
namespace {

// Every message begins a cache line: the mailbox keeps its count in the address's low bits.
constexpr std::align_val_t alignment{Message::slot_bytes};

}  // namespace

void* allocate_message(std::size_t bytes) {
  if (bytes <= Message::slot_bytes) return take_message_slots(1);
  if (bytes <= Message::slot_bytes * 2) return take_message_slots(2);
  if (bytes <= Message::slot_bytes * 3) return take_message_slots(3);
  return ::operator new(bytes, alignment);
}

void free_message(Message* message) noexcept {
  if (message == nullptr) return;
  if (message->type != nullptr && message->type->destroy != nullptr) {
    message->type->destroy(message->payload());
  }
  const unsigned slots = message->slots();
  message->~Message();
  if (slots != 0) {
    give_message_slots(message, slots);
  } else {
    ::operator delete(static_cast<void*>(message), alignment);
  }
}

}  // namespace coterie::detail
