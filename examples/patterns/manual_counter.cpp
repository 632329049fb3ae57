// ManualCounter: the counter from spawn, send and receive, what is wrong with it, and the cure.
//
// The idea: whoever asks sends its pid along and waits for {reply, Value}. The bug: nothing says
// which question a reply answers. One that comes after its timeout stays in the mailbox and is
// taken for the answer to the next question, and from then on every answer is one too late.
// OTP's rule: a request carries a reference, its reply repeats it, and the receive takes no other.
// GenServer's call does that; besides, it drops late replies before they reach the mailbox.

#include <iostream>
#include <optional>

#include <coterie/node.hpp>
#include <coterie/process.hpp>

using namespace coterie;
using namespace std::chrono_literals;

struct Increment {
  Pid caller;
  Ref ref = Ref::none;  // the naive client leaves it out
};
struct Get {
  Pid caller;
  Ref ref = Ref::none;
};
struct Reply {
  std::int64_t value = 0;
  Ref ref = Ref::none;
};
struct Stall {};  // from now on it takes nothing but Resume: it is slow for once
struct Resume {};

void loop(std::int64_t state) {
  for (;;) {
    receive(
        [&](const Increment& m) {
          state += 1;
          send(m.caller, Reply{state, m.ref});
        },
        [&](const Get& m) {
          send(m.caller, Reply{state, m.ref});
        },
        [&](const Stall&) { receive([](const Resume&) {}); });
  }
}

using Answer = std::optional<std::int64_t>;  // nothing: timeout

template <class Request>
Answer ask_naively(const Pid& counter, Duration timeout) {
  send(counter, Request{.caller = self()});
  return receive([](const Reply& reply) { return Answer(reply.value); },
                 after(timeout, [] { return Answer(); }));
}

template <class Request>
Answer ask(const Pid& counter, Duration timeout) {
  const Ref ref = monitor(counter);  // unique, and tells at once if the counter is dead
  send(counter, Request{.caller = self(), .ref = ref});
  const Answer answer = receive(when([ref](const Reply& reply) { return reply.ref == ref; },
                                     [](const Reply& reply) { return Answer(reply.value); }),
                                when([ref](const Down& down) { return down.ref == ref; },
                                     [](const Down&) { return Answer(); }),
                                after(timeout, [] { return Answer(); }));
  demonitor(ref);
  return answer;
}

using Ask = Answer (*)(const Pid&, Duration);

/// Two increments, a get that is answered too late, and two more increments, which make it 4.
void use(Ask increment, Ask get) {
  const auto print = [](std::string_view what, Answer answer) {
    std::cout << "  " << what << ": " << (answer ? std::to_string(*answer) : "timeout") << "\n";
  };
  const Pid counter = spawn_link([] { loop(0); });
  print("increment", increment(counter, 5s));
  print("increment", increment(counter, 5s));
  send(counter, Stall{});
  print("get, while it stalls", get(counter, 10ms));
  send(counter, Resume{});
  print("increment to 3", increment(counter, 5s));
  print("increment to 4", increment(counter, 5s));
  const auto left = receive([](const Reply& reply) { return reply.value; });
  std::cout << "  left in the mailbox: " << left << "\n";
  unlink(counter);
  exit(counter, ExitReason::kill());
}

int main() {
  Node node;
  auto self = node.attach();
  std::cout << "Any reply is mine:\n";
  use(ask_naively<Increment>, ask_naively<Get>);
  std::cout << "Only the reply with my reference is:\n";
  use(ask<Increment>, ask<Get>);
}
