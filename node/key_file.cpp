#include "node/key_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "node/file_descriptor.hpp"
#include "process/write_all.hpp"

namespace coterie {
namespace {

constexpr std::size_t file_bytes_max = 4096;

std::string reason(int error) { return std::generic_category().message(error); }

std::string text_of(const CurveKeys& keys) {
  return "# A private key of coterie. Whoever has it is the node or the client that it stands "
         "for:\n"
         "# leave its mode at 0600, and keep it out of repositories and backups that others read.\n"
         "public = \"" +
         keys.public_key + "\"\nsecret = \"" + keys.secret_key + "\"\n";
}

/// Why that file is no place for a secret; empty: it is one.
std::string wrong_owner_or_mode(const struct stat& file) {
  if (!S_ISREG(file.st_mode)) return "expected a file, found something else";
  if ((file.st_mode & 077) != 0) {
    std::array<char, 8> mode{};
    std::snprintf(mode.data(), mode.size(), "%04o", file.st_mode & 07777u);
    return "expected a private key that its owner alone can read (mode 0600), found mode " +
           std::string(mode.data()) +
           "; run chmod 600 on it, and make another key if somebody else may have read it";
  }
  if (::geteuid() != 0 && file.st_uid != ::geteuid()) {
    return "expected a private key of the user who runs this program, found one of user " +
           std::to_string(file.st_uid) + "; chown it";
  }
  return {};
}

}  // namespace

std::expected<CurveKeys, std::string> parse_key_file(std::string_view text) {
  CurveKeys keys;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (line.empty() || line.front() == '#') continue;
    const auto value = [&](std::string_view key) -> std::string {
      const std::string head = std::string(key) + " = \"";
      if (!line.starts_with(head) || !line.ends_with('"')) return {};
      if (line.size() != head.size() + 41) return {};
      return std::string(line.substr(head.size(), 40));
    };
    if (std::string found = value("public"); !found.empty()) {
      keys.public_key = std::move(found);
    } else if (found = value("secret"); !found.empty()) {
      keys.secret_key = std::move(found);
    } else {
      return std::unexpected(
          "expected the lines public = \"...\" and secret = \"...\" of 40 "
          "characters each, found another; make one with `coterie keygen`");
    }
  }
  if (keys.secret_key.empty() || keys.public_key.empty()) {
    return std::unexpected("expected a public and a secret key, found " +
                           std::string(keys.secret_key.empty() ? "no secret" : "no public") +
                           " one; make both with `coterie keygen`");
  }
  if (curve_public_key(keys.secret_key) != keys.public_key) {
    return std::unexpected(
        "its public key is not that of its secret key: the file is damaged; make another with "
        "`coterie keygen`");
  }
  return keys;
}

std::expected<CurveKeys, std::string> make_key_file(const std::string& path) {
  CurveKeys keys = make_curve_keys();
  const FileDescriptor file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file && errno == EEXIST) {
    return std::unexpected(path +
                           ": it exists, and a key is never overwritten; choose another name");
  }
  if (!file) return std::unexpected(path + ": cannot be made: " + reason(errno));
  int error = write_all(file.get(), text_of(keys), 0);
  if (error == 0 && ::fsync(file.get()) != 0) error = errno;
  if (error != 0) {
    ::unlink(path.c_str());  // half a key is no key
    return std::unexpected(path + ": cannot be written: " + reason(error));
  }
  return keys;
}

std::expected<CurveKeys, std::string> read_key_file(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    return std::unexpected(path + ": expected a private key, found none that can be read (" +
                           reason(errno) + "); make one with `coterie keygen " + path + "`");
  }
  struct stat found {};
  if (::fstat(file.get(), &found) != 0) return std::unexpected(path + ": " + reason(errno));
  if (std::string wrong = wrong_owner_or_mode(found); !wrong.empty()) {
    return std::unexpected(path + ": " + std::move(wrong));
  }
  std::string text(file_bytes_max, '\0');
  const ssize_t size = ::read(file.get(), text.data(), text.size());
  if (size < 0) return std::unexpected(path + ": cannot be read: " + reason(errno));
  text.resize(static_cast<std::size_t>(size));
  auto keys = parse_key_file(text);
  if (!keys) return std::unexpected(path + ": " + keys.error());
  return keys;
}

}  // namespace coterie
