#pragma once
// What tests of tasks let them do, and how they read a stream of results.

#include <chrono>
#include <string>

#include <coterie/process.hpp>

namespace coterie::test {

inline int sleep_ms(int ms) {
  sleep(std::chrono::milliseconds(ms));
  return ms;
}
inline int fail_with(int reason) { exit(ExitReason::term(std::to_string(reason))); }

/// The values, or "exit REASON", of a stream.
std::string read(auto&& stream, std::size_t most = 100) {
  std::string text;
  for (auto& result : stream) {
    text += text.empty() ? "" : " ";
    text += result ? std::to_string(*result) : "exit " + to_string(result.error());
    if (--most == 0) break;
  }
  return text;
}

}  // namespace coterie::test
