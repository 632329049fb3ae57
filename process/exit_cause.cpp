#include "process/exit_cause.hpp"

#include <cxxabi.h>

#include <cstdlib>
#include <expected>
#include <memory>
#include <string>

#include <coterie/call_error.hpp>

#include "process/process.hpp"
#include "process/runtime.hpp"
#include "process/throw_trace.hpp"

namespace coterie::detail {
namespace {

std::terminate_handler previous_handler = nullptr;

[[noreturn]] void on_terminate() {
  if (Process* process = running_process()) process->abandon_if_ending();
  if (previous_handler != nullptr) previous_handler();
  std::abort();
}

/// The stack of the throw as text, if it was noted on the way to the handler.
std::string trace_of(const void* object) {
  const Process* process = running_process();
  return process == nullptr ? "" : process->runtime().stack_text().of(thrown_from(object));
}

}  // namespace

std::string demangled(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? name.get() : type.name();
}

ExitReason exit_cause(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::bad_expected_access<CallError>& failed) {
    const ExitReason reason = failed.error().exit_reason();
    return ExitReason::make(reason.kind(), reason.term(), reason.what(),
                            trace_of(dynamic_cast<const void*>(&failed)), reason.confirmed());
  } catch (const std::bad_expected_access<ExitReason>& ended) {
    // A process that misses a result has not ended well.
    if (ended.error().kind() != ExitReason::Kind::normal) return ended.error();
    return ExitReason::term("{normal,no_result}");
  } catch (const std::exception& exception) {
    return ExitReason::error(demangled(typeid(exception)), exception.what(),
                             trace_of(dynamic_cast<const void*>(&exception)));
  } catch (...) {
    const std::type_info* type = abi::__cxa_current_exception_type();
    return ExitReason::error(type != nullptr ? demangled(*type) : "unknown", "", trace_of(nullptr));
  }
}

bool handling_process_exit() noexcept {
  // The handlers of this fiber, innermost first. The Itanium C++ ABI lays a caught exception's
  // header out as: type, destructor, two handlers, next exception; __cxa_eh_globals begins with the
  // first.
  void*& caught = *reinterpret_cast<void**>(abi::__cxa_get_globals());
  void* const innermost = caught;
  bool found = false;
  while (caught != nullptr && !found) {
    const std::type_info* type = abi::__cxa_current_exception_type();
    found = type != nullptr && *type == typeid(ProcessExit);
    caught = static_cast<void**>(caught)[4];
  }
  caught = innermost;
  return found;
}

void install_terminate_handler() noexcept {
  static const bool installed = [] {
    previous_handler = std::set_terminate(&on_terminate);
    return true;
  }();
  static_cast<void>(installed);
}

}  // namespace coterie::detail
