#pragma once
// Names of cluster scope that the members keep for one another: a name's partition has one primary
// in each view, and whoever wants the name asks it. The decisions only, of one member. Pure:
// step(now, event) answers the actions; no clock, thread or socket. One owner, one thread.
//
// Nothing is written down. Where a name is, the node knows that runs it, and after a change of view
// it says so to the new primaries, which ask; what must outlive a node is in storage before anybody
// is told (child specs, journals). docs/failover.md says what is promised and why it holds.
//
// Messages between two members arrive in order and once, or not at all; what has not been answered
// is sent again under its old number.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "process/ports/agreement.hpp"
#include "registry/directory_messages.hpp"
#include "registry/directory_primary.hpp"
#include "registry/name_requests.hpp"

namespace coterie {

struct DirectoryOptions {
  std::string node;
  Incarnation incarnation;
  std::function<Time()> lease_end;                         // of this member, on the clock of step()
  Duration resend_after = std::chrono::milliseconds(200);  // and twice as long each further time
  Duration silent_after = std::chrono::seconds(2);  // a member that tells nothing for so long
  std::size_t waiting_max = 100'000;                // requests at a closed partition
  std::size_t claims_bytes = 256u << 10;            // in one message, about
  DirectoryProtections protections;
};

class Directory final {
 public:
  static constexpr std::size_t name_bytes_max = 1000;  // longer names are refused
  using Request = name_requests::Request;

  // Events; those of name_requests besides.
  struct Installed {
    std::shared_ptr<const View> view;
  };
  struct Received {
    NodeId from = NodeId::none;
    directory::Message message;
  };
  /// There is a way to that member again: what was lost is asked at once.
  struct Connected {
    NodeId node = NodeId::none;
  };
  /// The moment of the latest SetTimer has come, perhaps too early by this node's clock.
  struct Tick {};
  /// This incarnation is out: everything is answered, nothing is asked any more.
  struct Stop {
    std::string why;
  };
  using Event = std::variant<Installed, name_requests::Reserve, name_requests::Confirm,
                             name_requests::Release, name_requests::Lookup, name_requests::Withdraw,
                             Received, Connected, Tick, Stop>;

  // Actions.
  struct Send {
    NodeId to = NodeId::none;
    directory::Message message;
  };
  struct ReadView {};  // a newer view exists: hint to the agreement
  /// It has not said which names it holds, and partitions stay closed for that: evict it.
  struct Silent {
    NodeId node = NodeId::none;
  };
  /// ... it has, after all.
  struct Spoken {
    NodeId node = NodeId::none;
  };
  struct SetTimer {  // instead of the one before
    Time at;
  };
  struct Notice {
    std::string text;
  };
  using Action = std::variant<Send, name_requests::Reserved, name_requests::Confirmed,
                              name_requests::Found, ReadView, Silent, Spoken, SetTimer, Notice>;

  explicit Directory(DirectoryOptions options);

  std::vector<Action> step(Time now, const Event& event);

  /// Names of this node's processes.
  std::size_t names() const noexcept { return mine_.size(); }
  /// Names kept for all.
  const DirectoryPrimary& as_primary() const noexcept { return primary_; }
  /// Changes that are not done yet. 0: every release asked for is known to the primary.
  std::size_t changes_pending() const noexcept { return unanswered_.size(); }

 private:
  enum class State : std::uint8_t { reserving, reserved, confirming, confirmed, releasing };
  struct Tries {
    unsigned times = 0;
    Time again = Time::max();  // then it is sent once more
  };
  struct Mine {
    std::string name;
    std::uint64_t serial = 0;
    Epoch epoch;
    State state = State::reserving;
    Request asked = 0;  // who waits for the answer; 0: nobody
    Tries tries{};
  };
  struct Looking {
    std::string name;
    Tries tries{};
  };
  struct Due {  // to be looked at again: has it been answered?
    Time at;
    std::uint64_t id;  // of a registration, or the request of a lookup
    bool lookup;
    friend auto operator<=>(const Due&, const Due&) = default;
  };
  struct Wanting {  // of a member that has not said all that it holds
    Time heard;     // of it, the last
    bool silent = false;
    Tries tries{};
  };
  using MineById = std::map<std::uint64_t, Mine>;

  void on(const Installed& installed);
  void on(const name_requests::Reserve& reserve);
  void on(const name_requests::Confirm& confirm);
  void on(const name_requests::Release& release);
  void on(const name_requests::Lookup& lookup);
  void on(const name_requests::Withdraw& withdraw);
  void on(const Received& received);
  void on(const Connected& connected);
  void on(const Tick&) { timer_ = Time::max(); }
  void on(const Stop& stop);

  void receive(NodeId from, const directory::Ask& ask);
  void receive(NodeId from, const directory::Told& told);
  void receive(NodeId from, const directory::Want& want);
  void receive(NodeId from, const directory::Claims& claims);
  void receive(NodeId from, const directory::Relayed& relayed);
  void told_about(MineById::iterator mine, const directory::Told& told);
  bool from_outside(NodeId from) const;
  void take_claims(NodeId from, const directory::Claims& claims);
  bool holds_on(const Mine& mine, const Pid& holder) const;
  void forget(MineById::iterator mine);
  template <class Part>
  bool of_this_view(NodeId from, std::uint64_t number, const Part& message) {
    if (view_ != nullptr && number <= view_->number) return number == view_->number;
    keep_for_later({from, message});
    return false;
  }
  void keep_for_later(Received early);

  void want_claims();
  void want(NodeId of, Wanting& wanting);
  void want_through_another(NodeId of, const directory::Want& want, unsigned turn);
  directory::Claims claims(const directory::Want& want) const;
  void send(NodeId to, directory::Message message);
  void ask(std::uint64_t id, Mine& mine);
  void look(Request request, Looking& looking);
  template <class Of>
  void ask_again(Of of_primary);
  void tried(Tries& tries) const;
  bool unanswered(const Due& due) const;
  void proceed();
  void resend();
  void expire();
  void set_timer();
  void free(std::uint64_t id, Mine& mine);
  void give_up(Request request, const std::string& why);
  void fail(Request request, NameError error);
  bool usable() const noexcept { return view_ != nullptr && !stopped_; }
  bool lease_runs() const { return now_ < options_.lease_end(); }

  const DirectoryOptions options_;
  const NodeId self_;
  Time now_{};
  std::vector<Action> actions_;
  std::deque<directory::Message> to_self_;  // what is meant for this member does not travel
  std::uint64_t newest_ = 0;                // number of the newest view that was installed
  std::shared_ptr<const View> view_;        // null while this incarnation is not in it
  std::unordered_set<NodeId> members_;      // of view_
  Primaries primaries_{};
  bool stopped_ = false;
  std::string stopped_why_;

  DirectoryPrimary primary_;
  MineById mine_;  // by registration: in the order in which they were asked for
  std::set<std::uint64_t> unanswered_;                             // of mine_
  std::unordered_multimap<std::string, std::uint64_t> releasing_;  // name -> serial of the process
  std::map<Request, Looking> looking_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::unordered_map<Request, std::uint64_t> confirms_;  // request -> registration
  std::map<NodeId, Wanting> wanting_;
  std::deque<Received> early_;  // of newer views
  using Deadline = std::pair<Time, Request>;
  std::priority_queue<Deadline, std::vector<Deadline>, std::greater<>> deadlines_;
  Time timer_ = Time::max();
};

}  // namespace coterie
