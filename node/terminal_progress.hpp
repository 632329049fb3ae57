#pragma once
// How far something long has come, on standard error: one line that is drawn again on a terminal, a
// plain line every few seconds elsewhere. One thread.

#include <cstdint>
#include <string>

#include <coterie/time.hpp>

namespace coterie {

class TerminalProgress final {
 public:
  TerminalProgress();
  /// Leaves the last bar standing.
  ~TerminalProgress();
  TerminalProgress(const TerminalProgress&) = delete;
  TerminalProgress& operator=(const TerminalProgress&) = delete;

  /// `note` follows the bar. Draws at most ten times a second.
  void show(Time now, std::uint64_t done, std::uint64_t all, const std::string& note);
  /// A line above the bar.
  void say(const std::string& line);

 private:
  void draw();

  const bool terminal_;
  Time next_{};
  std::string bar_;
};

/// "[#####.....]  50 %  1234/2468": pure.
std::string progress_bar(std::uint64_t done, std::uint64_t all, std::size_t width);

}  // namespace coterie
