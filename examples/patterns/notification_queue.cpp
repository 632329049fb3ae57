// NotificationQueue: cast, for what needs no answer; and what happens when casts come too fast.
//
// The idea: enqueue answers ok at once, whatever becomes of the notification. OTP's rule: a cast
// neither waits nor fails, so nothing slows its sender down; on the BEAM the queue of a slow server
// grows until the memory ends. Here a mailbox has a bound, and its policy may be to let senders
// wait (Overflow::park): the fast producer runs at the slow server's speed, and no line of it
// changes.

#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include <coterie/gen_server.hpp>
#include <coterie/node.hpp>

using namespace coterie;
using namespace std::chrono_literals;

class NotificationQueue final : public GenServer {
 public:
  static auto start_link(Duration delivery = {}, MailboxLimits mailbox = {}) {
    return GenServer::start_link<NotificationQueue>(
        {.name = local("notifications"), .mailbox = mailbox}, delivery);
  }
  static void enqueue(std::string notification) {
    cast<NotificationQueue>(local("notifications"), Enqueue{std::move(notification)});
  }
  // A full mailbox refuses calls: certainly not executed, so call_until may ask again.
  static auto get_queue() { return call_until(local("notifications"), GetQueue{}, 5s).value(); }
  static auto most_waiting() {
    return call_until(local("notifications"), MostWaiting{}, 5s).value();
  }

  struct Enqueue {
    static constexpr std::string_view type_name = "notifications.enqueue";
    std::string notification;
  };
  struct GetQueue {
    using Reply = std::vector<std::string>;
    static constexpr std::string_view type_name = "notifications.get_queue";
  };
  struct MostWaiting {
    using Reply = std::size_t;
    static constexpr std::string_view type_name = "notifications.most_waiting";
  };
  using Calls = Messages<GetQueue, MostWaiting>;
  using Casts = Messages<Enqueue>;

  explicit NotificationQueue(Duration delivery) : delivery_(delivery) {}
  void handle_cast(const Enqueue& m) {
    if (delivery_ != Duration::zero()) sleep(delivery_);
    most_waiting_ = std::max(most_waiting_, info().message_queue_length);
    queue_.insert(queue_.begin(), m.notification);  // the newest first, as the list of the original
  }
  std::vector<std::string> handle_call(const GetQueue&) { return queue_; }
  std::size_t handle_call(const MostWaiting&) { return most_waiting_; }

 private:
  const Duration delivery_;
  std::size_t most_waiting_ = 0;
  std::vector<std::string> queue_;
};

int main() {
  Node node;
  auto self = node.attach();

  const Pid queue = NotificationQueue::start_link().value();
  NotificationQueue::enqueue("Email notification");
  NotificationQueue::enqueue("SMS notification");
  for (const auto& each : NotificationQueue::get_queue()) std::cout << each << "\n";
  GenServer::stop(queue, ExitReason::normal(), infinity).value();

  // A millisecond for each delivery, and no more than ten that wait for it.
  NotificationQueue::start_link(1ms, {.messages = 10, .overflow = Overflow::park}).value();
  for (int i = 0; i < 100; ++i) NotificationQueue::enqueue("Newsletter");
  const bool slowed = NotificationQueue::most_waiting() <= 10;
  std::cout << NotificationQueue::get_queue().size() << " of 100 newsletters are there; "
            << (slowed ? "never more than 10 were waiting" : "the mailbox overflowed") << "\n";
}
