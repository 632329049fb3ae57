#include "supervision/start_failure.hpp"

#include "process/exit_cause.hpp"
#include "process/process.hpp"

namespace coterie::detail {

StartResult run_start(const std::function<StartResult()>& start) {
  try {
    return start();
  } catch (const ProcessExit&) {
    throw;
  } catch (...) {
    StartError error;
    error.reason = exit_cause(std::current_exception());
    return std::unexpected(std::move(error));
  }
}

ChildError start_failure(const StartError& error) {
  using Code = ChildError::Code;
  switch (error.code) {
    case StartError::Code::already_started:
      return {Code::already_started, error.holder, {}, error.detail};
    case StartError::Code::ignored:
      return {Code::ignored, {}, {}, error.detail};
    case StartError::Code::unavailable:
      return {Code::unavailable, {}, {}, error.detail};
    case StartError::Code::failed:
      break;
  }
  return {Code::start_failed, {}, error.reason, error.detail};
}

ExitReason start_reason(const StartError& error) {
  switch (error.code) {
    case StartError::Code::failed:
      return error.reason;
    case StartError::Code::already_started:
      return ExitReason::term("{already_started," + to_string(error.holder) + "}");
    case StartError::Code::ignored:
      return ExitReason::term("ignore");
    case StartError::Code::unavailable:
      return ExitReason::term("{unavailable," + error.detail + "}");
  }
  return error.reason;
}

}  // namespace coterie::detail
