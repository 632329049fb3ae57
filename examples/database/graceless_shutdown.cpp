// Disaster: graceless shutdown. A process is killed; are its database connections closed?
//
// The idea: a loop that closes its connections at its end never gets there when it is killed, and
// on the BEAM neither does terminate. OTP's rule: kill cannot be trapped, and no code of the
// process runs after it. In C++ code does run: a process's stack unwinds and its server is
// destroyed, whatever ended it, before anybody can see the end. So what owns a resource closes it
// in its destructor, and nothing leaks under stop, shutdown, crash or kill.

#include <iostream>
#include <vector>

#include <coterie/gen_server.hpp>
#include <coterie/node.hpp>

#include "examples/database/connection.hpp"

using namespace coterie;

constexpr int pool_size = 10;

struct Close {};

/// As one would write it in C: right, as long as the loop comes to its end.
void close_by_hand(const database::File& file, std::vector<sqlite3*>& connections, Pid starter) {
  for (int i = 0; i < pool_size; ++i) connections.push_back(database::open(file.name()));
  send(starter, std::string("open"));
  receive([](const Close&) {});
  for (sqlite3* each : connections) sqlite3_close(each);
}

/// Each connection closes itself.
class DatabasePool final : public GenServer {
 public:
  struct Corrupt {
    static constexpr std::string_view type_name = "database_pool.corrupt";
  };
  using Casts = Messages<Corrupt>;

  explicit DatabasePool(const std::string& url) {
    for (int i = 0; i < pool_size; ++i) connections_.emplace_back(url);
  }
  void handle_cast(const Corrupt&) { connections_.front().query("SELECT no_such_column"); }

 private:
  std::vector<database::Connection> connections_;
};

int main() {
  Node node;
  auto self = node.attach();
  const database::File file("graceless_shutdown.db");
  const auto print = [&file](std::string_view how, std::size_t opened, const Ref& end) {
    const auto reason = receive(when([end](const Down& down) { return down.ref == end; },
                                     [](const Down& down) { return down.reason; }));
    std::cout << how << ": " << opened << " opened, " << opened - file.open_descriptors()
              << " closed; ended with " << to_string(reason) << "\n";
  };

  std::vector<sqlite3*> connections;
  const auto [by_hand, end] =
      spawn_monitor([&, starter = coterie::self()] { close_by_hand(file, connections, starter); });
  receive([](const std::string&) {});
  const std::size_t opened = file.open_descriptors();
  exit(by_hand, ExitReason::kill());
  print("by hand, kill", opened, end);
  for (sqlite3* each : connections) sqlite3_close(each);

  const auto try_end = [&](std::string_view how, void (*finish)(const Pid&)) {
    const Pid pool = GenServer::start<DatabasePool>({}, file.name()).value();
    const Ref down = monitor(pool);
    const std::size_t count = file.open_descriptors();
    finish(pool);
    print(how, count, down);
  };
  try_end("stop",
          [](const Pid& pool) { GenServer::stop(pool, ExitReason::normal(), infinity).value(); });
  try_end("shutdown", [](const Pid& pool) { exit(pool, ExitReason::shutdown()); });
  try_end("crash", [](const Pid& pool) { cast(pool, DatabasePool::Corrupt{}); });
  try_end("kill", [](const Pid& pool) { exit(pool, ExitReason::kill()); });
}
