#include "tests/node/program_run.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

namespace coterie {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

BackgroundProgram::BackgroundProgram(const fs::path& program,
                                     const std::vector<std::string>& arguments) {
  std::string name = (fs::temp_directory_path() / "coterie-run-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
  folder_ = name;
  const std::string out = folder_ / "out", error = folder_ / "error";
  std::vector<std::string> words{program.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork");
  if (pid_ == 0) {
    ::setpgid(0, 0);
    ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT, 0644), STDOUT_FILENO);
    ::dup2(::open(error.c_str(), O_WRONLY | O_CREAT, 0644), STDERR_FILENO);
    ::execv(pointers.front(), pointers.data());
    ::_exit(127);
  }
  ::setpgid(pid_, pid_);
}

BackgroundProgram::~BackgroundProgram() {
  if (pid_ > 0) {
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  fs::remove_all(folder_);
}

void BackgroundProgram::signal(int signal) { ::kill(pid_, signal); }

ProgramResult BackgroundProgram::wait(Duration within) {
  ProgramResult result;
  constexpr auto step = std::chrono::milliseconds(5);
  for (Duration waited{}; pid_ > 0 && waited <= within; waited += step) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      result.code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
      ::kill(-pid_, SIGKILL);  // what it may have left behind
      pid_ = 0;
    } else {
      ::poll(nullptr, 0, static_cast<int>(step.count()));
    }
  }
  result.out = text_of(folder_ / "out");
  result.error = text_of(folder_ / "error");
  return result;
}

ProgramResult run_and_wait(const fs::path& program, const std::vector<std::string>& arguments,
                           Duration within) {
  return BackgroundProgram(program, arguments).wait(within);
}

}  // namespace coterie
