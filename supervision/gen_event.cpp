#include <coterie/gen_event.hpp>

#include <coterie/log.hpp>

#include "process/exit_cause.hpp"
#include "process/process.hpp"
#include "process/throw_trace.hpp"

namespace coterie {

std::string to_string(const HandlerError& error) {
  switch (error.code) {
    case HandlerError::Code::already_present:
      return "already_present";
    case HandlerError::Code::not_found:
      return "not_found";
    case HandlerError::Code::failed:
      return "failed: " + to_string(error.reason);
    case HandlerError::Code::no_manager:
      return "no_manager: " + to_string(error.reason);
  }
  return "unknown";
}

namespace detail {

std::optional<ExitReason> handler_fault(const std::function<void()>& run) {
  try {
    run();
    return std::nullopt;
  } catch (const ProcessExit&) {
    throw;  // the manager itself is to end
  } catch (const ThrownHere&) {
    return ExitReason::term("unknown");
  } catch (...) {
    return exit_cause(std::current_exception());
  }
}

void report_handler(const std::string& id, const ExitReason& reason) {
  node_log().error(LogModule::supervision, "an event handler threw and was taken out",
                   {{"manager", self()}, {"handler", id}, {"reason", reason}});
}

HandlerError no_manager(const CallError& error) {
  return {HandlerError::Code::no_manager, error.exit_reason()};
}

}  // namespace detail
}  // namespace coterie
