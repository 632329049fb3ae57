#pragma once
// What becomes of a request to another node whose deadline has passed: it is taken back, and the
// other node may still say whether that was in time.

#include <string>

#include <coterie/call_error.hpp>
#include <coterie/time.hpp>

#include "process/mailbox.hpp"

namespace coterie::detail {

/// How long to wait for that word, and never longer than for the answer itself. A call ends within
/// 50 ms of its deadline, and this is most of it.
inline constexpr Duration word_max = std::chrono::milliseconds(40);

/// The outcome by what came after the deadline: that word, or an answer that came too late, which
/// tells at least that the request ran.
inline CallError late_word(Message& answer) {
  const CallError* error = answer.as<CallError>();
  if (error == nullptr) {
    return {CallError::Code::timeout, CallError::Execution::executed, ExitReason::term("timeout"),
            "its reply came after the deadline"};
  }
  return {CallError::Code::timeout, error->execution(), ExitReason::term("timeout"),
          error->detail()};
}

}  // namespace coterie::detail
