// Chat rooms: a process group for each. Who is in a room may be on any node of a cluster.
//
// The idea: a room is not a process, only a name under which its visitors stand; whoever speaks
// sends to all of them. OTP's rule (pg): a member that ends, or whose node is gone, is no member
// any more, and nothing is agreed on, so a room works in each half of a cluster that has come apart
// and is one again afterwards. On a cluster the same program starts pg::child_spec("chat") on every
// node; here it is one node.

#include <iostream>

#include <coterie/gen_server.hpp>
#include <coterie/node.hpp>
#include <coterie/process_groups.hpp>
#include <coterie/supervisor.hpp>

using namespace coterie;

namespace chat {

struct Said {
  static constexpr std::string_view type_name = "chat.said";
  std::string who;
  std::string text;
};

void enter(const std::string& room) { pg::join("chat", room, self()); }
std::size_t say(const std::string& room, const std::string& who, const std::string& text) {
  const auto members = pg::get_members("chat", room);
  for (const Pid& pid : members) send(pid, Said{who, text});
  return members.size();
}

}  // namespace chat

class Visitor final : public GenServer {
 public:
  struct Heard {
    using Reply = std::vector<std::string>;
    static constexpr std::string_view type_name = "visitor.heard";
  };
  using Calls = Messages<Heard>;
  using Infos = Messages<chat::Said>;

  explicit Visitor(std::vector<std::string> rooms) : rooms_(std::move(rooms)) {}
  void init() {
    for (const std::string& room : rooms_) chat::enter(room);
  }
  void handle_info(const chat::Said& said) { heard_.push_back(said.who + ": " + said.text); }
  std::vector<std::string> handle_call(const Heard&) { return heard_; }

 private:
  const std::vector<std::string> rooms_;
  std::vector<std::string> heard_;
};

int main() {
  Node node;
  auto self = node.attach();
  const Pid top = Supervisor::start_link({pg::child_spec("chat")}).value();
  const auto [all_rooms, rooms] = pg::monitor_scope("chat");
  const auto visitor = [](const std::string& name, std::vector<std::string> to) {
    return GenServer::start<Visitor>({.name = local(name)}, std::move(to)).value();
  };
  visitor("ann", {"cats"});
  const Pid bob = visitor("bob", {"cats", "dogs"});
  std::cout << "rooms:";
  for (const std::string& room : pg::which_groups("chat")) std::cout << ' ' << room;
  std::cout << "\ncats told " << chat::say("cats", "ann", "meow") << '\n';
  std::cout << "dogs told " << chat::say("dogs", "ann", "woof") << '\n';
  for (const std::string name : {"ann", "bob"}) {
    std::cout << name << " heard";
    const auto heard = GenServer::call(local(name), Visitor::Heard{}).value();
    for (const std::string& text : heard) std::cout << " [" << text << ']';
    std::cout << '\n';
  }
  for (int i = 0; i < 3; ++i) {
    receive([](const pg::Joined& m) { std::cout << "somebody came to " << m.group << '\n'; });
  }

  // Who dies has left; a watcher of the rooms hears when.
  exit(bob, ExitReason::kill());
  for (int i = 0; i < 2; ++i) {
    receive([](const pg::Left& m) { std::cout << "somebody left " << m.group << '\n'; });
  }
  std::cout << "cats told " << chat::say("cats", "ann", "anybody?") << '\n';
  std::cout << "dogs told " << chat::say("dogs", "ann", "anybody?") << '\n';
  pg::demonitor("chat", all_rooms);
  GenServer::stop(local("ann")).value();
  Supervisor::stop(top).value();
}
