// Session store of a web server: one process per visitor, which ends by itself when nobody comes.
//
// The idea: a session is state with a lifetime, so it is a process whose idle timeout ends it; no
// sweeper walks over a table. OTP's rule: each answer asks for the timeout again, and a process
// that ends with {shutdown, expired} has not failed: its temporary child is not started again. One
// bad session crashes alone.

#include <iostream>
#include <map>
#include <optional>

#include <coterie/dynamic_supervisor.hpp>
#include <coterie/node.hpp>
#include <coterie/registry.hpp>

using namespace coterie;
using namespace std::chrono_literals;

class Session final : public GenServer {
 public:
  struct Put {
    using Reply = void;
    static constexpr std::string_view type_name = "session.put";
    std::string key;
    std::string value;
  };
  struct Get {
    using Reply = std::optional<std::string>;
    static constexpr std::string_view type_name = "session.get";
    std::string key;
  };
  struct Expire {
    using Reply = void;
    static constexpr std::string_view type_name = "session.expire";
    Duration after{};
  };
  using Calls = Messages<Put, Get, Expire>;
  using Infos = Messages<Timeout>;

  Init init() { return ok().timeout(lifetime_); }
  Outcome<Nothing> handle_call(const Put& m) {
    values_.insert_or_assign(m.key, m.value);
    return reply(Nothing()).timeout(lifetime_);
  }
  Outcome<std::optional<std::string>> handle_call(const Get& m) {
    const auto found = values_.find(m.key);
    auto value = found == values_.end() ? std::nullopt : std::optional(found->second);
    return reply(std::move(value)).timeout(lifetime_);
  }
  Outcome<Nothing> handle_call(const Expire& m) {
    return reply(Nothing()).timeout(lifetime_ = m.after);
  }
  Next handle_info(const Timeout&) { return stop(ExitReason::shutdown("expired")); }

 private:
  Duration lifetime_ = 30min;
  std::map<std::string, std::string> values_;
};

namespace sessions {

ViaName name(const std::string& token) { return via("sessions", token); }

void start_link() {
  Registry::start_link({.name = "sessions"}).value();
  DynamicSupervisor::start_link({.name = local("session_supervisor"), .max_children = 10'000})
      .value();
}
void open(const std::string& token) {
  auto spec = child<Session>("", {.name = name(token)});
  spec.restart = Restart::temporary;
  DynamicSupervisor::start_child(local("session_supervisor"), std::move(spec)).value();
}
void put(const std::string& token, std::string key, std::string value) {
  call<Session>(name(token), Session::Put{std::move(key), std::move(value)}).value();
}
std::string get(const std::string& token, std::string key) {
  const auto value = call<Session>(name(token), Session::Get{std::move(key)});
  if (!value) return "no such session";
  return value->value_or("nothing");
}

}  // namespace sessions

int main() {
  Node node;
  auto self = node.attach();
  sessions::start_link();
  for (const auto& token : {"ada", "bob"}) {
    sessions::open(token);
    sessions::put(token, "cart", std::string("books of ") + token);
  }
  const auto print = [](const std::string& token) {
    std::cout << token << ": " << sessions::get(token, "cart") << "\n";
  };
  print("ada");
  print("bob");

  const Ref end = monitor(sessions::name("bob"));
  call<Session>(sessions::name("bob"), Session::Expire{.after = 10ms}).value();
  receive(when(
      [end](const Down& down) { return down.ref == end; },
      [](const Down& down) { std::cout << "bob's ended: " << to_string(down.reason) << "\n"; }));
  print("ada");
  print("bob");
  std::cout << "open: " << Registry::count("sessions") << "\n";
}
