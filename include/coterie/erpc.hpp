#pragma once
// erpc: calls of registered functions on other nodes. The counterpart of OTP's module of that name,
// with one difference: what may be called is what a node has registered, by name, and who may call
// it says the cluster file (security.erpc_from). A function is named by its request's type_name.
//
//   struct Census { using Reply = std::int64_t; static constexpr std::string_view type_name =
//   "..."; }; Application{.functions = {erpc::function<Census>([](const Census&) { return count();
//   })}}; erpc::Result<Census> there = erpc::call("b", Census{}, 1s); for (auto& [node, result] :
//   erpc::multicall(nodes(), Census{})) ...
//
// Each call runs in a process of its own on the other node, so one that takes long delays no other;
// it is not ended when its caller is. The error tells apart what OTP's erpc does: an exception, an
// exit, an exit signal, and that there is no answer. Functions here act for the calling process.

#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <coterie/gen_server.hpp>

namespace coterie::erpc {

/// What other nodes may call. A value: the same function runs for many callers at once, on any
/// worker.
struct Function {
  std::string name;
  /// Packed request to packed reply; nothing: it could not be unpacked. Throws what the user's
  /// does.
  std::function<std::expected<Bytes, UnpackError>(BytesView request)> run;
};

class Error {
 public:
  enum class Class : std::uint8_t {
    error,   // the function threw a std::exception: reason() is {error,Type,What}
    thrown,  // it threw something else: reason() names its type
    exit,    // it called exit(reason), or missed the result of a call: reason()
    signal,  // its process was ended by an exit signal: reason()
    erpc,    // there is no answer: call() says why, and whether it may have run
  };
  Error(Class what, ExitReason reason);
  explicit Error(CallError call);

  Class error_class() const noexcept { return class_; }
  const ExitReason& reason() const noexcept { return call_.reason(); }
  /// timeout, noconnection, nodedown, overloaded; refused: this node may not call there; noproc:
  /// the other has no such function, or no functions; undecodable: its types differ from ours.
  const CallError& call() const noexcept { return call_; }
  bool maybe_executed() const noexcept { return call_.maybe_executed(); }
  /// With which `.value()` ends the caller, as OTP's erpc:call: {exception,Reason} of an error,
  /// {throw,Type}, {exit,{exception,Reason}}, {exit,{signal,Reason}}, {erpc,timeout}.
  ExitReason exit_reason() const;

 private:
  Class class_;
  CallError call_;
};
std::string_view to_string(Error::Class what) noexcept;
std::string to_string(const Error& error);

/// ReplyOf a request; Nothing for a message without Reply, which can be cast only.
template <class M>
struct Returns {
  using type = Nothing;
};
template <Request R>
struct Returns<R> {
  using type = ReplyOf<R>;
};

template <class R>
using Result = std::expected<typename Returns<R>::type, Error>;

template <class R>
struct NodeResult {
  std::string node;
  Result<R> result;
};

/// `run` is called as Reply run(const M&), and copied.
template <class M, class F>
Function function(F run);

struct Options {
  std::size_t calls_max = 16'384;  // under way at once; more are refused: `overloaded`
};
/// The server of a node's functions, local("coterie.erpc"). A cluster's node starts one by itself,
/// for what its applications list; a program without a cluster starts its own. Two functions of one
/// name are a failed start.
std::expected<Pid, StartError> start_link(std::vector<Function> functions, Options options = {});

namespace detail {
std::expected<Bytes, Error> call(const std::string& node, std::string_view function, Bytes request,
                                 Duration timeout);
void cast(const std::string& node, std::string_view function, Bytes request);
std::vector<std::expected<Bytes, Error>> multicall(const std::vector<std::string>& nodes,
                                                   std::string_view function, const Bytes& request,
                                                   Duration timeout);
Error undecodable_result(std::string_view function, const UnpackError& why);

template <class R>
Result<R> take(std::expected<Bytes, Error> answer) {
  if (!answer) return std::unexpected(std::move(answer.error()));
  auto value = unpack<typename Returns<R>::type>(*answer);
  if (!value) return std::unexpected(undecodable_result(R::type_name, value.error()));
  return std::move(*value);
}
}  // namespace detail

/// Runs the function of that request on `node`, which may be this one. (OTP's timeout is infinity
/// unless given; here it is that of every call.)
template <Request R>
Result<R> call(const std::string& node, const R& request, Duration timeout = default_call_timeout) {
  return detail::take<R>(detail::call(node, R::type_name, pack(request), timeout));
}

/// Without an answer, and never fails.
template <class M>
void cast(const std::string& node, const M& message) {
  detail::cast(node, M::type_name, pack(message));
}

/// On all of them at once, within one timeout; the results are in the order of `nodes`.
template <Request R>
std::vector<NodeResult<R>> multicall(const std::vector<std::string>& nodes, const R& request,
                                     Duration timeout = default_call_timeout) {
  auto answers = detail::multicall(nodes, R::type_name, pack(request), timeout);
  std::vector<NodeResult<R>> results;
  results.reserve(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    results.push_back({nodes[i], detail::take<R>(std::move(answers[i]))});
  }
  return results;
}

template <class M>
void multicast(const std::vector<std::string>& nodes, const M& message) {
  for (const std::string& node : nodes) cast(node, message);
}

template <class M, class F>
Function function(F run) {
  using Reply = typename Returns<M>::type;
  static_assert(coterie::detail::Travels<M> && coterie::detail::Packable<Reply>,
                "a registered function needs a request with a type_name, and a request and reply "
                "that can be packed");
  return {std::string(M::type_name),
          [run = std::move(run)](BytesView packed) -> std::expected<Bytes, UnpackError> {
            auto request = unpack<M>(packed);
            if (!request) return std::unexpected(std::move(request.error()));
            if constexpr (std::is_void_v<std::invoke_result_t<const F&, const M&>>) {
              run(*request);
              return pack(Nothing{});
            } else {
              return pack(Reply(run(*request)));
            }
          }};
}

}  // namespace coterie::erpc

template <>
class std::bad_expected_access<coterie::erpc::Error>
    : public coterie::detail::BadResult<coterie::erpc::Error> {
 public:
  using BadResult::BadResult;
};
