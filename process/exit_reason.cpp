#include <coterie/exit_reason.hpp>

namespace coterie {
namespace {

const std::string& empty() noexcept {
  static const std::string none;
  return none;
}

}  // namespace

ExitReason ExitReason::make(Kind kind, std::string term, std::string what, std::string trace,
                            bool confirmed) {
  if (term.empty() && what.empty() && trace.empty() && !confirmed) return kind;
  ExitReason reason(kind);
  reason.word_ |= reinterpret_cast<std::uintptr_t>(
      new Detail{std::move(term), std::move(what), std::move(trace), confirmed});
  return reason;
}

void ExitReason::release() noexcept {
  // Release: all that others did with it comes before; acquire: it comes before its end here.
  if (detail()->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) delete detail();
}

ExitReason ExitReason::shutdown(std::string term) {
  return make(Kind::shutdown, std::move(term), {}, {}, false);
}
ExitReason ExitReason::noconnection(bool confirmed) {
  return make(Kind::noconnection, {}, {}, {}, confirmed);
}
ExitReason ExitReason::error(std::string type, std::string what, std::string trace) {
  return make(Kind::error, std::move(type), std::move(what), std::move(trace), false);
}
ExitReason ExitReason::term(std::string term) {
  return make(Kind::term, std::move(term), {}, {}, false);
}

const std::string& ExitReason::term() const noexcept {
  return detail() != nullptr ? detail()->term : empty();
}
const std::string& ExitReason::what() const noexcept {
  return detail() != nullptr ? detail()->what : empty();
}
const std::string& ExitReason::trace() const noexcept {
  return detail() != nullptr ? detail()->trace : empty();
}
bool ExitReason::confirmed() const noexcept { return detail() != nullptr && detail()->confirmed; }

bool operator==(const ExitReason& a, const ExitReason& b) noexcept {
  if (a.word_ == b.word_) return true;  // most are normal, and have no more than that
  return a.kind() == b.kind() && a.term() == b.term() && a.what() == b.what() &&
         a.confirmed() == b.confirmed();
}

std::string to_string(const ExitReason& reason) {
  switch (reason.kind()) {
    case ExitReason::Kind::normal:
      return "normal";
    case ExitReason::Kind::shutdown:
      return reason.term().empty() ? "shutdown" : "{shutdown," + reason.term() + "}";
    case ExitReason::Kind::kill:
      return "kill";
    case ExitReason::Kind::killed:
      return "killed";
    case ExitReason::Kind::noproc:
      return "noproc";
    case ExitReason::Kind::noconnection:
      return "noconnection";
    case ExitReason::Kind::error:
      return "{error," + reason.term() + ",\"" + reason.what() + "\"}";
    case ExitReason::Kind::term:
      return reason.term();
  }
  return "unknown";
}

}  // namespace coterie
