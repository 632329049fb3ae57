#include <coterie/journal_error.hpp>

namespace coterie {

ExitReason JournalError::reason() const {
  if (code == Code::fenced) return ExitReason::shutdown("fenced");
  return ExitReason::term("data_unavailable");
}

std::string to_string(const JournalError& error) {
  std::string text;
  switch (error.code) {
    case JournalError::Code::unavailable:
      text = "journal unavailable";
      break;
    case JournalError::Code::corrupt:
      text = "journal corrupt";
      break;
    case JournalError::Code::fenced:
      text = "journal fenced";
      break;
    case JournalError::Code::undecodable:
      text = "journal undecodable";
      break;
    case JournalError::Code::request_expired:
      text = "journal request expired";
      break;
  }
  if (error.maybe_applied) text += " (the event may be stored)";
  return text + ": " + error.message;
}

}  // namespace coterie
