#pragma once
// A request to a supervisor from its API functions: a call without end whose failure becomes a
// ChildError that says whether the request may have been carried out.

#include <coterie/call.hpp>
#include <coterie/child_spec.hpp>

namespace coterie::detail {

inline ChildError no_answer(const CallError& error) {
  ChildError answer;
  answer.code = error.maybe_executed() ? ChildError::Code::unknown : ChildError::Code::unavailable;
  answer.reason = error.reason();
  answer.detail = to_string(error);
  return answer;
}

template <Request R>
auto ask(const ServerRef& supervisor, R request, Duration timeout = infinity) {
  using Reply = typename R::Reply;
  auto answer = call(supervisor, std::move(request), timeout);
  if constexpr (requires { typename Reply::error_type; }) {
    if (!answer) return Reply(std::unexpected(no_answer(answer.error())));
    return std::move(*answer);
  } else {
    if (!answer) return ChildResult<Reply>(std::unexpected(no_answer(answer.error())));
    return ChildResult<Reply>(std::move(*answer));
  }
}

}  // namespace coterie::detail
