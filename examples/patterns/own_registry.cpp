// An own registry: names that follow rules of our own, wherever a name may stand.
//
// The idea: a chat room is the same room however its name is spelled, which no ready registry
// knows. OTP's rule: {via, Module, Term} asks any module that exports register_name,
// unregister_name and whereis_name. Here it is a class with these three functions, which are called
// by the processes that use a name, several at a time; unregister_name before anybody can see the
// process's end.

#include <algorithm>
#include <cctype>
#include <iostream>
#include <map>
#include <mutex>

#include <coterie/gen_server.hpp>
#include <coterie/node.hpp>
#include <coterie/via_registry.hpp>

using namespace coterie;

/// Upper and lower case are one.
class Rooms final : public ViaRegistry {
 public:
  std::optional<Pid> whereis_name(std::string_view key) override {
    const std::lock_guard guard(lock_);
    const auto found = rooms_.find(lower_case(key));
    return found == rooms_.end() ? std::nullopt : std::optional(found->second);
  }
  bool register_name(std::string_view key, const Pid& pid) override {
    const std::lock_guard guard(lock_);
    return rooms_.emplace(lower_case(key), pid).second;
  }
  void unregister_name(std::string_view key, const Pid& pid) override {
    const std::lock_guard guard(lock_);
    const auto found = rooms_.find(lower_case(key));
    if (found != rooms_.end() && found->second == pid) rooms_.erase(found);
  }

 private:
  static std::string lower_case(std::string_view key) {
    std::string lower(key);
    std::ranges::transform(lower, lower.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return lower;
  }

  std::mutex lock_;  // held for a moment only, never over a call of coterie
  std::map<std::string, Pid> rooms_;
};

class Room final : public GenServer {
 public:
  struct Say {
    using Reply = std::size_t;  // so many lines were said
    static constexpr std::string_view type_name = "room.say";
    std::string line;
  };
  using Calls = Messages<Say>;
  std::size_t handle_call(const Say&) { return ++lines_; }

 private:
  std::size_t lines_ = 0;
};

int main() {
  std::cout << std::boolalpha;
  Node node;
  auto self = node.attach();
  std::cout << "added: " << add_via_registry("rooms", std::make_shared<Rooms>()) << "\n";

  const Pid lobby = GenServer::start_link<Room>({.name = via("rooms", "Lobby")}).value();
  for (const auto& spelling : {"Lobby", "lobby", "LOBBY"}) {
    const auto lines = call<Room>(via("rooms", spelling), Room::Say{"hello"});
    std::cout << spelling << ": " << lines.value() << "\n";
  }

  const auto second = GenServer::start_link<Room>({.name = via("rooms", "lobbY")});
  std::cout << "a second lobbY: already started, by the first: "
            << (second.error().code == StartError::Code::already_started &&
                second.error().holder == lobby)
            << "\n";
  GenServer::stop(lobby, ExitReason::normal(), infinity).value();
  const auto gone = call<Room>(via("rooms", "lobby"), Room::Say{"anybody?"});
  std::cout << "after its stop: " << to_string(gone.error().code()) << "\n";
}
