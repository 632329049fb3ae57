#pragma once
// The other node in a program of its own, for tests that stop or kill it. Made before this program
// has threads, since only the one that forks goes on in the child. The two say short lines to each
// other, such as addresses.

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>

namespace coterie::testing {

/// Lines between two programs; what ends them on one side ends the program that reads.
struct Lines {
  void say(std::string text) const {
    text.resize(64, '\0');
    if (::write(out, text.data(), text.size()) != 64) ::_exit(1);
  }
  std::string hear() const {
    std::string text(64, '\0');
    if (::read(in, text.data(), text.size()) != 64) ::_exit(1);
    return text.c_str();
  }

  int in = -1, out = -1;
};

class OtherProgram {
 public:
  /// `serve` runs in it, with its lines to this one, and does not return.
  template <class Serve>
  explicit OtherProgram(Serve serve) {
    int to[2], from[2];
    if (::pipe(to) != 0 || ::pipe(from) != 0) std::abort();
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
      if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent) ::_exit(1);
      serve(Lines{to[0], from[1]});
      ::_exit(1);
    }
    ::close(to[0]);
    ::close(from[1]);
    lines_ = {from[0], to[1]};
  }
  OtherProgram(OtherProgram&& other) noexcept
      : pid_(std::exchange(other.pid_, 0)), lines_(std::exchange(other.lines_, {})) {}
  ~OtherProgram() {
    kill();
    ::close(lines_.in);
    ::close(lines_.out);
  }

  const Lines& lines() const noexcept { return lines_; }
  void signal(int number) const { ::kill(pid_, number); }
  /// Once: afterwards its number may be another's.
  void kill() {
    if (pid_ == 0) return;
    signal(SIGKILL);
    ::waitpid(std::exchange(pid_, 0), nullptr, 0);
  }

 private:
  pid_t pid_ = 0;
  Lines lines_;
};

}  // namespace coterie::testing
