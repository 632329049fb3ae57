#include <coterie/child_spec.hpp>

namespace coterie {

std::string_view to_string(ChildError::Code code) noexcept {
  using Code = ChildError::Code;
  switch (code) {
    case Code::already_present:
      return "already_present";
    case Code::already_started:
      return "already_started";
    case Code::not_found:
      return "not_found";
    case Code::running:
      return "running";
    case Code::restarting:
      return "restarting";
    case Code::max_children:
      return "max_children";
    case Code::ignored:
      return "ignore";
    case Code::start_failed:
      return "start_failed";
    case Code::bad_spec:
      return "bad_spec";
    case Code::starting:
      return "starting";
    case Code::failed:
      return "failed";
    case Code::quarantined:
      return "quarantined";
    case Code::unavailable:
      return "unavailable";
    case Code::unknown:
      return "unknown";
  }
  return "unknown";
}

std::string_view to_string(Restart restart) noexcept {
  switch (restart) {
    case Restart::permanent:
      return "permanent";
    case Restart::transient:
      return "transient";
    case Restart::temporary:
      return "temporary";
  }
  return "unknown";
}

std::string to_string(const ChildError& error) {
  std::string text(to_string(error.code));
  if (error.pid) text += " " + to_string(error.pid);
  if (error.reason.kind() != ExitReason::Kind::normal) text += ": " + to_string(error.reason);
  if (!error.detail.empty()) text += " (" + error.detail + ")";
  return text;
}

}  // namespace coterie
