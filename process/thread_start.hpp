#pragma once
// How every thread of the real executor begins: named, with asynchronous signals blocked (they
// belong to the program's main thread), and with a body that must not throw.

#include <functional>
#include <string>
#include <thread>

namespace coterie::detail {

/// Linux keeps the first 15 bytes of the name. Throws std::system_error when there is no thread to
/// be had.
std::thread start_thread(std::string name, std::move_only_function<void()> body);

/// Runs `body`. An exception that leaves it is a programming error: it is printed with `who` and
/// the program aborts, because nobody is there to be told and the state behind it is unknown.
void run_or_abort(std::string_view who, std::move_only_function<void()>& body) noexcept;

}  // namespace coterie::detail
