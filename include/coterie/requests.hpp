#pragma once
// Requests without waiting: the asynchronous client side of GenServer, as in gen_server.erl.
//
//   auto request = send_request(local("counter"), Counter::Get{});
//   ...
//   auto value = receive_response(request, 1s);          // CallResult<Counter::Get>
//
//   RequestCollection<Counter::Get, std::string> asked(1s);   // one deadline for all of them
//   for (const auto& name : names) asked.add(send_request(local(name), Counter::Get{}), name);
//   while (auto next = asked.receive_response()) use(next->label, next->result);
//
// A response comes into the sender's mailbox as a Response, whatever ends the request: reply, end
// of the server, loss of its node. A server that asks another one lists Response in its Infos and
// calls check_response in handle_info. After a request was given up its response never arrives.
// A collection is a class, not OTP's reqids_* functions: in C++ it is changed in place, and keeps
// the type of its replies. Functions act for the calling process; an id is its sender's.

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <coterie/call.hpp>

namespace coterie {

/// The end of a request of this process. What it holds is taken by check_response.
class Response {
 public:
  static constexpr std::string_view type_name = "coterie.response";
  Response(Ref ref, detail::MessagePtr answer) noexcept : ref_(ref), answer_(std::move(answer)) {}
  Ref ref() const noexcept { return ref_; }
  detail::MessagePtr take() const noexcept { return std::move(answer_); }

 private:
  Ref ref_;
  mutable detail::MessagePtr answer_;
};

template <Request R>
class RequestId {
 public:
  explicit RequestId(Ref ref) noexcept : ref_(ref) {}
  Ref ref() const noexcept { return ref_; }

 private:
  Ref ref_;
};

namespace detail {

/// What cannot be sent is answered at once, into the mailbox.
Ref start_request(const ServerRef& to, MessagePtr request);
/// The Response to one of `refs`, taken from the mailbox; nullptr after the timeout.
MessagePtr next_response(const std::vector<Ref>& refs, Duration timeout);
void abandon_request(Ref request);
/// The same of each after `timeout`, and whether that was in time, where the other nodes say so
/// soon.
std::vector<CallError> give_up_requests(const std::vector<Ref>& requests, Duration timeout);
Time deadline(Duration timeout);
Duration time_left(Time end);
CallError no_response();
/// This node and those connected to it.
std::vector<std::string> known_nodes();

template <Request R>
CallResult<R> result_of(const Response& response) {
  MessagePtr answer = response.take();
  if (!answer) return std::unexpected(no_response());
  if (answer->kind == MessageKind::failed)
    return std::unexpected(*answer->template as<CallError>());
  return take_reply<ReplyOf<R>>(*answer);
}

}  // namespace detail

template <Request R>
RequestId<R> send_request(const ServerRef& to, R request) {
  return RequestId<R>(detail::start_request(
      to, detail::make_message(detail::MessageKind::call, std::move(request))));
}

/// As above, and the compiler checks that the server takes the message.
template <class Server, Request R>
RequestId<R> send_request(const ServerRef& to, R request) {
  if constexpr (!Server::Calls::template contains<R>) {
    detail::this_message_is_not_listed_in_Calls_of<Server, R>();
  }
  return send_request(to, std::move(request));
}

/// Nothing after the timeout: the request goes on and may be waited for again.
template <Request R>
std::optional<CallResult<R>> wait_response(const RequestId<R>& request, Duration timeout) {
  const auto message = detail::next_response({request.ref()}, timeout);
  if (!message) return std::nullopt;
  return detail::result_of<R>(*message->template as<Response>());
}

/// At the timeout the request is given up. As with call(), one that still queued on another node
/// is not executed then, and the error says so.
template <Request R>
CallResult<R> receive_response(const RequestId<R>& request, Duration timeout = infinity) {
  if (auto result = wait_response(request, timeout)) return std::move(*result);
  return std::unexpected(std::move(detail::give_up_requests({request.ref()}, timeout).front()));
}

/// For handle_info: nothing if the response is to another request. Once for each response.
template <Request R>
std::optional<CallResult<R>> check_response(const Response& response, const RequestId<R>& request) {
  if (response.ref() != request.ref()) return std::nullopt;
  return detail::result_of<R>(response);
}

/// Requests of one type with a label each, and one moment until which all of them are waited for.
template <Request R, class Label = std::size_t>
class RequestCollection {
 public:
  struct Item {
    Label label;
    CallResult<R> result;
  };

  explicit RequestCollection(Duration timeout = infinity)
      : timeout_(timeout), end_(detail::deadline(timeout)) {}

  /// Throws std::invalid_argument if it is there already: it has only one response.
  void add(const RequestId<R>& request, Label label) {
    if (std::ranges::find(refs_, request.ref()) != refs_.end()) {
      throw std::invalid_argument("this request is in the collection already");
    }
    refs_.push_back(request.ref());
    labels_.push_back(std::move(label));
  }
  std::size_t size() const noexcept { return refs_.size(); }

  /// The next response, whichever it is. Nothing: there are no requests left, or the deadline has
  /// passed; then the rest is given up, and nothing is said of it. wait_response() and give_up()
  /// together say what became of each.
  std::optional<Item> receive_response() {
    auto next = wait_response();
    if (next) return next;
    for (const Ref ref : refs_) detail::abandon_request(ref);
    refs_.clear();
    labels_.clear();
    return std::nullopt;
  }
  /// The same, but the requests go on after the deadline.
  std::optional<Item> wait_response() {
    if (refs_.empty()) return std::nullopt;
    const auto message = detail::next_response(refs_, detail::time_left(end_));
    return message ? check_response(*message->template as<Response>()) : std::nullopt;
  }
  /// Gives up what is left. As with call() after its timeout, one that still queued on another node
  /// is not executed then, and its error says so.
  std::vector<Item> give_up() {
    std::vector<Item> items;
    std::vector<CallError> errors = detail::give_up_requests(refs_, timeout_);
    for (std::size_t i = 0; i < errors.size(); ++i) {
      items.push_back({std::move(labels_[i]), std::unexpected(std::move(errors[i]))});
    }
    refs_.clear();
    labels_.clear();
    return items;
  }
  /// For handle_info: nothing if the response is to none of these.
  std::optional<Item> check_response(const Response& response) {
    const auto found = std::ranges::find(refs_, response.ref());
    if (found == refs_.end()) return std::nullopt;
    const auto index = found - refs_.begin();
    Item item{std::move(labels_[static_cast<std::size_t>(index)]), detail::result_of<R>(response)};
    refs_.erase(found);
    labels_.erase(labels_.begin() + index);
    return item;
  }

  /// The labels of what is still waited for.
  const std::vector<Label>& labels() const noexcept { return labels_; }

 private:
  Duration timeout_;
  Time end_;
  std::vector<Ref> refs_;
  std::vector<Label> labels_;
};

template <Request R>
struct MultiCall {
  std::vector<std::pair<std::string, ReplyOf<R>>> replies;  // node, reply; in order of arrival
  std::vector<std::string> bad_nodes;                       // without a reply
  std::vector<CallError> errors;                            // why, of each of bad_nodes
};

/// Calls the servers of one local name on several nodes at once. Late replies never arrive.
template <Request R>
MultiCall<R> multi_call(const std::vector<std::string>& nodes, const std::string& name,
                        const R& request, Duration timeout = infinity) {
  RequestCollection<R, std::string> asked(timeout);
  for (const std::string& node : nodes) {
    asked.add(send_request(ServerRef(at(name, node)), request), node);
  }
  MultiCall<R> result;
  const auto take = [&result](auto& item) {
    if (item.result) {
      result.replies.emplace_back(std::move(item.label), std::move(*item.result));
    } else {
      result.bad_nodes.push_back(std::move(item.label));
      result.errors.push_back(std::move(item.result.error()));
    }
  };
  while (auto next = asked.wait_response()) take(*next);
  for (auto& late : asked.give_up()) take(late);
  return result;
}
/// On this node and all that it is connected to.
template <Request R>
MultiCall<R> multi_call(const std::string& name, const R& request, Duration timeout = infinity) {
  return multi_call(detail::known_nodes(), name, request, timeout);
}

/// Casts to the servers of one local name on several nodes. Never fails.
template <class T>
void abcast(const std::vector<std::string>& nodes, const std::string& name, const T& message) {
  for (const std::string& node : nodes) cast(ServerRef(at(name, node)), message);
}
template <class T>
void abcast(const std::string& name, const T& message) {
  abcast(detail::known_nodes(), name, message);
}

}  // namespace coterie
