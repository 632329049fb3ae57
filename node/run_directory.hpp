#pragma once
// Where the nodes of one run keep everything: a temporary directory that goes with the run, or one
// that was asked for and stays. Owned by the command that made it; one thread.

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>

namespace coterie {

class RunDirectory final {
 public:
  /// `wanted` must be new or empty; empty text: a temporary one, named after `what`.
  static std::expected<RunDirectory, std::string> make(const std::string& wanted,
                                                       std::string_view what);
  RunDirectory(RunDirectory&& other) noexcept;
  RunDirectory& operator=(RunDirectory&&) = delete;
  ~RunDirectory();

  const std::filesystem::path& path() const noexcept { return path_; }
  void keep() noexcept { keep_ = true; }

 private:
  RunDirectory(std::filesystem::path path, bool keep) : path_(std::move(path)), keep_(keep) {}
  std::filesystem::path path_;
  bool keep_;
};

}  // namespace coterie
