#include "tests/failover/host_database.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coterie::test {
namespace {

std::expected<void, std::string> must(const std::string& command) {
  const Ended ended = run_shell(command);
  if (ended.exit_code == 0) return {};
  return std::unexpected(command + ": " + ended.output);
}

}  // namespace

std::expected<std::unique_ptr<HostDatabase>, std::string> HostDatabase::make(
    const HostNetwork& network, std::string host, std::filesystem::path folder) {
  std::unique_ptr<HostDatabase> made(new HostDatabase(network, std::move(host), std::move(folder)));
  auto done = made->watch_over();
  if (done) done = made->set_up();
  if (!done) return std::unexpected(done.error());
  return made;
}

std::expected<void, std::string> HostDatabase::watch_over() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::unexpected("pipe fails");
  const FileDescriptor far_end(ends[0]);
  life_ = FileDescriptor(ends[1]);
  const std::string sweep = "cat >/dev/null; " COTERIE_SOURCE_DIR "/tests/house/postgres.sh stop " +
                            path("pg") + " immediate; rm -rf " + quoted(folder_.string());
  sweeper_ = ::fork();
  if (sweeper_ < 0) return std::unexpected("fork fails");
  if (sweeper_ == 0) {
    ::setsid();  // whoever kills this program's group kills not this
    const int nothing = ::open("/dev/null", O_WRONLY);
    ::dup2(far_end.get(), 0);
    ::dup2(nothing, 1);
    ::dup2(nothing, 2);
    ::execl("/bin/sh", "sh", "-c", sweep.c_str(), nullptr);
    ::_exit(127);
  }
  return {};
}

std::expected<void, std::string> HostDatabase::set_up() {
  // Known to postgres.sh as a server that has its port already: that of the cluster file.
  auto done = must("mkdir -p " + path("pg") + " && echo 5432 >" + path("pg/port") + " && touch " +
                   path("pg/started"));
  if (done) done = start();
  if (done) {
    done = must("echo 'host all all 0.0.0.0/0 trust' >>" + path("pg/data/pg_hba.conf") +
                " && echo \"listen_addresses = '*'\" >>" + path("pg/data/postgresql.conf"));
  }
  if (done) {
    done = must("psql -q -h " + path("pg") +
                " -U postgres -c 'CREATE ROLE coterie LOGIN' -c 'CREATE DATABASE coterie OWNER "
                "coterie'");
  }
  if (done) done = must(script("restart"));
  return done;
}

HostDatabase::~HostDatabase() {
  life_.reset();
  if (sweeper_ > 0) ::waitpid(sweeper_, nullptr, 0);
}

std::string HostDatabase::script(const std::string& words) const {
  const std::size_t blank = words.find(' ');
  return network_.on(host_) + COTERIE_SOURCE_DIR "/tests/house/postgres.sh " +
         words.substr(0, blank) + ' ' + path("pg") +
         (blank == words.npos ? "" : words.substr(blank));
}

std::expected<void, std::string> HostDatabase::start() const { return must(script("start")); }
std::expected<void, std::string> HostDatabase::stop() const {
  return must(script("stop immediate"));
}

}  // namespace coterie::test
