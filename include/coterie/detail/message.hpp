#pragma once
// A message in flight inside one node: a header and a payload of one C++ type, erased.
// Owned by exactly one holder at a time: the sender until it is pushed, then the mailbox, then the
// handler. On the same node the payload is moved, never packed. A message from another node holds
// Packed bytes until the worker that runs the handler decodes them.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <coterie/bytes.hpp>
#include <coterie/detail/packable.hpp>
#include <coterie/pid.hpp>
#include <coterie/term.hpp>
#include <coterie/time.hpp>

namespace coterie::detail {

enum class MessageKind : std::uint8_t {
  send,  // an info: user message, timer, DOWN, EXIT of a trapping process
  cast,
  call,
  reply,   // answers `ref`
  failed,  // answers `ref` with a CallError
  signal,  // link, monitor, exit ...: handled by the process itself, never seen by user code
  system,  // a sys request: handled by the behaviour's loop
};

/// What the runtime knows of a payload's type. One static object per C++ type.
struct MessageType {
  std::string_view name;  // the wire's type_name; empty: it never leaves the node
  void (*destroy)(void* payload) noexcept;
  Bytes (*pack)(const void* payload, Form form);  // nullptr: it cannot leave the node
  std::string (*term)(const void* payload);       // for traces and crash reports
};

/// Parts of a message that most do not have.
struct Extra {
  std::string request_id;
  std::string trace;
  Epoch epoch;                 // the epoch the sender resolved
  Time expires = Time::max();  // a queued request is not run after this
};

struct Message {
  Message* next = nullptr;
  const MessageType* type = nullptr;
  Pid from;
  Ref ref = Ref::none;
  std::unique_ptr<Extra> extra;
  std::uint32_t generation =
      0;                   // of the receiver: a reused slot refuses messages to its predecessor
  std::uint32_t size = 0;  // bytes counted against the mailbox
  MessageKind kind = MessageKind::send;
  bool named = false;  // call: the answer carries field names

  void* payload() noexcept;
  template <class T>
  T* as() noexcept;
};

inline constexpr std::size_t payload_offset =
    (sizeof(Message) + alignof(std::max_align_t) - 1) & ~(alignof(std::max_align_t) - 1);

inline void* Message::payload() noexcept {
  return reinterpret_cast<std::byte*>(this) + payload_offset;
}

/// Bytes of a message from another node, or for one.
struct Packed {
  std::string type;
  Bytes bytes;
};

template <class T>
constexpr std::string_view type_name_of() {
  if constexpr (requires { std::string_view(T::type_name); }) {
    return T::type_name;
  } else {
    return {};
  }
}

template <class T>
std::string term_of(const void* payload) {
  if constexpr (std::is_same_v<T, Packed>) {
    return static_cast<const Packed*>(payload)->type;
  } else if constexpr (Packable<T>) {
    return to_term(*static_cast<const T*>(payload));
  } else {
    return std::string(type_name_of<T>());
  }
}

template <class T>
constexpr auto packer_of() -> Bytes (*)(const void*, Form) {
  if constexpr (std::is_same_v<T, Packed>) {
    return [](const void* payload, Form) { return static_cast<const Packed*>(payload)->bytes; };
  } else if constexpr (Packable<T>) {
    return
        [](const void* payload, Form form) { return pack(*static_cast<const T*>(payload), form); };
  } else {
    return nullptr;
  }
}

template <class T>
inline constexpr MessageType message_type = {
    type_name_of<T>(), [](void* payload) noexcept { static_cast<T*>(payload)->~T(); },
    packer_of<T>(), &term_of<T>};

template <class T>
T* Message::as() noexcept {
  return type == &message_type<T> ? static_cast<T*>(payload()) : nullptr;
}

void* allocate_message(std::size_t bytes);
void free_message(Message* message) noexcept;  // destroys the payload too; null is fine

struct FreeMessage {
  void operator()(Message* message) const noexcept { free_message(message); }
};
using MessagePtr = std::unique_ptr<Message, FreeMessage>;

template <class T>
MessagePtr make_message(MessageKind kind, T&& value) {
  using Value = std::decay_t<T>;
  static_assert(alignof(Value) <= alignof(std::max_align_t));
  static_assert(std::is_nothrow_move_constructible_v<Value>,
                "a message must be nothrow move constructible");
  void* memory = allocate_message(payload_offset + sizeof(Value));
  MessagePtr message(new (memory) Message);
  message->kind = kind;
  message->size = static_cast<std::uint32_t>(payload_offset + sizeof(Value));
  new (message->payload()) Value(std::forward<T>(value));
  message->type = &message_type<Value>;
  return message;
}

}  // namespace coterie::detail
