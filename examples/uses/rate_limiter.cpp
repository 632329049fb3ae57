// Rate limiter: a token bucket in front of something that bears only so many requests.
//
// The idea: all callers share one bucket, and a process is the one place where it is counted; who
// finds it empty either hears no at once or waits in line. OTP's rule: a server that cannot answer
// yet keeps `from` and replies when it can, so waiting costs no thread and keeps the order. The
// bucket is refilled by a message that the server sends itself.

#include <deque>
#include <iostream>

#include <coterie/gen_server.hpp>
#include <coterie/node.hpp>

using namespace coterie;
using namespace std::chrono_literals;

class RateLimiter final : public GenServer {
 public:
  struct Options {
    int burst = 3;           // so many at once
    Duration interval = 1s;  // and then one each
  };

  /// Whether the caller may go on, answered at once.
  struct TryAcquire {
    using Reply = bool;
    static constexpr std::string_view type_name = "rate_limiter.try_acquire";
  };
  /// Answered when the caller may go on.
  struct Acquire {
    using Reply = void;
    static constexpr std::string_view type_name = "rate_limiter.acquire";
  };
  struct Refill {
    static constexpr std::string_view type_name = "rate_limiter.refill";
  };
  using Calls = Messages<TryAcquire, Acquire>;
  using Infos = Messages<Refill>;

  explicit RateLimiter(Options options) : options_(options), tokens_(options.burst) {}
  void init() { schedule_refill(); }

  bool handle_call(const TryAcquire&) {
    if (tokens_ == 0) return false;
    --tokens_;
    return true;
  }
  Outcome<Nothing> handle_call(const Acquire&, From<Acquire> from) {
    if (tokens_ > 0) {
      --tokens_;
      return reply(Nothing());
    }
    waiting_.push_back(from);
    return noreply();
  }
  void handle_info(const Refill&) {
    if (!waiting_.empty()) {
      waiting_.front().reply({});
      waiting_.pop_front();
    } else if (tokens_ < options_.burst) {
      ++tokens_;
    }
    schedule_refill();
  }

 private:
  void schedule_refill() { send_after(options_.interval, self(), Refill{}); }

  const Options options_;
  int tokens_;
  std::deque<From<Acquire>> waiting_;
};

int main() {
  Node node;
  auto self = node.attach();

  const Pid strict =
      GenServer::start_link<RateLimiter>({}, RateLimiter::Options{.burst = 3, .interval = 1h})
          .value();
  for (int i = 1; i <= 5; ++i) {
    const bool may = call<RateLimiter>(strict, RateLimiter::TryAcquire{}).value();
    std::cout << "request " << i << ": " << (may ? "200 OK" : "429 Too Many Requests") << "\n";
  }

  const Pid patient =
      GenServer::start_link<RateLimiter>({}, RateLimiter::Options{.burst = 1, .interval = 5ms})
          .value();
  for (int i = 1; i <= 4; ++i) {
    call<RateLimiter>(patient, RateLimiter::Acquire{}).value();
    std::cout << "patient request " << i << ": 200 OK\n";
  }
}
