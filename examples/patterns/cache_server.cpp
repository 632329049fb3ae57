// CacheServer: put is a cast, get a call, and a cache that nobody uses gives its memory back.
//
// The idea: after a minute without a message the cache hibernates. OTP's rule, which the original
// gets wrong in its comments: {reply, Value, State, 60000} is an idle timeout and nothing else. It
// sends Timeout to handle_info, any message cancels it, and it must be asked for again each time.
// Only the answer hibernate compacts memory: on the BEAM by a garbage collection, here by
// on_hibernate. The start option .hibernate_after does both without a line in the server.

#include <iostream>
#include <map>
#include <optional>

#include <coterie/gen_server.hpp>
#include <coterie/node.hpp>

using namespace coterie;
using namespace std::chrono_literals;

/// Sent to who wants to know when the cache sleeps.
struct Hibernated {};

class CacheServer final : public GenServer {
 public:
  using Value = std::optional<std::string>;
  static auto start_link(Duration idle, Pid watcher) {
    return GenServer::start_link<CacheServer>({.name = local("cache")}, idle, watcher);
  }
  static void put(std::string key, std::string value) {
    cast<CacheServer>(local("cache"), Put{std::move(key), std::move(value)});
  }
  static Value get(std::string key) {
    return call<CacheServer>(local("cache"), Get{std::move(key)}).value();
  }

  struct Put {
    static constexpr std::string_view type_name = "cache.put";
    std::string key;
    std::string value;
  };
  struct Get {
    using Reply = Value;
    static constexpr std::string_view type_name = "cache.get";
    std::string key;
  };
  using Calls = Messages<Get>;
  using Casts = Messages<Put>;
  using Infos = Messages<Timeout>;

  CacheServer(Duration idle, Pid watcher) : idle_(idle), watcher_(watcher) {}
  Init init() { return ok().timeout(idle_); }
  Next handle_cast(const Put& m) {
    cache_.insert_or_assign(m.key, m.value);
    return noreply().timeout(idle_);
  }
  Outcome<Value> handle_call(const Get& m) {
    const auto found = cache_.find(m.key);
    return reply(found == cache_.end() ? Value() : Value(found->second)).timeout(idle_);
  }
  Next handle_info(const Timeout&) {
    std::cout << "Cache idle, hibernating...\n";
    return noreply().hibernate();
  }
  void on_hibernate() { send(watcher_, Hibernated{}); }

 private:
  const Duration idle_;
  const Pid watcher_;
  std::map<std::string, std::string> cache_;
};

int main() {
  Node node;
  auto self = node.attach();
  const auto wait_until_idle = [] { receive([](const Hibernated&) {}); };

  std::cout << "start\n";
  CacheServer::start_link(20ms, coterie::self()).value();
  wait_until_idle();
  std::cout << "put\n";
  CacheServer::put("colour", "blue");
  wait_until_idle();
  std::cout << "get\n";
  const auto colour = CacheServer::get("colour");
  wait_until_idle();
  std::cout << "colour: " << colour.value_or("nil") << "\n";
  std::cout << "shape: " << CacheServer::get("shape").value_or("nil") << "\n";
}
