#include <coterie/call_error.hpp>

namespace coterie {

std::string_view to_string(CallError::Code code) noexcept {
  switch (code) {
    case CallError::Code::timeout:
      return "timeout";
    case CallError::Code::noproc:
      return "noproc";
    case CallError::Code::nodedown:
      return "nodedown";
    case CallError::Code::noconnection:
      return "noconnection";
    case CallError::Code::exited:
      return "exited";
    case CallError::Code::calling_self:
      return "calling_self";
    case CallError::Code::overloaded:
      return "overloaded";
    case CallError::Code::system_limit:
      return "system_limit";
    case CallError::Code::unavailable:
      return "unavailable";
    case CallError::Code::data_unavailable:
      return "data_unavailable";
    case CallError::Code::quarantined:
      return "quarantined";
    case CallError::Code::failed:
      return "failed";
    case CallError::Code::stale:
      return "stale";
    case CallError::Code::refused:
      return "refused";
    case CallError::Code::undecodable:
      return "undecodable";
    case CallError::Code::killed:
      return "killed";
  }
  return "unknown";
}

std::string_view to_string(CallError::Execution execution) noexcept {
  switch (execution) {
    case CallError::Execution::not_executed:
      return "not executed";
    case CallError::Execution::unknown:
      return "unknown whether executed";
    case CallError::Execution::executed:
      return "executed";
  }
  return "unknown";
}

ExitReason CallError::exit_reason() const {
  // A server that ended `normal` without a reply has ended its callers, abnormally.
  const bool named = reason_.kind() != ExitReason::Kind::normal || code_ == Code::exited;
  const std::string reason = named ? to_string(reason_) : std::string(to_string(code_));
  if (!call_) return named && reason_ != ExitReason() ? reason_ : ExitReason::term(reason);
  const std::string call = "{gen_server,call," + *call_ + "}";
  // {shutdown,Term} is a clean end in OTP, also when it says {shutdown,{gen_server,call,...}}.
  if (named && reason == "shutdown") return ExitReason::shutdown(call);
  return ExitReason::term("{" + reason + "," + call + "}");
}

std::string to_string(const CallError& error) {
  std::string text(to_string(error.code()));
  text += " (";
  text += to_string(error.execution());
  text += ')';
  if (error.reason().kind() != ExitReason::Kind::normal) text += ": " + to_string(error.reason());
  if (!error.detail().empty()) text += ": " + error.detail();
  return text;
}

}  // namespace coterie
