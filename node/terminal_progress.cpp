#include "node/terminal_progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace coterie {
namespace {

using namespace std::chrono_literals;
constexpr std::size_t width = 30;
// To the line's beginning, and clear it.
constexpr std::string_view again = "\r\x1b[K";

}  // namespace

std::string progress_bar(std::uint64_t done, std::uint64_t all, std::size_t bar_width) {
  const std::uint64_t part = std::min(done, all);
  const std::size_t full = all == 0 ? bar_width : part * bar_width / all;
  const std::uint64_t percent = all == 0 ? 100 : part * 100 / all;
  std::string text = "[" + std::string(full, '#') + std::string(bar_width - full, '.') + "] ";
  const std::string number = std::to_string(percent);
  text += std::string(3 - std::min<std::size_t>(3, number.size()), ' ') + number + " %  ";
  return text + std::to_string(done) + "/" + std::to_string(all);
}

TerminalProgress::TerminalProgress() : terminal_(::isatty(STDERR_FILENO) == 1) {}

TerminalProgress::~TerminalProgress() {
  if (terminal_ && !bar_.empty()) std::fputc('\n', stderr);
}

void TerminalProgress::show(Time now, std::uint64_t done, std::uint64_t all,
                            const std::string& note) {
  if (now < next_ && done < all) return;
  next_ = now + (terminal_ ? 100ms : 5s);
  std::string bar = progress_bar(done, all, width) + (note.empty() ? "" : "  " + note);
  if (bar == bar_) return;
  bar_ = std::move(bar);
  draw();
}

void TerminalProgress::say(const std::string& line) {
  if (terminal_) std::fputs(std::string(again).c_str(), stderr);
  std::fputs((line + '\n').c_str(), stderr);
  if (terminal_ && !bar_.empty()) draw();
}

void TerminalProgress::draw() {
  std::fputs(terminal_ ? (std::string(again) + bar_).c_str() : (bar_ + '\n').c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace coterie
