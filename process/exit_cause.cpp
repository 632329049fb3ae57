#include "process/exit_cause.hpp"

#include <cxxabi.h>

#include <cstdlib>
#include <expected>
#include <memory>
#include <string>

#include <coterie/call_error.hpp>

#include "process/process.hpp"

namespace coterie::detail {
namespace {

std::terminate_handler previous_handler = nullptr;

[[noreturn]] void on_terminate() {
  if (Process* process = running_process()) process->abandon_if_ending();
  if (previous_handler != nullptr) previous_handler();
  std::abort();
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
    const CallError& call = failed.error();
    if (call.reason().kind() != ExitReason::Kind::normal) return call.reason();
    return ExitReason::term(std::string(to_string(call.code())));
  } catch (const std::bad_expected_access<ExitReason>& ended) {
    // A process that misses a result has not ended well.
    if (ended.error().kind() != ExitReason::Kind::normal) return ended.error();
    return ExitReason::term("{normal,no_result}");
  } catch (const std::exception& exception) {
    return ExitReason::error(demangled(typeid(exception)), exception.what());
  } catch (...) {
    const std::type_info* type = abi::__cxa_current_exception_type();
    return ExitReason::error(type != nullptr ? demangled(*type) : "unknown", "");
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
