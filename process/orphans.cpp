#include "process/orphans.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "process/process.hpp"
#include "process/runtime.hpp"

namespace coterie {

std::vector<ProcessInfo> orphans(Duration timeout) {
  return detail::current_process().runtime().snapshot(
      timeout, [](const detail::Process& process) { return process.is_orphan(); });
}

namespace detail {

void warn_of_orphans(Runtime& runtime, Duration timeout) {
  const auto found = orphans(timeout);
  if (found.empty()) return;
  std::map<std::string, std::size_t> kinds;
  for (const ProcessInfo& process : found) {
    std::string kind = process.initial_call;
    if (!process.label.empty()) kind += " (" + process.label + ")";
    ++kinds[kind];
  }
  std::vector<std::pair<std::size_t, std::string>> most;
  for (const auto& [kind, count] : kinds) most.emplace_back(count, kind);
  std::ranges::sort(most, std::greater{});
  std::string what;
  constexpr std::size_t shown = 10;
  for (std::size_t i = 0; i < std::min(most.size(), shown); ++i) {
    if (i > 0) what += ", ";
    what += std::to_string(most[i].first) + " x " + most[i].second;
  }
  if (most.size() > shown) what += ", and others";
  runtime.log().warning(
      LogModule::process,
      "processes that nobody supervises are still alive: start them under a supervisor",
      {{"count", found.size()}, {"what", what}});
}

}  // namespace detail
}  // namespace coterie
