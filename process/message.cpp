#include <coterie/detail/message.hpp>

#include <cstdlib>

namespace coterie::detail {

void* allocate_message(std::size_t bytes) { return ::operator new(bytes); }

void free_message(Message* message) noexcept {
  if (message == nullptr) return;
  if (message->type != nullptr) message->type->destroy(message->payload());
  message->~Message();
  ::operator delete(static_cast<void*>(message));
}

}  // namespace coterie::detail
