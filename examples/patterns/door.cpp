// Door: a machine whose answer to a message depends on the state it is in.
//
// The idea: closed, open and locked are types, and what is known only in one of them, the code of a
// locked door, is a member of that one. OTP's rule (gen_statem): a state timeout ends with its
// state; what a state cannot handle yet is postponed and comes again after the next change. What
// coterie adds: a pair of state and message without a handler does not compile.

#include <iostream>

#include <coterie/gen_statem.hpp>
#include <coterie/node.hpp>

using namespace coterie;
using namespace std::chrono_literals;

class Door final : public GenStatem<Door> {
 public:
  static auto start_link(Pid watcher) {
    return GenServer::start_link<Door>({.name = local("door")}, watcher);
  }
  static bool open() { return GenServer::call(local("door"), Open{}).value(); }
  static void lock(std::string code) { GenServer::cast(local("door"), Lock{std::move(code)}); }
  static bool unlock(std::string code) {
    return GenServer::call(local("door"), Unlock{std::move(code)}).value();
  }
  /// Sent at each change to who watches.
  struct Changed {
    std::string to;
  };

  struct Closed {};
  struct Opened {};
  struct Locked {
    std::string code;
    int wrong = 0;
  };
  using States = OneOf<Closed, Opened, Locked>;

  struct Open {
    using Reply = bool;
  };
  struct Lock {
    std::string code;
  };
  struct Unlock {
    using Reply = bool;
    std::string code;
  };
  struct FallShut {};
  using Calls = Messages<Open, Unlock>;
  using Casts = Messages<Lock>;
  using Events = Messages<FallShut>;

  explicit Door(Pid watcher) : watcher_(watcher) {}

  void enter(Closed&) { send(watcher_, Changed{"closed"}); }
  void enter(Opened&) { send(watcher_, Changed{"open"}); }
  void enter(Locked&) { send(watcher_, Changed{"locked"}); }

  To<Opened> handle_event(Closed&, const Open&, From<Open> from) {
    return next_state(Opened{}).state_timeout(50ms, FallShut{}).reply(from, true);
  }
  To<Locked> handle_event(Closed&, const Lock& m) { return next_state(Locked{m.code}); }

  To<Closed> handle_event(Opened&, const FallShut&) { return next_state(Closed{}); }
  To<> handle_event(Opened&, const Lock&) { return postpone(); }  // once it has fallen shut

  To<Closed> handle_event(Locked& locked, const Unlock& m, From<Unlock> from) {
    const bool right = m.code == locked.code;
    if (!right && ++locked.wrong == 3) std::cout << "three wrong codes\n";
    GenServer::reply(from, right);
    if (right) return next_state(Closed{});
    return keep_state();
  }
  void handle_event(Locked&, const Lock&) {}

  // In every state that has no handler of its own.
  bool handle_event(const Open&) { return false; }
  bool handle_event(const Unlock&) { return true; }

 private:
  Pid watcher_;
};

int main() {
  Node node;
  auto self = node.attach();
  Door::start_link(self.pid()).value();
  const auto wait_until = [](const std::string& state) {
    receive(when([&](const Door::Changed& change) { return change.to == state; },
                 [](const Door::Changed& change) { std::cout << change.to << '\n'; }));
  };
  std::cout << std::boolalpha;
  wait_until("closed");
  std::cout << "open it: " << Door::open() << '\n';
  wait_until("open");
  Door::lock("1234");  // waits until the door has fallen shut
  wait_until("closed");
  wait_until("locked");
  std::cout << "open it: " << Door::open() << '\n';
  for (const char* code : {"0000", "1111", "2222", "1234"}) {
    const bool unlocked = Door::unlock(code);
    std::cout << "unlock with " << code << ": " << unlocked << '\n';
  }
  wait_until("closed");
  std::cout << "open it: " << Door::open() << '\n';
}
