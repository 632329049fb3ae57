#include "transport/zmq_resolver.hpp"

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "process/thread_start.hpp"
#include "transport/resolve.hpp"

namespace coterie {

struct ZmqResolver::State {
  struct Job {
    std::string host;
    Done done;
  };
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, Job> jobs;
  bool stopped = false;

  void run() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [this] { return stopped || !jobs.empty(); });
      if (stopped) return;
      Job job = std::move(jobs.begin()->second);
      jobs.erase(jobs.begin());
      lock.unlock();
      auto number = resolve_host(job.host);
      lock.lock();
      if (stopped) return;
      // Under the lock, so that no call can follow the destructor; it only posts.
      number ? job.done(std::move(*number), {}) : job.done({}, std::move(number.error()));
    }
  }
};

ZmqResolver::ZmqResolver() : state_(std::make_shared<State>()) {
  detail::start_thread("coterie-names", [state = state_] { state->run(); }).detach();
}

ZmqResolver::~ZmqResolver() {
  std::lock_guard lock(state_->mutex);
  state_->stopped = true;
  state_->changed.notify_all();
}

void ZmqResolver::resolve(const std::string& key, std::string host, Done done) {
  std::lock_guard lock(state_->mutex);
  state_->jobs[key] = {std::move(host), std::move(done)};
  state_->changed.notify_all();
}

}  // namespace coterie
