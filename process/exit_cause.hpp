#pragma once
// From a C++ exception to an exit reason, and what the exception machinery is doing right now.

#include <exception>
#include <typeinfo>

#include <coterie/exit_reason.hpp>

namespace coterie::detail {

/// {error, Type, what} of an exception that escaped; a failed call's or task's own reason when
/// `.value()` of its result threw. Not for ProcessExit.
ExitReason exit_cause(const std::exception_ptr& error);
/// True inside a catch block whose current exception is the end of the process.
bool handling_process_exit() noexcept;
std::string demangled(const std::type_info& type);

/// Makes std::terminate leave the stack of a process whose end a noexcept function stopped, instead
/// of ending the node. Idempotent; the old handler is called for everything else.
void install_terminate_handler() noexcept;

}  // namespace coterie::detail
