// Job queue: work that waits for its turn, in a few processes at a time, tried again when it fails.
//
// The idea: the queue itself never does the work, so it never crashes by it and always answers.
// OTP's rule: let it crash. Each job is a process of its own, and the monitor tells how it ended;
// what a crashed one held is gone with it. Jobs are data (a name), the work is the queue's.

#include <deque>
#include <functional>
#include <iostream>
#include <map>
#include <vector>

#include <coterie/gen_server.hpp>
#include <coterie/node.hpp>

using namespace coterie;

class JobQueue final : public GenServer {
 public:
  using Work = std::function<void(const std::string& job, int attempt)>;
  struct Options {
    Work work;
    std::size_t workers = 2;
    int attempts_max = 3;
  };

  struct Enqueue {
    static constexpr std::string_view type_name = "job_queue.enqueue";
    std::string job;
  };
  /// Answers when nothing waits and nothing runs: how each job ended.
  struct Drain {
    using Reply = std::map<std::string, std::string>;
    static constexpr std::string_view type_name = "job_queue.drain";
  };
  using Calls = Messages<Drain>;
  using Casts = Messages<Enqueue>;
  using Infos = Messages<Down>;

  explicit JobQueue(Options options) : options_(std::move(options)) {}

  void handle_cast(const Enqueue& m) {
    waiting_.push_back({m.job});
    go_on();
  }
  Next handle_call(const Drain&, From<Drain> from) {
    drains_.push_back(from);
    go_on();
    return noreply();
  }
  void handle_info(const Down& down) {
    Job job = std::move(running_.extract(down.ref).mapped());
    const std::string tries = std::to_string(job.attempt) + (job.attempt == 1 ? " try" : " tries");
    if (down.reason.is_clean()) {
      ended_[job.name] = "done after " + tries;
    } else if (job.attempt < options_.attempts_max) {
      waiting_.push_back(std::move(job));
    } else {
      ended_[job.name] = "given up after " + tries + ": " + down.reason.what();
    }
    go_on();
  }

 private:
  struct Job {
    std::string name;
    int attempt = 0;
  };

  void go_on() {
    while (running_.size() < options_.workers && !waiting_.empty()) {
      Job job = std::move(waiting_.front());
      waiting_.pop_front();
      ++job.attempt;
      const auto [pid, ref] =
          spawn_monitor([work = options_.work, job] { work(job.name, job.attempt); });
      running_.emplace(ref, std::move(job));
    }
    if (!running_.empty()) return;
    for (const auto& from : std::exchange(drains_, {})) from.reply(ended_);
  }

  const Options options_;
  std::deque<Job> waiting_;
  std::map<Ref, Job> running_;
  std::map<std::string, std::string> ended_;
  std::vector<From<Drain>> drains_;
};

int main() {
  Node node;
  auto self = node.attach();
  const auto send_mail = [](const std::string& to, int attempt) {
    if (to == "bob" && attempt < 3) throw std::runtime_error("greylisted");
    if (to == "nobody") throw std::runtime_error("no such mailbox");
  };
  const Pid queue =
      GenServer::start_link<JobQueue>({}, JobQueue::Options{.work = send_mail}).value();
  for (const auto& to : {"ada", "bob", "carol", "nobody"}) cast(queue, JobQueue::Enqueue{to});
  const auto jobs = call<JobQueue>(queue, JobQueue::Drain{}).value();
  for (const auto& [job, end] : jobs) std::cout << "mail to " << job << ": " << end << "\n";
}
