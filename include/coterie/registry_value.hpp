#pragma once
// What a process registers beside its pid: a value of any type, shared and never changed. It stays
// on its node, so nothing is packed. Also the rows that a local Registry answers with.
//
//   Registry::register_name("rooms", "lobby", Seat{.row = 3});
//   for (const auto& [pid, value] : Registry::lookup("rooms", "lobby")) {
//     if (const Seat* seat = value.get<Seat>()) send(pid, Move{seat->row + 1});
//   }

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <coterie/detail/message.hpp>
#include <coterie/pid.hpp>

namespace coterie {

class RegistryValue {
 public:
  RegistryValue() noexcept = default;
  template <class T>
  requires(!std::is_same_v<std::decay_t<T>, RegistryValue>)
      RegistryValue(T&& value)  // NOLINT: a value is one
      : RegistryValue(std::in_place, Stored<T>(std::forward<T>(value))) {}

  /// Null if it is of another type. Text is a std::string.
  template <class T>
  const T* get() const noexcept {
    return type_ == &type_of<T> ? static_cast<const T*>(held_.get()) : nullptr;
  }
  explicit operator bool() const noexcept { return held_ != nullptr; }
  /// For people: numbers and text as they are, other types by their type_name if they have one.
  std::string to_text() const { return held_ ? type_->text(held_.get()) : std::string(); }

  template <class T>
  requires(!std::is_same_v<T, RegistryValue>) friend bool operator==(const RegistryValue& value,
                                                                     const T& other) {
    const auto* held = value.get<Stored<const T&>>();
    return held != nullptr && *held == other;
  }

 private:
  /// Text in any form is kept as a std::string.
  template <class T>
  using Stored =
      std::conditional_t<std::is_convertible_v<T, std::string_view>, std::string, std::decay_t<T>>;
  struct Type {
    std::string (*text)(const void* value);
  };
  template <class T>
  static std::string text_of(const void* value) {
    if constexpr (std::is_same_v<T, std::string>) return *static_cast<const T*>(value);
    if constexpr (std::is_arithmetic_v<T>) return std::to_string(*static_cast<const T*>(value));
    return std::string(detail::type_name_of<T>());
  }
  template <class T>
  static constexpr Type type_of{&text_of<T>};

  template <class T>
  RegistryValue(std::in_place_t, T value)
      : held_(std::make_shared<const T>(std::move(value))), type_(&type_of<T>) {}

  std::shared_ptr<const void> held_;
  const Type* type_ = nullptr;  // its address says which
};

/// Whether a registry has one process for a key or any number of them.
enum class Keys : std::uint8_t { unique, duplicate };

/// What lookup and match answer with.
struct RegistryEntry {
  Pid pid{};
  RegistryValue value{};
};

/// What select answers with.
struct RegistryRow {
  std::string key{};
  Pid pid{};
  RegistryValue value{};
};

}  // namespace coterie
