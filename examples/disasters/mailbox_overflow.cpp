// Disaster: mailbox overflow. A million sends to a process that does not keep up.
//
// The idea: send never waits and never fails, so a fast sender fills the memory of a slow receiver;
// and if the receiver answers each message, of a sender that never looks at the answers. OTP's
// rule: a mailbox has no bound, the node runs out of memory and all of it dies. Here every mailbox
// has one (a million messages or 256 MiB unless its process says otherwise). At an eighth of it the
// log raises an alarm and senders slow down; at the bound casts and sends are refused and counted,
// and a call is told so.

#include <atomic>
#include <iostream>

#include <coterie/call.hpp>
#include <coterie/node.hpp>
#include <coterie/process.hpp>

using namespace coterie;

constexpr int a_million = 1'000'000;
constexpr MailboxLimits bound{.messages = 10'000};

struct Increment {
  Pid caller;
};
struct Value {
  std::int64_t value = 0;
};
struct Stop {};
struct Get {
  using Reply = std::int64_t;
};

void flood(const Pid& counter) {
  for (int i = 0; i < a_million; ++i) send(counter, Increment{self()});
}

int main() {
  Node node;
  auto self = node.attach();
  const Pid main = coterie::self();
  const auto waiting = [] { return receive([](std::size_t count) { return count; }); };

  std::cout << "The receiver's mailbox:\n";
  std::atomic<bool> stalled = true;
  const Pid slow = spawn(
      [&stalled, main] {
        blocking([&stalled] { stalled.wait(true); });  // busy with something else
        send(main, info().message_queue_length);
      },
      {.mailbox = bound});
  const auto flooding = spawn_monitor([slow] { flood(slow); });
  receive(when([&](const Down& down) { return down.ref == flooding.second; }, [](const Down&) {}));
  const auto refused = call(slow, Get{});
  std::cout << "  a call to it: " << to_string(refused.error().code()) << ", "
            << to_string(refused.error().execution()) << "\n";
  stalled = false;
  stalled.notify_one();
  std::cout << "  of " << a_million << " sends it has " << waiting() << " waiting\n";

  std::cout << "The sender's, with the replies that it never reads:\n";
  const Pid counter = spawn([count = std::int64_t{0}]() mutable {
    for (bool go_on = true; go_on;) {
      receive([&](const Increment& m) { send(m.caller, Value{++count}); },
              [&](const Stop&) { go_on = false; });
    }
  });
  spawn(
      [counter, main] {
        const Ref end = monitor(counter);
        flood(counter);
        send(counter, Stop{});  // it has answered all of them by then
        receive(when([end](const Down& down) { return down.ref == end; }, [](const Down&) {}));
        send(main, info().message_queue_length);
      },
      {.mailbox = bound});
  std::cout << "  of " << a_million << " replies it has " << waiting() << " waiting\n";
}
