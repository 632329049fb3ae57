#pragma once
// A file that says which process something is: one decimal number and a line end, there whole or
// not at all. Removed by its owner when that process has ended; after a kill -9 of the owner it
// stays behind.

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace coterie {

class PidFile final {
 public:
  explicit PidFile(std::filesystem::path path) : path_(std::move(path)) {}
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;
  ~PidFile() { remove(); }

  /// Replaces what is there. Returns what went wrong; empty: nothing.
  std::string write(pid_t pid);
  /// Does nothing if nothing was written.
  void remove() noexcept;

 private:
  const std::filesystem::path path_;
  bool written_ = false;
};

}  // namespace coterie
