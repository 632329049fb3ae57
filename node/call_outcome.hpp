#pragma once
// What the answer to a call means for somebody who has none of the server's types: which part of it
// to show, which exit code, which words, and whether to try again. Pure.

#include <optional>
#include <string>
#include <string_view>

#include <coterie/bytes.hpp>
#include <coterie/call_error.hpp>

namespace coterie {

/// Exactly one of the two texts is set.
struct CallOutcome {
  int exit_code = 0;  // node/exit_codes.hpp
  std::string json;   // the reply, one line
  std::string error;  // one line for people
};

/// A reply in the named form. A std::expected is told by its marks ({"$ok": ...}, {"$error": ...}):
/// its value alone is shown, its error alone means `refused`.
CallOutcome read_reply(BytesView reply);

/// `repeat` is the request id with which the call may be made again; empty: none was sent.
CallOutcome read_failure(const CallError& error, std::string_view repeat);

/// Whether another attempt may end better: what certainly did not run because of a moment's state,
/// and, where a repeat runs at most once, what was cut off.
bool worth_another_try(const CallError& error, bool repeatable) noexcept;

/// The error of a call that was tried several times: once any attempt may have run, all may have.
CallError after_attempts(CallError last, bool an_earlier_one_may_have_run);

/// Indented, fields in their order.
std::string pretty_json(const std::string& json);

}  // namespace coterie
