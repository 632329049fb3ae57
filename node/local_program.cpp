#include "node/local_program.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <system_error>

#include "node/file_descriptor.hpp"

namespace coterie::local_program {
namespace {

std::string why(const std::string& what, int error) {
  return what + ": " + std::generic_category().message(error);
}

/// In the child: nothing here may allocate.
[[noreturn]] void become(const char* program, char* const* arguments, int log, pid_t parent,
                         int report) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  // The parent may have ended before that.
  if (::getppid() != parent) ::_exit(127);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int input = ::open("/dev/null", O_RDONLY);
  if (input >= 0 && ::dup2(input, 0) >= 0 && ::dup2(log, 1) >= 0 && ::dup2(log, 2) >= 0) {
    ::execv(program, arguments);
  }
  const int error = errno;
  static_cast<void>(!::write(report, &error, sizeof error));
  ::_exit(127);
}

struct Stat {
  pid_t parent = 0;
  char state = 'X';
};

std::optional<Stat> stat_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  // The name before it may hold blanks and parentheses.
  const std::size_t end = text.rfind(") ");
  if (end == text.npos) return std::nullopt;
  std::istringstream rest(text.substr(end + 2));
  Stat stat;
  rest >> stat.state >> stat.parent;
  return rest ? std::optional(stat) : std::nullopt;
}

bool living_child(pid_t pid, pid_t parent) {
  const auto stat = stat_of(pid);
  return stat && stat->parent == parent && stat->state != 'Z' && stat->state != 'X';
}

}  // namespace

std::expected<pid_t, std::string> start(const std::filesystem::path& program,
                                        const std::vector<std::string>& arguments,
                                        const std::filesystem::path& log) {
  const FileDescriptor output(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!output) return std::unexpected(why(log.string(), errno));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(why("pipe", errno));
  const FileDescriptor read_end(ends[0]);
  FileDescriptor write_end(ends[1]);
  std::vector<std::string> words = arguments;
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const std::string path = program.string();

  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return std::unexpected(why("fork", errno));
  if (pid == 0) become(path.c_str(), pointers.data(), output.get(), parent, write_end.get());
  write_end.reset();
  ::setpgid(pid, pid);  // on both sides: whoever comes first
  int error = 0;
  if (::read(read_end.get(), &error, sizeof error) == static_cast<ssize_t>(sizeof error)) {
    ::waitpid(pid, nullptr, 0);
    return std::unexpected(why("cannot start " + path, error));
  }
  return pid;
}

std::optional<pid_t> child_in(const std::filesystem::path& file, pid_t parent) {
  std::ifstream in(file);
  pid_t pid = 0;
  if (!(in >> pid) || pid <= 1 || !living_child(pid, parent)) return std::nullopt;
  return pid;
}

std::expected<void, std::string> signal_child(pid_t pid, pid_t parent, int signal) {
  // From here on the descriptor means that one process, whoever may get its number later.
  const FileDescriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) return std::unexpected(why("pid " + std::to_string(pid), errno));
  if (!living_child(pid, parent)) {
    return std::unexpected("pid " + std::to_string(pid) + " is not the node's program any more");
  }
  if (::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) != 0) {
    return std::unexpected(why("pid " + std::to_string(pid), errno));
  }
  return {};
}

std::optional<int> ended(pid_t child) {
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
      info.si_pid != child) {
    return std::nullopt;
  }
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

void end_group(pid_t leader) {
  // The leader has not been reaped, so the group is still its own.
  ::kill(-leader, SIGKILL);
  for (;;) {
    // When the leader has ended, the others are ours.
    if (::waitpid(-leader, nullptr, 0) < 0 && errno == ECHILD) return;
  }
}

void adopt_orphans() { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }

}  // namespace coterie::local_program
