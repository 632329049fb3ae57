#pragma once
// What a node asks about names of cluster scope and what it is told, whoever keeps them: rows of a
// store (StoreNames) or the members themselves (Directory).

#include <cstdint>
#include <string>
#include <string_view>

#include <coterie/time.hpp>

#include "process/ports/name_service.hpp"

namespace coterie::name_requests {

using Request = std::uint64_t;  // chosen by the caller, unique, never 0

/// A registry's key as the one text that the requests name.
inline std::string name_of(std::string_view registry, std::string_view key) {
  // The length keeps ("a", "b/c") and ("a/b", "c") apart.
  return std::to_string(registry.size()).append(1, ':').append(registry).append(1, '/').append(key);
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
