#pragma once
// A private PostgreSQL on one of a HostNetwork's hosts, reachable by all of them, as the cluster
// file names it: its port, user and database. A process of its own stops it and clears its folder
// when this program ends, however it does.

#include <expected>
#include <filesystem>
#include <memory>
#include <string>

#include "node/file_descriptor.hpp"
#include "tests/failover/host_network.hpp"

namespace coterie::test {

class HostDatabase final {
 public:
  /// `folder` exists and may be entered by everybody; it goes away with the object.
  static std::expected<std::unique_ptr<HostDatabase>, std::string> make(
      const HostNetwork& network, std::string host, std::filesystem::path folder);
  ~HostDatabase();

  std::expected<void, std::string> start() const;
  /// As a crash of the server: nobody is told good-bye.
  std::expected<void, std::string> stop() const;

 private:
  HostDatabase(const HostNetwork& network, std::string host, std::filesystem::path folder)
      : network_(network), host_(std::move(host)), folder_(std::move(folder)) {}
  std::expected<void, std::string> set_up();
  std::expected<void, std::string> watch_over();
  std::string script(const std::string& words) const;
  std::string path(const std::string& file) const { return quoted((folder_ / file).string()); }

  const HostNetwork& network_;
  const std::string host_;
  const std::filesystem::path folder_;
  FileDescriptor life_;  // its far end is read by the process that clears up
  pid_t sweeper_ = 0;
};

}  // namespace coterie::test
