#include "node/pid_file.hpp"

#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "node/file_descriptor.hpp"

namespace coterie {

std::string PidFile::write(pid_t pid) {
  const std::string text = std::to_string(pid) + '\n';
  const std::string next = path_.string() + ".new";
  const auto failed = [&] {
    return path_.string() + ": " + std::generic_category().message(errno);
  };
  {
    const FileDescriptor file(::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!file) return failed();
    if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      std::string why = failed();
      ::unlink(next.c_str());
      return why;
    }
  }
  if (::rename(next.c_str(), path_.c_str()) != 0) return failed();
  written_ = true;
  return {};
}

void PidFile::remove() noexcept {
  if (written_) ::unlink(path_.c_str());
  written_ = false;
}

}  // namespace coterie
