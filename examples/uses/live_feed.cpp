// Live feed: one publisher, any number of subscribers that come, go, crash and stall.
//
// The idea: the feed sends each event to all who are subscribed and waits for none of them. OTP's
// rule: it monitors its subscribers, so a dead one is removed without saying goodbye. What coterie
// adds: a subscriber that stalls loses events at the bound of its own mailbox, not the feed's
// memory, and nobody else notices.

#include <iostream>
#include <map>

#include <coterie/gen_server.hpp>
#include <coterie/node.hpp>

using namespace coterie;
using namespace std::chrono_literals;

struct Price {
  static constexpr std::string_view type_name = "price";
  std::int64_t cents = 0;
};

class Feed final : public GenServer {
 public:
  struct Subscribe {
    using Reply = void;
    static constexpr std::string_view type_name = "feed.subscribe";
  };
  struct Publish {
    static constexpr std::string_view type_name = "feed.publish";
    Price price;
  };
  struct Subscribers {
    using Reply = std::size_t;
    static constexpr std::string_view type_name = "feed.subscribers";
  };
  using Calls = Messages<Subscribe, Subscribers>;
  using Casts = Messages<Publish>;
  using Infos = Messages<Down>;

  Outcome<Nothing> handle_call(const Subscribe&, From<Subscribe> from) {
    subscribers_.emplace(monitor(from.pid()), from.pid());
    return reply(Nothing());
  }
  std::size_t handle_call(const Subscribers&) { return subscribers_.size(); }
  void handle_cast(const Publish& m) {
    for (const auto& [ref, pid] : subscribers_) send(pid, m.price);
  }
  void handle_info(const Down& down) { subscribers_.erase(down.ref); }
  /// Nobody's message: a server must not die of it.
  void handle_info(AnyMessage message) {
    std::cout << "the feed ignores: " << message.type_name() << "\n";
  }

 private:
  std::map<Ref, Pid> subscribers_;
};

struct Subscribed {
  static constexpr std::string_view type_name = "subscribed";
};
struct Report {
  std::string name;
  int prices = 0;
};

/// Subscribes, counts prices until the feed ends, and reports. One that stalls looks at none
/// before.
void subscriber(const std::string& name, const Pid& feed, const Pid& main, bool stalls) {
  const Ref end = monitor(feed);
  call<Feed>(feed, Feed::Subscribe{}).value();
  send(main, Subscribed{});
  int prices = 0;
  if (stalls) {
    receive(when([end](const Down& down) { return down.ref == end; }, [](const Down&) {}));
    while (receive([](const Price&) { return true; }, after(0ms, [] { return false; }))) ++prices;
  } else {
    while (receive([](const Price&) { return true; }, [](const Down&) { return false; })) ++prices;
  }
  send(main, Report{name, prices});
}

int main() {
  Node node;
  auto self = node.attach();
  const Pid feed = GenServer::start<Feed>({}).value();
  const auto subscribe = [&](std::string name, MailboxLimits mailbox, bool stalls) {
    const Pid pid = spawn([=, main = self.pid()] { subscriber(name, feed, main, stalls); },
                          {.mailbox = mailbox});
    receive([](const Subscribed&) {});
    return pid;
  };
  subscribe("ada", {}, false);
  const Pid bob = subscribe("bob", {}, false);
  subscribe("carl, who stalls,", {.messages = 3}, true);
  std::cout << "subscribers: " << call<Feed>(feed, Feed::Subscribers{}).value() << "\n";

  exit(bob, ExitReason::kill());
  while (call<Feed>(feed, Feed::Subscribers{}).value() == 3) yield();
  std::cout << "after bob's end: " << call<Feed>(feed, Feed::Subscribers{}).value() << "\n";

  send(feed, Subscribed{});
  for (int i = 1; i <= 5; ++i) cast<Feed>(feed, Feed::Publish{{i}});
  GenServer::stop(feed, ExitReason::normal(), infinity).value();
  std::map<std::string, int> reports;
  for (int i = 0; i < 2; ++i) {
    receive([&](const Report& report) { reports[report.name] = report.prices; });
  }
  for (const auto& [name, prices] : reports) std::cout << name << " saw " << prices << " of 5\n";
}
