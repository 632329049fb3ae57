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
#include <typeinfo>
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
  std::string_view name;                    // the wire's type_name; empty: it never leaves the node
  void (*destroy)(void* payload) noexcept;  // nullptr: there is nothing to destroy
  Bytes (*pack)(const void* payload, Form form);  // nullptr: it cannot leave the node
  std::string (*term)(const void* payload);       // for traces and crash reports
  const std::type_info* cpp = nullptr;            // for people, if it has no name
};

/// Parts of a message that most do not have.
struct Extra {
  Ref ref = Ref::none;
  std::string request_id;
  std::string trace;
  Epoch epoch;                 // the epoch the sender resolved
  Time expires = Time::max();  // a queued request is not run after this
};

/// A header of 48 bytes: with a payload of up to 16 it is one cache line.
class Message {
 public:
  static constexpr std::size_t slot_bytes = 64;
  static constexpr unsigned slots_max = 3;  // of one after another, for larger messages

  Message(MessageKind what, std::size_t size) noexcept
      : kind(what),
        slots_(size <= slot_bytes * slots_max ? (size + slot_bytes - 1) / slot_bytes & 3 : 0),
        blocks_(blocks_of(size)) {}
  ~Message() {
    if (has_extra_) delete extra_;
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  void* payload() noexcept;
  template <class T>
  T* as() noexcept;
  /// Of a call, a reply, a monitor ...
  Ref ref() const noexcept { return has_extra_ ? extra_->ref : ref_; }
  void set_ref(Ref ref) noexcept { (has_extra_ ? extra_->ref : ref_) = ref; }
  /// nullptr: there is none.
  Extra* extra() const noexcept { return has_extra_ ? extra_ : nullptr; }
  Extra& make_extra();
  /// What it counts against the mailbox's bound: at least what it occupies.
  std::size_t bytes() const noexcept {
    return (blocks_ & big) != 0 ? std::size_t{blocks_ & ~big} << 16 : std::size_t{blocks_} << 6;
  }
  /// More that it counts, because its payload owns it.
  void add_bytes(std::size_t more) noexcept { blocks_ = blocks_of(bytes() + more); }
  bool in_slot() const noexcept { return slots_ == 1; }
  /// 0: its memory is the heap's.
  unsigned slots() const noexcept { return slots_; }

  Message* next = nullptr;
  const MessageType* type = nullptr;
  Pid from;
  std::uint32_t generation =
      0;  // of the receiver: a reused slot refuses its predecessor's messages
  MessageKind kind;
  bool named : 1 = false;  // call: the answer carries field names

 private:
  // `blocks_` are slots or, with this bit, blocks of 64 KiB: up to 2 GiB.
  static constexpr unsigned big = 0x8000;
  static constexpr std::uint16_t blocks_of(std::size_t bytes) noexcept {
    const std::size_t slots = (bytes + slot_bytes - 1) / slot_bytes;
    if (slots < big) return static_cast<std::uint16_t>(slots);
    return static_cast<std::uint16_t>(big | (bytes >> 16 < big ? bytes >> 16 : big - 1));
  }

  bool has_extra_ : 1 = false;
  const std::uint8_t slots_ : 2;
  std::uint16_t blocks_;
  union {
    Ref ref_ = Ref::none;
    Extra* extra_;  // it has taken the ref
  };
};
static_assert(sizeof(Message) == 48);

inline constexpr std::size_t payload_offset = sizeof(Message);
static_assert(payload_offset % alignof(std::max_align_t) == 0);

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

/// What can go to another node: it has a name there, and can be packed.
template <class T>
concept Travels = Packable<T> && !type_name_of<T>().empty();
template <class Message>
void a_message_for_another_node_needs_a_type_name_and_fields_that_can_be_packed() = delete;

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
constexpr auto destroyer_of() -> void (*)(void*) noexcept {
  if constexpr (std::is_trivially_destructible_v<T>) {
    return nullptr;
  } else {
    return [](void* payload) noexcept { static_cast<T*>(payload)->~T(); };
  }
}

template <class T>
inline constexpr MessageType message_type = {type_name_of<T>(), destroyer_of<T>(), packer_of<T>(),
                                             &term_of<T>, &typeid(T)};

inline Extra& Message::make_extra() {
  if (!has_extra_) {
    extra_ = new Extra{.ref = ref_, .request_id = {}, .trace = {}, .epoch = {}};
    has_extra_ = true;
  }
  return *extra_;
}

template <class T>
T* Message::as() noexcept {
  return type == &message_type<T> ? static_cast<T*>(payload()) : nullptr;
}

/// Memory for a message of `bytes`, and back. Slots go from hand to hand between the threads in
/// batches, so neither costs a lock (process/message_slots.cpp).
void* allocate_message(std::size_t bytes);
void free_message(Message* message) noexcept;  // destroys the payload too; null is fine

struct FreeMessage {
  void operator()(Message* message) const noexcept { free_message(message); }
};
using MessagePtr = std::unique_ptr<Message, FreeMessage>;

template <class Message>
void a_message_is_moved_without_exceptions__mark_its_move_constructor_noexcept() = delete;

template <class T>
MessagePtr make_message(MessageKind kind, T&& value) {
  using Value = std::decay_t<T>;
  static_assert(alignof(Value) <= alignof(std::max_align_t));
  if constexpr (!std::is_nothrow_move_constructible_v<Value>) {
    a_message_is_moved_without_exceptions__mark_its_move_constructor_noexcept<Value>();
  }
  constexpr std::size_t bytes = payload_offset + sizeof(Value);
  void* memory = allocate_message(bytes);
  MessagePtr message(new (memory) Message(kind, bytes));
  new (message->payload()) Value(std::forward<T>(value));
  message->type = &message_type<Value>;
  return message;
}

/// Where a caller waits for its reply: on its own stack. A server that runs on the caller's worker
/// constructs the reply there, and no message is made.
struct ReplyPlace {
  const MessageType* type = nullptr;
  void* storage = nullptr;
  bool filled = false;
};

template <class Reply>
class ReplyBox final : public ReplyPlace {
 public:
  ReplyBox() noexcept : ReplyPlace{&message_type<Reply>, bytes_} {}
  ~ReplyBox() {
    if (filled) value().~Reply();
  }
  ReplyBox(const ReplyBox&) = delete;
  ReplyBox& operator=(const ReplyBox&) = delete;
  Reply& value() noexcept { return *std::launder(reinterpret_cast<Reply*>(bytes_)); }

 private:
  alignas(Reply) std::byte bytes_[sizeof(Reply)];
};

}  // namespace coterie::detail
