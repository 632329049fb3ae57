#pragma once
// How a guardian starts its node, and what the node gets from it: the shared page, and a pipe whose
// far end only the guardian holds, so that it hangs up when the guardian dies. The node is this
// same program with one more argument; it may be stopped by SIGTERM any number of times (the
// guardian forwards what a terminal may have sent to both) and never takes the second for more.

#include <signal.h>
#include <sys/types.h>

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "node/file_descriptor.hpp"
#include "node/shared_page.hpp"

namespace coterie {

/// The guardian's side.
struct ChildProcess {
  pid_t pid = 0;
  SharedPage page;
  FileDescriptor life;  // the guardian's end: held, never written

  /// Starts this program (the very file that runs, even if it has been replaced since) with
  /// `arguments`, the first being its name.
  static std::expected<ChildProcess, std::string> start(const std::vector<std::string>& arguments,
                                                        const sigset_t& mask);
};

/// The node's side.
class GuardianLink final {
 public:
  /// Takes the guardian's argument out of `arguments`. Nothing: this program was started by
  /// somebody else.
  static std::expected<std::optional<GuardianLink>, std::string> take(
      std::vector<std::string>& arguments);

  /// For any thread; does not block.
  bool guardian_alive() const noexcept;
  /// Hangs up (POLLHUP) when the guardian dies. Never readable before.
  int descriptor() const noexcept { return life_.get(); }
  SharedPage& page() noexcept { return page_; }

 private:
  GuardianLink(SharedPage page, FileDescriptor life)
      : page_(std::move(page)), life_(std::move(life)) {}
  SharedPage page_;
  FileDescriptor life_;
};

}  // namespace coterie
