#include "node/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <system_error>

extern char** environ;

namespace coterie {
namespace {

constexpr std::string_view argument = "--under-guardian=";

std::string reason(const char* what, int error) {
  return std::string(what) + ": " + std::generic_category().message(error);
}

}  // namespace

std::expected<ChildProcess, std::string> ChildProcess::start(
    const std::vector<std::string>& arguments, const sigset_t& mask) {
  auto page = SharedPage::create();
  if (!page) return std::unexpected(page.error());
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(reason("pipe", errno));
  const FileDescriptor theirs(ends[0]);
  FileDescriptor ours(ends[1]);

  std::vector<std::string> words = arguments;
  words.push_back(std::string(argument) + std::to_string(page->descriptor()) + ',' +
                  std::to_string(theirs.get()));
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  // A descriptor duplicated onto itself stays open in the child; all others close.
  ::posix_spawn_file_actions_adddup2(&actions, page->descriptor(), page->descriptor());
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), theirs.get());
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  ::posix_spawnattr_setsigmask(&attributes, &mask);
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) return std::unexpected(reason("cannot start the node's process", error));
  return ChildProcess{pid, std::move(*page), std::move(ours)};
}

std::expected<std::optional<GuardianLink>, std::string> GuardianLink::take(
    std::vector<std::string>& arguments) {
  const auto found = std::ranges::find_if(
      arguments, [](const std::string& word) { return word.starts_with(argument); });
  if (found == arguments.end()) return std::nullopt;
  const std::string text = found->substr(argument.size());
  arguments.erase(found);
  int page = -1, life = -1;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, page);
  if (first.ec == std::errc{} && first.ptr != end && *first.ptr == ',') {
    const auto second = std::from_chars(first.ptr + 1, end, life);
    if (second.ec != std::errc{} || second.ptr != end) life = -1;
  }
  const std::string wrong =
      std::string(argument) + " is for the guardian only; start the program without it";
  if (page < 0 || life < 0 || ::fcntl(page, F_SETFD, FD_CLOEXEC) != 0 ||
      ::fcntl(life, F_SETFD, FD_CLOEXEC) != 0) {
    return std::unexpected(wrong);
  }
  FileDescriptor ours(life);
  auto attached = SharedPage::attach(FileDescriptor(page));
  if (!attached) return std::unexpected(wrong + " (" + attached.error() + ')');
  return GuardianLink(std::move(*attached), std::move(ours));
}

bool GuardianLink::guardian_alive() const noexcept {
  pollfd ask{life_.get(), 0, 0};
  return ::poll(&ask, 1, 0) <= 0 || (ask.revents & (POLLHUP | POLLERR)) == 0;
}

}  // namespace coterie
