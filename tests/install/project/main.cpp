// A user's program: it sees only what is installed. It fails if a line of the log is not written,
// so the archive and the libraries behind it are linked and work.

#include <coterie/log.hpp>
#include <coterie/pid.hpp>
#include <cstdio>

namespace {

class StoppedClock final : public coterie::Clock {
 public:
  coterie::Time now() const noexcept override { return coterie::Time{}; }
  coterie::WallTime wall() const noexcept override { return coterie::WallTime{}; }
};

}  // namespace

int main() {
  const auto sink = coterie::open_log({.format = coterie::LogFormat::json});
  if (!sink) {
    std::fprintf(stderr, "%s\n", sink.error().c_str());
    return 1;
  }
  StoppedClock clock;
  coterie::Log log(**sink, clock, "hello");
  log.info(coterie::LogModule::application, "linked",
           {{"pid", coterie::Pid{coterie::NodeId::none, 1}}});
  return log.lost() == 0 ? 0 : 1;
}
