// Connection pool: a few connections for many processes, lent out one by one.
//
// The idea: who finds no free connection waits in line; who gives one back lets the next go on.
// OTP's rule: the pool monitors whom it lends to, for a borrower that crashes gives nothing back.
// Nobody knows in which state that left the connection (a transaction may be open), so it is closed
// and a new one opened in its place.

#include <algorithm>
#include <deque>
#include <iostream>
#include <map>
#include <memory>

#include <coterie/gen_server.hpp>
#include <coterie/node.hpp>

#include "examples/database/connection.hpp"

using namespace coterie;
using Lent = std::shared_ptr<database::Connection>;

class ConnectionPool final : public GenServer {
 public:
  /// Answered when there is one for the caller, who gives it back with Checkin.
  struct Checkout {
    using Reply = Lent;
  };
  struct Checkin {
    Lent connection;
  };
  using Calls = Messages<Checkout>;
  using Casts = Messages<Checkin>;
  using Infos = Messages<Down>;

  ConnectionPool(std::string url, int size) : url_(std::move(url)) {
    for (int i = 0; i < size; ++i) free_.push_back(std::make_shared<database::Connection>(url_));
  }
  Next handle_call(const Checkout&, From<Checkout> from) {
    waiting_.emplace_back(monitor(from.pid()), from);
    lend();
    return noreply();
  }
  void handle_cast(const Checkin& m) {
    const auto loan =
        std::ranges::find(loans_, m.connection, [](auto& each) { return each.second; });
    if (loan == loans_.end()) return;
    demonitor(loan->first);
    loans_.erase(loan);
    free_.push_back(m.connection);
    lend();
  }
  void handle_info(const Down& down) {
    std::erase_if(waiting_, [&](const auto& each) { return each.first == down.ref; });
    if (loans_.erase(down.ref) == 0) return;
    free_.push_back(std::make_shared<database::Connection>(url_));
    lend();
  }

 private:
  void lend() {
    while (!free_.empty() && !waiting_.empty()) {
      const auto [ref, from] = waiting_.front();
      waiting_.pop_front();
      loans_.emplace(ref, free_.front());
      from.reply(std::move(free_.front()));
      free_.pop_front();
    }
  }

  const std::string url_;
  std::deque<Lent> free_;
  std::map<Ref, Lent> loans_;
  std::deque<std::pair<Ref, From<Checkout>>> waiting_;
};

struct GiveBack {};

/// Borrows a connection, says its name, and does as it is told: gives it back, or is killed with
/// it.
Pid borrower(std::string name, const Pid& pool, const Pid& main) {
  return spawn([=] {
    const Lent connection = call<ConnectionPool>(pool, ConnectionPool::Checkout{}).value();
    blocking([connection] { connection->query("SELECT 1"); });
    send(main, name);
    receive([](const GiveBack&) {});
    cast<ConnectionPool>(pool, ConnectionPool::Checkin{connection});
  });
}

int main() {
  Node node;
  auto self = node.attach();
  const database::File file("connection_pool.db");
  const auto print = [&] {
    std::cout << receive([](std::string name) { return name; })
              << " has a connection; open: " << file.open_descriptors() << "\n";
  };
  const Pid pool = GenServer::start_link<ConnectionPool>({}, file.name(), 2).value();

  const Pid ada = borrower("ada", pool, self.pid());
  print();
  const Pid bob = borrower("bob", pool, self.pid());
  print();
  const Pid carol = borrower("carol", pool, self.pid());
  std::cout << "carol waits; ada is done\n";
  send(ada, GiveBack{});
  print();
  const Pid dave = borrower("dave", pool, self.pid());
  std::cout << "dave waits; bob crashes\n";
  exit(bob, ExitReason::kill());
  print();
  for (const Pid& each : {carol, dave}) {
    const Ref end = monitor(each);
    send(each, GiveBack{});
    receive(when([end](const Down& down) { return down.ref == end; }, [](const Down&) {}));
  }
  GenServer::stop(pool, ExitReason::normal(), infinity).value();
  std::cout << "after stop, open: " << file.open_descriptors() << "\n";
}
