// DatabasePool: a server that owns resources outside of the program, and gives them back.
//
// The idea: init opens the connections, terminate closes them. OTP's rule, where the original is
// wrong: exit(pid, shutdown) calls terminate only if the server traps exits and the signal comes
// from its parent (its supervisor, as a rule); otherwise the process just ends. What C++ adds: the
// server's destructor always runs, so the connections are closed in each case; terminate is left
// with what may fail or wait, such as saying goodbye.

#include <iostream>
#include <memory>
#include <vector>

#include <coterie/gen_server.hpp>
#include <coterie/node.hpp>

#include "examples/database/connection.hpp"

using namespace coterie;

class DatabasePool final : public GenServer {
 public:
  struct Config {
    std::size_t pool_size = 10;
    std::string url;
  };
  static Pid start_link(Config config, bool trap_exit) {
    return GenServer::start_link<DatabasePool>(
               {.name = local("database_pool"), .trap_exit = trap_exit}, std::move(config))
        .value();
  }
  static std::int64_t query(std::string sql) {
    return call<DatabasePool>(local("database_pool"), Query{std::move(sql)}).value();
  }

  struct Query {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "database_pool.query";
    std::string sql;
  };
  using Calls = Messages<Query>;

  explicit DatabasePool(Config config) : config_(std::move(config)) {}
  void init() {
    for (std::size_t i = 0; i < config_.pool_size; ++i) {
      connections_.push_back(std::make_shared<database::Connection>(config_.url));
    }
  }
  std::int64_t handle_call(const Query& m) {
    auto connection = connections_[next_++ % connections_.size()];
    // Captured by value: should this process be killed meanwhile, the query still ends in peace.
    return blocking([connection, sql = m.sql] { return connection->query(sql); });
  }
  void terminate(const ExitReason& reason) {
    std::cout << "Shutting down pool: " << to_string(reason) << "\n";
    connections_.clear();
  }

 private:
  const Config config_;
  std::vector<std::shared_ptr<database::Connection>> connections_;
  std::size_t next_ = 0;
};

int main() {
  Node node;
  auto self = node.attach();
  const database::File file("database_pool.db");
  const auto print_open = [&file] { std::cout << "open: " << file.open_descriptors() << "\n"; };
  const auto shut_down = [](const Pid& pool) {
    const Ref end = monitor(pool);
    exit(pool, ExitReason::shutdown());  // main started it, so main is its parent
    receive(when([end](const Down& down) { return down.ref == end; }, [](const Down&) {}));
  };

  Pid pool = DatabasePool::start_link({.pool_size = 10, .url = file.name()}, true);
  print_open();
  std::cout << "6 * 7 = " << DatabasePool::query("SELECT 6 * 7") << "\n";
  GenServer::stop(pool, ExitReason::normal(), infinity).value();
  print_open();

  std::cout << "\nA shutdown from the parent of a pool that traps exits:\n";
  pool = DatabasePool::start_link({.pool_size = 10, .url = file.name()}, true);
  print_open();
  shut_down(pool);
  print_open();

  std::cout << "\nOf one that does not, so terminate is not called:\n";
  pool = DatabasePool::start_link({.pool_size = 10, .url = file.name()}, false);
  print_open();
  shut_down(pool);
  print_open();
}
