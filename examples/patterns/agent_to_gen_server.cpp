// From Agent to GenServer: state first, behaviour later, and no caller changes.
//
// The idea: take an Agent where a process only keeps a value; when it shall do more (refuse, watch,
// time out, work at intervals), make it a GenServer. OTP's rule for the move: hide the process
// behind functions of a module from the first day, so that callers never see which of the two it
// is. What C++ adds: the functions of an Agent run in its process but stand in the caller's source,
// and functions cannot travel; messages can, so the GenServer also serves other nodes.

#include <iostream>
#include <map>

#include <coterie/agent.hpp>
#include <coterie/node.hpp>

using namespace coterie;

using Pieces = std::map<std::string, std::int64_t>;

namespace with_agent {

/// What is in stock: an agent that keeps a map.
struct Stock {
  static void start_link() {
    Agent<Pieces>::start_link([] { return Pieces(); }, {.name = local("stock")}).value();
  }
  static void add(const std::string& item, std::int64_t pieces) {
    Agent<Pieces>(local("stock")).update([=](Pieces& all) { all[item] += pieces; }).value();
  }
  static bool take(const std::string& item, std::int64_t pieces) {
    return Agent<Pieces>(local("stock"))
        .get_and_update([=](Pieces& all) {
          if (all[item] < pieces) return false;
          all[item] -= pieces;
          return true;
        })
        .value();
  }
  static void stop() { Agent<Pieces>(local("stock")).stop().value(); }
};

}  // namespace with_agent

namespace with_gen_server {

/// The same functions; behind them a server, which now also says when an item runs low.
class Stock final : public GenServer {
 public:
  static void start_link() { GenServer::start_link<Stock>({.name = local("stock")}).value(); }
  static void add(const std::string& item, std::int64_t pieces) {
    call<Stock>(local("stock"), Add{item, pieces}).value();
  }
  static bool take(const std::string& item, std::int64_t pieces) {
    return call<Stock>(local("stock"), Take{item, pieces}).value();
  }
  static void stop() { GenServer::stop(local("stock"), ExitReason::normal(), infinity).value(); }

  struct Add {
    using Reply = void;
    static constexpr std::string_view type_name = "stock.add";
    std::string item;
    std::int64_t pieces = 0;
  };
  struct Take {
    using Reply = bool;
    static constexpr std::string_view type_name = "stock.take";
    std::string item;
    std::int64_t pieces = 0;
  };
  using Calls = Messages<Add, Take>;

  void handle_call(const Add& m) { all_[m.item] += m.pieces; }
  bool handle_call(const Take& m) {
    std::int64_t& left = all_[m.item];
    if (left < m.pieces) return false;
    left -= m.pieces;
    if (left < 2) std::cout << "  (order more of: " << m.item << ")\n";
    return true;
  }

 private:
  Pieces all_;
};

}  // namespace with_gen_server

/// A caller, which does not know what Stock is.
template <class Stock>
void sell() {
  Stock::start_link();
  Stock::add("lamp", 3);
  for (int customer = 1; customer <= 3; ++customer) {
    const bool sold = Stock::take("lamp", 2);
    std::cout << "  customer " << customer << ": " << (sold ? "sold" : "sold out") << "\n";
    if (!sold) Stock::add("lamp", 2);
  }
  Stock::stop();
}

int main() {
  Node node;
  auto self = node.attach();
  std::cout << "An Agent:\n";
  sell<with_agent::Stock>();
  std::cout << "A GenServer:\n";
  sell<with_gen_server::Stock>();
}
