// SessionManager: one process per session, found by the session's id.
//
// The idea: many processes of one kind cannot have a name each in the source; a registry keeps
// names that are made at run time. OTP's rule: {via, Registry, {SessionRegistry, Id}} stands
// wherever a name does, a second process of that name is not started, and the name goes with its
// process, before anybody can see its end. With .scope = Scope::cluster the same registry resolves
// on every node of a cluster, and no other line changes.

#include <iostream>
#include <map>
#include <optional>

#include <coterie/gen_server.hpp>
#include <coterie/node.hpp>
#include <coterie/registry.hpp>

using namespace coterie;

class SessionManager final : public GenServer {
 public:
  static auto start_link(const std::string& session_id) {
    return GenServer::start_link<SessionManager>({.name = via_tuple(session_id)}, session_id);
  }
  static void put(const std::string& session_id, std::string key, std::string value) {
    call<SessionManager>(via_tuple(session_id), Put{std::move(key), std::move(value)}).value();
  }
  static auto get(const std::string& session_id, std::string key) {
    return call<SessionManager>(via_tuple(session_id), Get{std::move(key)});
  }
  static void stop(const std::string& session_id) {
    GenServer::stop(via_tuple(session_id), ExitReason::normal(), infinity).value();
  }

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
  using Calls = Messages<Put, Get>;

  explicit SessionManager(std::string session_id) : session_id_(std::move(session_id)) {}
  void handle_call(const Put& m) { values_.insert_or_assign(m.key, m.value); }
  std::optional<std::string> handle_call(const Get& m) {
    const auto found = values_.find(m.key);
    return found == values_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  static ViaName via_tuple(const std::string& session_id) {
    return via("SessionRegistry", session_id);
  }

  const std::string session_id_;
  std::map<std::string, std::string> values_;
};

int main() {
  std::cout << std::boolalpha;
  Node node;
  auto self = node.attach();
  Registry::start_link({.name = "SessionRegistry"}).value();

  const Pid first = SessionManager::start_link("session-123").value();
  SessionManager::start_link("session-456").value();
  SessionManager::put("session-123", "user", "rodrigo");
  SessionManager::put("session-456", "user", "margot");
  for (const auto& id : {"session-123", "session-456"}) {
    std::cout << id << ": " << SessionManager::get(id, "user").value().value() << "\n";
  }

  const auto again = SessionManager::start_link("session-123");
  std::cout << "session-123 again: already started, by the first: "
            << (again.error().code == StartError::Code::already_started &&
                again.error().holder == first)
            << "\n";

  SessionManager::stop("session-123");
  std::cout << "session-123 after its stop: "
            << to_string(SessionManager::get("session-123", "user").error().code()) << "\n";
  SessionManager::start_link("session-123").value();
  std::cout << "session-123 started anew, has a user: "
            << SessionManager::get("session-123", "user").value().has_value() << "\n";
  std::cout << "sessions: " << Registry::count("SessionRegistry") << "\n";
}
