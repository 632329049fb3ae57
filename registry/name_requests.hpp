#pragma once
// What a node asks about names of cluster scope and what it is told, whoever keeps them: rows of a
// store (StoreNames) or the members themselves (Directory).

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include <coterie/time.hpp>

#include "process/ports/name_service.hpp"

namespace coterie::name_requests {

using Request = std::uint64_t;  // chosen by the caller, unique, never 0

/// A registry's key as the one text that the requests name: view() of it, while it lives. Where
/// names are looked up by the million it takes no memory.
class Name {
 public:
  Name(std::string_view registry, std::string_view key) {
    // The length keeps ("a", "b/c") and ("a/b", "c") apart.
    char* const digits_end = std::to_chars(short_.data(), short_.data() + 20, registry.size()).ptr;
    const auto digits = static_cast<std::size_t>(digits_end - short_.data());
    size_ = digits + registry.size() + key.size() + 2;
    char* at = digits_end;
    if (size_ > short_.size()) {
      long_.resize(size_);
      at = std::copy(short_.data(), digits_end, long_.data());
    }
    *at++ = ':';
    at = std::copy(registry.begin(), registry.end(), at);
    *at++ = '/';
    std::copy(key.begin(), key.end(), at);
  }
  std::string_view view() const noexcept {
    return {long_.empty() ? short_.data() : long_.data(), size_};
  }

 private:
  std::array<char, 128> short_;
  std::string long_;
  std::size_t size_ = 0;
};
inline std::string name_of(std::string_view registry, std::string_view key) {
  return std::string(Name(registry, key).view());
}

/// The request's number becomes the registration's id.
struct Reserve {
  Request request = 0;
  std::string name;
  std::uint64_t serial = 0;
  Time deadline;
};
struct Confirm {
  Request request = 0;
  std::string name;
  std::uint64_t registration = 0;
  Time deadline;
};
struct Release {
  std::string name;
  std::uint64_t registration = 0;
  Epoch epoch{};  // of the registration
};
struct Lookup {
  Request request = 0;
  std::string name;
  Time deadline;
};
/// The one who asked wants no answer any more; what it reserved is given back. With the name also
/// when it was granted already: the answer found nobody.
struct Withdraw {
  Request request = 0;
  std::string name{};
};

struct Reserved {
  Request request = 0;
  NameResult<Registration> result;
};
struct Confirmed {
  Request request = 0;
  NameResult<void> result;
  Location location = {};  // what others find from now on
};
struct Found {
  Request request = 0;
  NameResult<Location> result;
};

}  // namespace coterie::name_requests
