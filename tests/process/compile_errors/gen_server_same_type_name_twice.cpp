// expect: two_messages_of_a_list_have_the_same_type_name() [with Server = Counter; List
#include <coterie/gen_server.hpp>

struct Counter : coterie::GenServer {
  struct Up {
    static constexpr std::string_view type_name = "counter.up";
  };
  struct Down {
    static constexpr std::string_view type_name = "counter.up";
  };
  using Casts = Messages<Up, Down>;
  void handle_cast(const Up&) {}
  void handle_cast(const Down&) {}
};

auto start() { return coterie::GenServer::start<Counter>(); }
