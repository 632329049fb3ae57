#include "tests/failover/host_network.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "node/file_descriptor.hpp"

namespace coterie::test {
namespace {

namespace fs = std::filesystem;

std::unexpected<std::string> why(const std::string& what) {
  return std::unexpected(what + ": " + std::generic_category().message(errno));
}

std::expected<void, std::string> must(const std::string& command) {
  const Ended ended = run_shell(command);
  if (ended.exit_code == 0) return {};
  return std::unexpected(command + ": " + ended.output);
}

std::string cable(const std::string& host) { return "cable-" + host; }

}  // namespace

Ended run_shell(const std::string& command) {
  Ended ended;
  FILE* pipe = ::popen(("exec 2>&1; " + command).c_str(), "re");
  if (pipe == nullptr) return {-1, "popen fails"};
  std::array<char, 4096> bytes;
  while (const std::size_t count = std::fread(bytes.data(), 1, bytes.size(), pipe)) {
    ended.output.append(bytes.data(), count);
  }
  const int status = ::pclose(pipe);
  ended.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ended;
}

std::string quoted(const std::string& word) {
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + '\'';
}

std::expected<std::unique_ptr<HostNetwork>, std::string> HostNetwork::make(
    const std::vector<Host>& hosts) {
  std::unique_ptr<HostNetwork> made(new HostNetwork);
  if (::unshare(CLONE_NEWNET) != 0) return why("a network namespace of its own");
  const std::string& first = hosts.at(0).address;
  const std::string own = first.substr(0, first.rfind('.')) + ".254";
  // Without spanning tree a port of the bridge passes frames at once.
  auto done = must(
      "ip link set lo up && ip link add bridge0 type bridge stp_state 0 && ip address "
      "add " +
      own + "/24 dev bridge0 && ip link set bridge0 up");
  for (const Host& host : hosts) {
    if (done) done = made->add(host);
  }
  if (!done) return std::unexpected(done.error());
  return made;
}

std::expected<void, std::string> HostNetwork::add(const Host& host) {
  int ready[2];
  if (::pipe2(ready, O_CLOEXEC) != 0) return why("pipe");
  const FileDescriptor read_end(ready[0]);
  FileDescriptor write_end(ready[1]);
  const pid_t parent = ::getpid();
  const pid_t keeper = ::fork();
  if (keeper < 0) return why("fork");
  if (keeper == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const char yes = 1;
    if (::getppid() == parent && ::unshare(CLONE_NEWNET) == 0 &&
        ::write(write_end.get(), &yes, 1) == 1) {
      for (;;) ::pause();
    }
    ::_exit(1);
  }
  keepers_[host.name] = keeper;
  write_end.reset();
  char yes = 0;
  if (::read(read_end.get(), &yes, 1) != 1) {
    return std::unexpected("no network namespace for host " + host.name);
  }
  return must("ip link add " + cable(host.name) + " type veth peer name eth0 netns " +
              std::to_string(keeper) + " && ip link set " + cable(host.name) +
              " master bridge0 up && " + on(host.name) + "ip link set lo up && " + on(host.name) +
              "ip address add " + host.address + "/24 dev eth0 && " + on(host.name) +
              "ip link set eth0 up");
}

HostNetwork::~HostNetwork() {
  for (const auto& [host, keeper] : keepers_) {
    ::kill(keeper, SIGKILL);
    ::waitpid(keeper, nullptr, 0);
  }
}

std::string HostNetwork::on(const std::string& host) const {
  return "nsenter --net=/proc/" + std::to_string(keepers_.at(host)) + "/ns/net ";
}

std::expected<void, std::string> HostNetwork::cut(const std::string& host) const {
  return must("ip link set " + cable(host) + " down");
}

std::expected<void, std::string> HostNetwork::join(const std::string& host) const {
  return must("ip link set " + cable(host) + " up");
}

std::vector<pid_t> HostNetwork::processes(const std::string& host) const {
  const pid_t keeper = keepers_.at(host);
  std::error_code error;
  const fs::path own = fs::read_symlink("/proc/" + std::to_string(keeper) + "/ns/net", error);
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != name.npos) continue;
    std::error_code gone;
    const pid_t pid = std::stoi(name);
    if (pid != keeper && fs::read_symlink(entry.path() / "ns/net", gone) == own && !gone) {
      found.push_back(pid);
    }
  }
  return found;
}

}  // namespace coterie::test
