#pragma once
// The client's side of a server under Elixir's names, GenServer::call(...) and its like: each is
// the free function of that name. A base of GenServer, so that inside a server both spellings are
// one. Included by <coterie/gen_server.hpp>.

#include <string>
#include <utility>
#include <vector>

#include <coterie/requests.hpp>

namespace coterie::detail {

class Client {
 public:
  template <Request R>
  static CallResult<R> call(const ServerRef& to, R request, const CallOptions& options) {
    return coterie::call(to, std::move(request), options);
  }
  template <class M>
  static auto call(const ServerRef& to, M request, Duration timeout = default_call_timeout) {
    return coterie::call(to, std::move(request), timeout);
  }
  template <class Server, class M, class Options = Duration>
  static auto call(const ServerRef& to, M request, Options options = default_call_timeout) {
    return coterie::call<Server>(to, std::move(request), options);
  }

  template <class T>
  static void cast(const ServerRef& to, T message) {
    coterie::cast(to, std::move(message));
  }
  template <class Server, class T>
  static void cast(const ServerRef& to, T message) {
    coterie::cast<Server>(to, std::move(message));
  }

  static std::optional<Pid> whereis(const std::string& name) { return coterie::whereis(name); }
  static std::optional<Pid> whereis(const ServerRef& server) { return coterie::whereis(server); }

  template <Request R>
  static MultiCall<R> multi_call(const std::vector<std::string>& nodes, const std::string& name,
                                 const R& request, Duration timeout = infinity) {
    return coterie::multi_call(nodes, name, request, timeout);
  }
  template <Request R>
  static MultiCall<R> multi_call(const std::string& name, const R& request,
                                 Duration timeout = infinity) {
    return coterie::multi_call(name, request, timeout);
  }
  template <class T>
  static void abcast(const std::vector<std::string>& nodes, const std::string& name,
                     const T& message) {
    coterie::abcast(nodes, name, message);
  }
  template <class T>
  static void abcast(const std::string& name, const T& message) {
    coterie::abcast(name, message);
  }
};

}  // namespace coterie::detail
