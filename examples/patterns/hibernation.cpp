// Hibernation of a plain process: one that waits in the middle of its work keeps its stack for
// hours; one that hibernates gives it back, and the next message begins a function anew.
//
// OTP's rule (erlang:hibernate/3): the call stack is dropped, so what must be kept is handed to the
// next function. Here as well, and destructors run on the way. A GenServer that is idle has no
// stack in any case: it only tells its state, by on_hibernate, to shrink. How many bytes it was
// differs from compiler to compiler, and goes to standard error.

#include <array>
#include <iostream>

#include <coterie/node.hpp>
#include <coterie/process.hpp>

using namespace coterie;

struct Page {
  int number = 0;
};

int read_page() {
  return receive([](const Page& page) { return page.number; });
}

/// Works its way down, as parsers and drivers do, and waits at the bottom.
int parse(int depth) {
  std::array<volatile char, 4096> buffer{};
  buffer[0] = 1;
  return (depth == 0 ? read_page() : parse(depth - 1)) + buffer[0] - 1;
}

void report(const Pid& main, int sum);

void sleep_well(const Pid& main, int sum) {
  hibernate([main, sum] { report(main, sum + read_page()); });
}
void report(const Pid& main, int sum) {
  send(main, Page{sum});
  sleep_well(main, sum);
}

int main() {
  Node node;
  const auto attached = node.attach();
  const Pid reader = spawn([main = self()] { sleep_well(main, parse(12)); });
  const auto bytes = [reader] { return info(reader)->memory; };
  const auto wait_until = [reader](Status status) {
    while (info(reader)->status != status) yield();
  };
  wait_until(Status::waiting);
  const std::size_t waiting = bytes();
  send(reader, Page{40});
  wait_until(Status::hibernating);
  const std::size_t asleep = bytes();
  std::cout << "waiting at depth 12: " << (waiting > 48'000 ? "more" : "less")
            << " than 48000 bytes\n"
            << "hibernating:         " << (asleep < 1'000 ? "less" : "more")
            << " than 1000 bytes\n";
  std::cerr << waiting << " bytes waiting, " << asleep << " hibernating\n";
  send(reader, Page{2});
  std::cout << "it wakes, and remembers: " << receive([](const Page& page) { return page.number; })
            << '\n';
}
