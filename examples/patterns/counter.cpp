// Counter, the quick start: a process that keeps a number and answers by name.
//
// The idea: client functions, which run in the caller's process, hide the messages; handlers, which
// run in the server's, are the only ones to touch the state. OTP's rule: a server takes one message
// after the other, so the state needs no lock. What C++ adds: call() knows the reply's type, and a
// message that is listed but has no handler does not compile.

#include <iostream>

#include <coterie/gen_server.hpp>
#include <coterie/node.hpp>

using namespace coterie;

class Counter final : public GenServer {
 public:
  // Client: runs in the caller's process.
  static auto start_link(std::int64_t initial = 0) {
    return GenServer::start_link<Counter>({.name = local("counter")}, initial);
  }
  static std::int64_t increment() { return call<Counter>(local("counter"), Increment{}).value(); }
  static std::int64_t get() { return call<Counter>(local("counter"), Get{}).value(); }
  static void reset() { cast<Counter>(local("counter"), Reset{}); }

  // The protocol.
  struct Increment {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "counter.increment";
  };
  struct Get {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "counter.get";
  };
  struct Reset {
    static constexpr std::string_view type_name = "counter.reset";
  };
  using Calls = Messages<Increment, Get>;
  using Casts = Messages<Reset>;

  // Server: runs in the counter's process.
  explicit Counter(std::int64_t initial) : count_(initial) {}
  std::int64_t handle_call(const Increment&) { return ++count_; }
  std::int64_t handle_call(const Get&) { return count_; }
  void handle_cast(const Reset&) { count_ = 0; }

 private:
  std::int64_t count_;
};

int main() {
  std::cout << std::boolalpha;
  Node node;
  auto self = node.attach();  // main is a process now: it can call, send and receive

  const Pid pid = Counter::start_link(0).value();
  std::cout << "increment: " << Counter::increment() << "\n";
  std::cout << "increment: " << Counter::increment() << "\n";
  std::cout << "get: " << Counter::get() << "\n";
  Counter::reset();  // a cast: nobody waits, yet the get below comes after it
  std::cout << "reset, get: " << Counter::get() << "\n";

  const auto second = Counter::start_link(0);
  std::cout << "a second one of that name: already_started is "
            << (second.error().code == StartError::Code::already_started)
            << ", by the first: " << (second.error().holder == pid) << "\n";

  GenServer::stop(pid, ExitReason::normal(), infinity).value();
  const auto gone = call<Counter>(local("counter"), Counter::Get{});
  std::cout << "after stop: " << to_string(gone.error().code())
            << ", may have run: " << gone.error().maybe_executed() << "\n";
}
