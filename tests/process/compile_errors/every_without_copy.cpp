// expect: no matching function for call to ‘every(
#include <memory>

#include <coterie/process.hpp>

struct Tick {
  std::unique_ptr<int> n;
};

auto often(coterie::Pid pid) { return coterie::every(std::chrono::seconds(1), pid, Tick{}); }
