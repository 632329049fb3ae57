#pragma once
// Why a call has no reply, and whether its request may have run. The table of outcomes is in
// docs/semantics.md; the idea is erpc's "may or may not be applied", split into what is certain.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <coterie/detail/bad_result.hpp>
#include <coterie/exit_reason.hpp>

namespace coterie {

class CallError {
 public:
  enum class Code : std::uint8_t {
    timeout,           // the deadline passed
    noproc,            // no such process or name
    nodedown,          // its node is not connected and nothing was sent
    noconnection,      // the session was lost after the request was handed over
    exited,            // the server ended before it replied; `reason` says why
    calling_self,      // caller and server are the same process
    overloaded,        // refused at a bound: mailbox, window
    system_limit,      // this node's bound of parked fibers or processes is reached
    unavailable,       // no majority, node frozen, partition not open: try again until the deadline
    data_unavailable,  // the past of the name cannot be read; it is never started empty
    quarantined,       // the name took two nodes down; an operator releases it
    failed,            // the name failed for good
    stale,             // the instance called is not the name's owner any more: resolve again
    refused,           // not allowed, or the message is not one of the server's (bad_call)
    undecodable,       // the request or the reply could not be decoded
    killed,            // the calling process is itself being ended
  };
  enum class Execution : std::uint8_t { not_executed, unknown, executed };

  CallError(Code code, Execution execution, ExitReason reason = ExitReason::normal(),
            std::string detail = {})
      : code_(code),
        execution_(execution),
        reason_(std::move(reason)),
        detail_(std::move(detail)) {}

  Code code() const noexcept { return code_; }
  Execution execution() const noexcept { return execution_; }
  /// False only when the request certainly did not run.
  bool maybe_executed() const noexcept { return execution_ != Execution::not_executed; }
  /// What ended the request: the server's own exit reason, noproc, timeout ...
  const ExitReason& reason() const noexcept { return reason_; }
  /// The reason with which `.value()` ends the calling process, as OTP's: reason() and the call,
  /// {timeout,{gen_server,call,[counter,increment,5000]}}.
  ExitReason exit_reason() const;
  /// What was called and what to do next, for people.
  const std::string& detail() const noexcept { return detail_; }
  /// Notes server, message and timeout for exit_reason(): "[counter,increment,5000]".
  void set_call(std::string arguments) {
    call_ = std::make_shared<const std::string>(std::move(arguments));
  }

 private:
  Code code_;
  Execution execution_;
  ExitReason reason_;
  std::string detail_;
  std::shared_ptr<const std::string> call_;
};

std::string_view to_string(CallError::Code code) noexcept;
std::string_view to_string(CallError::Execution execution) noexcept;
std::string to_string(const CallError& error);

}  // namespace coterie

template <>
class std::bad_expected_access<coterie::CallError>
    : public coterie::detail::BadResult<coterie::CallError> {
 public:
  using BadResult::BadResult;
};
