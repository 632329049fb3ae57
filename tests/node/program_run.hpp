#pragma once
// Runs a program and hears what it says, for tests of the command line.

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include <coterie/time.hpp>

namespace coterie {

struct ProgramResult {
  int code = -1;  // 128 + the signal; -1: it was killed because it took too long
  std::string out, error;
};

/// `arguments` without the program's name. Waits; kills it and all it started after `within`.
ProgramResult run_and_wait(const std::filesystem::path& program,
                           const std::vector<std::string>& arguments,
                           Duration within = std::chrono::seconds(30));

/// A program of its own process group; killed with the object, waited for always.
class BackgroundProgram {
 public:
  BackgroundProgram(const std::filesystem::path& program,
                    const std::vector<std::string>& arguments);
  BackgroundProgram(const BackgroundProgram&) = delete;
  BackgroundProgram& operator=(const BackgroundProgram&) = delete;
  ~BackgroundProgram();

  void signal(int signal);
  ProgramResult wait(Duration within);

 private:
  pid_t pid_ = 0;
  std::filesystem::path folder_;
};

}  // namespace coterie
