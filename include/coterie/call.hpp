#pragma once
// call and cast: typed requests to servers anywhere. The counterpart of GenServer.call / cast.
// A call is monitor + send + wait with a deadline; a late reply never reaches the mailbox.
//
//   auto value = call<Counter>(local("counter"), Counter::Increment{.by = 2}, 1s);
//   auto same  = call(via("contracts", id), Approve{}).value();   // .value(): let it crash
//
// `.value()` of a temporary is a reference into it: `for (auto& x : call(...).value())` reads what
// is gone already. Name it first:  auto all = call(...).value();  for (auto& x : all) ...
//
// The error says whether the request may have run (CallError::maybe_executed). A call to another
// node repeats the request id of CallOptions, so that a server which keeps request ids runs it
// once.

#include <chrono>
#include <concepts>
#include <expected>
#include <string>
#include <utility>

#include <coterie/detail/give_way.hpp>
#include <coterie/process.hpp>

namespace coterie {

/// The reply of a message that carries nothing.
struct Nothing {
  friend bool operator==(const Nothing&, const Nothing&) = default;
};

inline constexpr Duration default_call_timeout = std::chrono::seconds(5);

struct CallOptions {
  Duration timeout = default_call_timeout;
  std::string request_id{};  // stable across retries; empty: none
};

template <class T>
concept Request = requires {
  typename T::Reply;
};

template <class T>
using ReplyOf = std::conditional_t<std::is_void_v<typename T::Reply>, Nothing, typename T::Reply>;

template <class T>
using CallResult = std::expected<ReplyOf<T>, CallError>;

namespace detail {

/// The reply is in `in_place`, if that is filled, else in the result.
std::expected<MessagePtr, CallError> call_message(const ServerRef& to, MessagePtr request,
                                                  const CallOptions& options,
                                                  ReplyPlace* in_place = nullptr);
void cast_message(const ServerRef& to, MessagePtr message);
std::expected<void, CallError> try_cast_message(const ServerRef& to, MessagePtr message);
CallError undecodable_reply(std::string_view type, const std::string& why);

template <class Reply>
std::expected<Reply, CallError> take_reply(Message& answer) {
  if (Reply* value = answer.as<Reply>()) return std::move(*value);
  if (auto* packed = answer.as<Packed>()) {
    if constexpr (Packable<Reply>) {
      auto value = [&] {
        const GivesWay while_unpacking;
        return unpack<Reply>(packed->bytes);
      }();
      if (value) return std::move(*value);
      return std::unexpected(undecodable_reply(packed->type, to_string(value.error())));
    }
  }
  return std::unexpected(undecodable_reply(answer.type->name, "not the reply of that message"));
}

template <class Server, class Message>
void this_message_is_not_listed_in_Calls_of() = delete;
template <class Server, class Message>
void this_message_is_not_listed_in_Casts_of() = delete;
template <class Message>
void a_message_that_is_called_has_no_Reply__cast_it_or_send_it() = delete;
template <class Timeout>
void a_timeout_has_a_unit__such_as_5s_or_500ms() = delete;

}  // namespace detail

template <Request R>
CallResult<R> call(const ServerRef& to, R request, const CallOptions& options) {
  detail::ReplyBox<ReplyOf<R>> box;
  auto answer = detail::call_message(
      to, detail::make_message(detail::MessageKind::call, std::move(request)), options, &box);
  if (!answer) return std::unexpected(std::move(answer.error()));
  if (box.filled) return std::move(box.value());
  return detail::take_reply<ReplyOf<R>>(**answer);
}

template <Request R>
CallResult<R> call(const ServerRef& to, R request, Duration timeout = default_call_timeout) {
  return call(to, std::move(request), CallOptions{.timeout = timeout});
}

/// As above, and the compiler checks that the server takes the message.
template <class Server, Request R, class Options = Duration>
CallResult<R> call(const ServerRef& to, R request, Options options = default_call_timeout) {
  if constexpr (!Server::Calls::template contains<R>) {
    detail::this_message_is_not_listed_in_Calls_of<Server, R>();
  }
  return call(to, std::move(request), options);
}

/// To another node, by name: the compiler checks that the message, and its reply, can go there.
template <Request R, class Options = Duration>
CallResult<R> call(const RemoteName& to, R request, Options options = default_call_timeout) {
  if constexpr (!detail::Travels<R> || !detail::Packable<ReplyOf<R>>) {
    detail::a_message_for_another_node_needs_a_type_name_and_fields_that_can_be_packed<R>();
  }
  return call(ServerRef(to), std::move(request), options);
}

// Mistakes that are told in one line: no Reply, and milliseconds without their unit.
template <class M, class... Options>
requires(!Request<M>) std::expected<Nothing, CallError> call(const ServerRef&, M, Options...) {
  detail::a_message_that_is_called_has_no_Reply__cast_it_or_send_it<M>();
  return {};
}
template <class Server, class M, class... Options>
requires(!Request<M>) std::expected<Nothing, CallError> call(const ServerRef&, M, Options...) {
  detail::a_message_that_is_called_has_no_Reply__cast_it_or_send_it<M>();
  return {};
}
template <Request R, std::integral Timeout>
CallResult<R> call(const ServerRef&, R, Timeout) {
  detail::a_timeout_has_a_unit__such_as_5s_or_500ms<Timeout>();
  return std::unexpected(CallError(CallError::Code::refused, CallError::Execution::not_executed));
}

/// A call by type name with packed bytes, as clients without our types make it. `named`: the reply
/// carries field names.
struct PackedReply {
  std::string type;
  Bytes bytes;
};
std::expected<PackedReply, CallError> call_packed(const ServerRef& to, std::string type,
                                                  Bytes bytes, const CallOptions& options = {},
                                                  bool named = false);

/// Asynchronous: never fails, says nothing about delivery. It may give up the caller's turn.
template <class T>
void cast(const ServerRef& to, T message) {
  detail::cast_message(to, detail::make_message(detail::MessageKind::cast, std::move(message)));
}

template <class Server, class T>
void cast(const ServerRef& to, T message) {
  if constexpr (!Server::Casts::template contains<T>) {
    detail::this_message_is_not_listed_in_Casts_of<Server, T>();
  }
  cast(to, std::move(message));
}

// To another node, by name: checked as a call is.
template <class T>
void send(const RemoteName& to, T message) {
  if constexpr (!detail::Travels<T>) {
    detail::a_message_for_another_node_needs_a_type_name_and_fields_that_can_be_packed<T>();
  }
  send(ServerRef(to), std::move(message));
}

template <class T>
void cast(const RemoteName& to, T message) {
  if constexpr (!detail::Travels<T>) {
    detail::a_message_for_another_node_needs_a_type_name_and_fields_that_can_be_packed<T>();
  }
  cast(ServerRef(to), std::move(message));
}

/// As cast, and tells what try_send tells.
template <class T>
std::expected<void, CallError> try_cast(const ServerRef& to, T message) {
  return detail::try_cast_message(
      to, detail::make_message(detail::MessageKind::cast, std::move(message)));
}

template <class Server, class T>
std::expected<void, CallError> try_cast(const ServerRef& to, T message) {
  if constexpr (!Server::Casts::template contains<T>) {
    detail::this_message_is_not_listed_in_Casts_of<Server, T>();
  }
  return try_cast(to, std::move(message));
}

/// Retries until the deadline what certainly did not run and may succeed later (unavailable,
/// overloaded, no such name yet, node down) and, with a request id, also what may have run.
template <Request R>
CallResult<R> call_until(const ServerRef& to, const R& request, Duration deadline,
                         std::string request_id = {});

namespace detail {
/// Sleeps before the next try; the timeout of that try, or nothing when the error is final.
class RetrySchedule {
 public:
  RetrySchedule(Duration deadline, bool has_request_id);
  CallOptions options(const std::string& request_id) const;
  bool again(const CallError& error);

 private:
  Time end_;
  bool has_request_id_;
  Duration pause_ = std::chrono::milliseconds(1);
};
}  // namespace detail

template <Request R>
CallResult<R> call_until(const ServerRef& to, const R& request, Duration deadline,
                         std::string request_id) {
  detail::RetrySchedule schedule(deadline, !request_id.empty());
  for (;;) {
    auto result = call(to, request, schedule.options(request_id));
    if (result || !schedule.again(result.error())) return result;
  }
}

}  // namespace coterie
