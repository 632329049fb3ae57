#include "supervision/start_failure.hpp"

namespace coterie::detail {

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
