#pragma once
// The jobs of blocking() that run now, on any thread. Shared between the runtime and each of them:
// one that would begin after the runtime has stopped is not run, so none finds the runtime gone.

#include <cstddef>
#include <mutex>

namespace coterie::detail {

class BlockingJobs {
 public:
  bool begin();  // false: too late
  void end();
  bool none() const;
  void close();

 private:
  mutable std::mutex lock_;
  std::size_t running_ = 0;
  bool closed_ = false;
};

}  // namespace coterie::detail
