#pragma once
// Kind: a type of server that may be started on any node of a cluster, by its registered name and
// packed arguments, never by closure. Every node that lists a kind in its configuration must link
// the same kinds; names are never reused for another type.
//
//   struct Terms { std::string customer; std::int64_t cost_minor = 0; };
//   class Contract : public GenServer { public: Contract(std::string key, Terms terms); ... };
//   Kind contracts = kind<Contract, Terms>("contracts");

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include <coterie/child_spec.hpp>
#include <coterie/pack.hpp>

namespace coterie {

/// The exit reason with which a server's init stops when its past cannot be read: it is tried again
/// and again, never counted as a failure, and never started empty.
inline constexpr std::string_view data_unavailable_term = "data_unavailable";

struct Kind {
  std::string name;
  /// Runs in the process that becomes the child's parent and links to it: start_link, never start.
  /// The options carry the via name under which the child registers.
  std::function<StartResult(std::string key, BytesView arguments, StartOptions options)> start;
};

/// For servers that need to know nothing but their key.
struct NoArguments {};

/// A kind whose servers are made as Server(std::string key, Arguments arguments). Without packed
/// arguments each field has its default: so a client's first message starts a child.
template <class Server, class Arguments>
Kind kind(std::string name) {
  Kind made;
  made.name = std::move(name);
  made.start = [](std::string key, BytesView packed, StartOptions options) -> StartResult {
    std::expected<Arguments, UnpackError> arguments;
    if (!packed.empty()) arguments = unpack<Arguments>(packed);
    if (!arguments) {
      StartError error;
      error.code = StartError::Code::failed;
      error.reason = ExitReason::term("{bad_arguments," + to_string(arguments.error()) + "}");
      return std::unexpected(std::move(error));
    }
    return GenServer::start_link<Server>(std::move(options), std::move(key), std::move(*arguments));
  };
  return made;
}

/// The kinds that a program can host.
class KindTable {
 public:
  /// False if there is one of that name.
  bool add(Kind kind) {
    std::string name = kind.name;
    return kinds_.emplace(std::move(name), std::move(kind)).second;
  }
  const Kind* find(std::string_view name) const {
    const auto found = kinds_.find(name);
    return found == kinds_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::string, Kind, std::less<>> kinds_;
};

}  // namespace coterie
