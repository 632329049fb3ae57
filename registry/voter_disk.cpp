#include "registry/voter_disk.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "process/write_all.hpp"

namespace coterie {

FileVoterDisk::FileVoterDisk(std::string directory)
    : directory_(std::move(directory)), path_(directory_ + "/voter") {}

FileVoterDisk::~FileVoterDisk() {
  if (file_ >= 0) ::close(file_);
}

StorageResult<Bytes> FileVoterDisk::read() {
  if (file_ < 0) file_ = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
  if (file_ < 0 && errno == ENOENT) return Bytes();
  if (file_ < 0) return failed("open", errno);
  Bytes content(2 * VoterFile::copy_bytes, '\0');
  std::size_t size = 0;
  while (size < content.size()) {
    const ssize_t got =
        ::pread(file_, content.data() + size, content.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("read", errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  // A file that lost its content is not one that never was.
  content.resize(std::max<std::size_t>(size, 1));
  return content;
}

StorageResult<void> FileVoterDisk::create(BytesView content) {
  const std::string temporary = path_ + ".new";
  const int file =
      ::open(temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file < 0) return failed("make", errno);
  StorageResult<void> done = write_to(file, 0, content);
  if (done && ::fsync(file) != 0) done = failed("sync", errno);
  if (done && std::rename(temporary.c_str(), path_.c_str()) != 0) done = failed("rename", errno);
  if (!done) {
    ::close(file);
    return done;
  }
  file_ = file;
  const int directory = ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return failed("open the directory of", errno);
  if (::fsync(directory) != 0) done = failed("sync the directory of", errno);
  ::close(directory);
  return done;
}

StorageResult<void> FileVoterDisk::write(std::size_t offset, BytesView bytes) {
  return write_to(file_, offset, bytes);
}

StorageResult<void> FileVoterDisk::sync() {
  if (::fdatasync(file_) != 0) return failed("sync", errno);
  return {};
}

StorageResult<void> FileVoterDisk::write_to(int file, std::size_t offset, BytesView bytes) const {
  if (const int error = write_all(file, bytes, offset); error != 0) return failed("write", error);
  return {};
}

std::unexpected<StorageError> FileVoterDisk::failed(std::string_view what, int error) const {
  return std::unexpected(
      StorageError{.code = StorageError::Code::unavailable,
                   .message = "cannot " + std::string(what) + " the voter's file " + path_ + ": " +
                              std::generic_category().message(error) +
                              "; this node does not vote until it is started again and can"});
}

}  // namespace coterie
