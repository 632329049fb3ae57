#include "node/state_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <system_error>

#include "process/write_all.hpp"

namespace coterie {
namespace {

// Far beyond what starts can reach, and far from an overflow.
constexpr std::uint64_t counter_limit = std::uint64_t{1} << 62;

constexpr const char* lock_name = "lock";
constexpr const char* file_name = "incarnation";
constexpr const char* new_file_name = "incarnation.new";

/// The first word of a small system file, fit for a record.
std::string first_word(const char* path) {
  const FileDescriptor file(::open(path, O_RDONLY | O_CLOEXEC));
  std::array<char, 64> buffer;
  const ssize_t got = file ? ::read(file.get(), buffer.data(), buffer.size()) : 0;
  std::string word;
  for (ssize_t i = 0; i < got; ++i) {
    const char c = buffer[static_cast<std::size_t>(i)];
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-') break;
    word += c;
  }
  return word;
}

/// A record filled up to its fixed length, so that nothing of a longer one before it is left.
std::string padded(const IncarnationRecord& record) {
  std::string text = write_record(record);
  text.resize(std::max(text.size(), IncarnationRecord::bytes_max), '\n');
  return text;
}

}  // namespace

MachineIdentity MachineIdentity::read() {
  return {first_word("/etc/machine-id"), first_word("/proc/sys/kernel/random/boot_id")};
}

StateError StateDirectory::failed(const std::string& what, int error) const {
  StateError result;
  result.message = "state directory " + path_.string() + ": " + what + ": " +
                   std::generic_category().message(error);
  switch (error) {
    case EROFS:
    case EACCES:
    case EPERM:
      result.code = StateError::Code::read_only;
      result.message += "; the node must be able to write there";
      break;
    case ENOSPC:
    case EDQUOT:
      result.code = StateError::Code::full;
      result.message += "; make room there (a few KiB are enough)";
      break;
    default:
      break;
  }
  return result;
}

StateDirectory::Result<std::unique_ptr<StateDirectory>> StateDirectory::open(
    const std::filesystem::path& path, Random& random, const MachineIdentity& machine) {
  std::unique_ptr<StateDirectory> state(new StateDirectory);
  state->path_ = path;
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return std::unexpected(state->failed("cannot be made", error.value()));
  state->directory_ = FileDescriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!state->directory_) return std::unexpected(state->failed("cannot be opened", errno));
  if (auto locked = state->lock(); !locked) return std::unexpected(locked.error());
  auto before = state->read();
  if (!before) return std::unexpected(before.error());

  struct stat status {};
  if (::fstat(state->lock_.get(), &status) != 0) {
    return std::unexpected(state->failed("cannot look at its lock", errno));
  }
  IncarnationRecord record;
  record.highest = *before ? (*before)->highest + 1 : 1;
  record.run.counter = record.highest;
  while (record.run.id == NodeId::none) record.run.id = NodeId{random.next()};
  record.device = status.st_dev;
  record.inode = status.st_ino;
  record.machine = machine.machine;
  record.boot = machine.boot;

  if (const auto& old = *before) {
    const bool same_place = old->device == record.device && old->inode == record.inode;
    const bool same_machine = !machine.machine.empty() && old->machine == machine.machine &&
                              !machine.boot.empty() && old->boot == machine.boot;
    if (same_place && same_machine) {
      state->proven_dead_ = old->run;
    } else {
      if (!state->remark_.empty()) state->remark_ += "; ";
      state->remark_ += same_place ? "the machine was booted since the previous run, or is another"
                                   : "the directory was copied or restored since the previous run";
      state->remark_ += ", so its lock does not prove that run dead";
    }
  }
  auto written = *before ? state->write(record) : state->create(record);
  if (!written) return std::unexpected(written.error());
  // At every start: the run that made the file may have died before its name was on disk.
  if (::fsync(state->directory_.get()) != 0) {
    return std::unexpected(state->failed("cannot be synced", errno));
  }
  return state;
}

StateDirectory::Result<void> StateDirectory::lock() {
  for (int attempt = 0; attempt < 8; ++attempt) {
    lock_ = FileDescriptor(
        ::openat(directory_.get(), lock_name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!lock_) return std::unexpected(failed("cannot open its lock", errno));
    if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return std::unexpected(failed("cannot be locked", errno));
      std::array<char, 32> text{};
      const ssize_t got = ::pread(lock_.get(), text.data(), text.size() - 1, 0);
      std::string pid(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
      pid = pid.substr(0, pid.find('\n'));
      StateError error;
      error.code = StateError::Code::locked;
      error.message = "state directory " + path_.string() + ": in use by a running node" +
                      (pid.empty() ? std::string() : " (pid " + pid + ")") +
                      "; stop that one, or give this node a directory of its own";
      return std::unexpected(std::move(error));
    }
    // Somebody may have removed the file between the two calls: then the lock is on nothing.
    struct stat held {
    }, there{};
    if (::fstat(lock_.get(), &held) == 0 &&
        ::fstatat(directory_.get(), lock_name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
        held.st_dev == there.st_dev && held.st_ino == there.st_ino) {
      const std::string pid = std::to_string(::getpid()) + '\n';
      int error = write_all(lock_.get(), pid, 0);
      if (error == 0 && ::ftruncate(lock_.get(), static_cast<off_t>(pid.size())) != 0)
        error = errno;
      if (error != 0) return std::unexpected(failed("cannot write its lock", error));
      return {};
    }
  }
  return std::unexpected(failed("its lock is removed again and again", EBUSY));
}

StateDirectory::Result<std::optional<IncarnationRecord>> StateDirectory::read() {
  file_ = FileDescriptor(::openat(directory_.get(), file_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!file_) {
    if (errno == ENOENT) return std::nullopt;
    return std::unexpected(failed("cannot open its incarnation file", errno));
  }
  std::optional<IncarnationRecord> best;
  int damaged = 0;
  for (const std::size_t offset : {std::size_t{0}, IncarnationRecord::copy_offset}) {
    std::array<char, IncarnationRecord::bytes_max> buffer;
    const ssize_t got =
        ::pread(file_.get(), buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (got < 0 && errno != EIO) {
      return std::unexpected(failed("cannot read its incarnation file", errno));
    }
    const auto record =
        read_record({buffer.data(), got > 0 ? static_cast<std::size_t>(got) : std::size_t{0}});
    if (record) {
      if (!best || record->highest > best->highest) best = *record;
    } else if (record.error() == RecordProblem::newer) {
      StateError error{StateError::Code::newer,
                       "state directory " + path_.string() +
                           ": written by a later version of coterie; run that one"};
      return std::unexpected(std::move(error));
    } else {
      ++damaged;
      first_copy_ = offset;
    }
  }
  if (!best) {
    StateError error{StateError::Code::corrupt,
                     "state directory " + path_.string() + ": neither copy of the counter in " +
                         file_name +
                         " can be read; restore the file, or remove it to start as a new node "
                         "(the cluster then raises the counter)"};
    return std::unexpected(std::move(error));
  }
  if (damaged != 0) remark_ = "one of the two copies of the counter was damaged and is repaired";
  return best;
}

StateDirectory::Result<void> StateDirectory::create(const IncarnationRecord& record) {
  // Under another name first: the file is there whole, or not at all.
  file_ = FileDescriptor(::openat(directory_.get(), new_file_name,
                                  O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!file_) return std::unexpected(failed("cannot make its incarnation file", errno));
  if (auto written = write(record); !written) {
    ::unlinkat(directory_.get(), new_file_name, 0);
    return written;
  }
  if (::renameat(directory_.get(), new_file_name, directory_.get(), file_name) != 0) {
    return std::unexpected(failed("cannot name its incarnation file", errno));
  }
  return {};
}

StateDirectory::Result<void> StateDirectory::write(const IncarnationRecord& record) {
  // The second copy is touched only when the first is safe, and the caller goes on only when both
  // are: see incarnation_record.hpp. A damaged copy goes first, while the other is whole.
  for (const std::size_t offset : {first_copy_, IncarnationRecord::copy_offset - first_copy_}) {
    int error = write_all(file_.get(), padded(record), offset);
    if (error == 0 && ::fsync(file_.get()) != 0) error = errno;
    if (error != 0) return std::unexpected(failed("cannot write its incarnation file", error));
  }
  record_ = record;
  return {};
}

StateDirectory::Result<void> StateDirectory::raise_to(std::uint64_t counter) {
  if (counter <= record_.highest) return {};
  if (counter >= counter_limit) {
    return std::unexpected(
        failed("told to raise its counter to " + std::to_string(counter), ERANGE));
  }
  IncarnationRecord raised = record_;
  raised.highest = counter;
  return write(raised);
}

}  // namespace coterie
