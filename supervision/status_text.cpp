#include "supervision/status_text.hpp"

namespace coterie::detail {
namespace {

std::string child_text(const ChildInfo& child) {
  const std::string pid = child.state == ChildState::running ? to_string(child.pid, child.pid.node)
                          : child.state == ChildState::restarting ? "restarting"
                                                                  : "undefined";
  return "{" + (child.id.empty() ? "undefined" : child.id) + "," + pid +
         (child.type == ChildType::supervisor ? ",supervisor," : ",worker,") +
         std::string(to_string(child.restart)) + "}";
}

}  // namespace

std::string supervisor_text(std::string_view strategy, std::size_t max_restarts,
                            Duration max_seconds, const ChildCount& count,
                            std::span<const ChildInfo> shown) {
  const auto period = std::chrono::duration_cast<std::chrono::milliseconds>(max_seconds).count();
  std::string text = "{supervisor," + std::string(strategy) + ",{intensity," +
                     std::to_string(max_restarts) + "," + std::to_string(period) + "},{children," +
                     std::to_string(count.specs) + ",active," + std::to_string(count.active) +
                     "},[";
  for (const ChildInfo& child : shown) text += (text.back() == '[' ? "" : ",") + child_text(child);
  if (shown.size() < count.specs) text += ",...";
  return text + "]}";
}

}  // namespace coterie::detail
