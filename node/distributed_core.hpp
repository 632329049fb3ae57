#pragma once
// When a node starts a distributed application. Pure: what is seen now goes in, what to do comes
// out. Nodes do not negotiate: each waits a little longer for every group of nodes before its own
// that somebody of is there, and the application's strict name goes to who asks first. So the first
// in the list starts it, and if that one cannot, the next does.

#include <optional>
#include <set>
#include <string>
#include <vector>

#include <coterie/distributed_application.hpp>
#include <coterie/time.hpp>

namespace coterie {

struct DistributedSeen {
  Time now{};
  /// The node that runs it; none: nobody.
  std::optional<std::string> holder{};
  std::set<std::string> connected{};  // other nodes
};

struct DistributedAct {
  enum class Kind : std::uint8_t {
    wait,
    start,      // with `type`
    take_over,  // have the holder stop it, then call taken_over()
  };
  Kind kind = Kind::wait;
  StartType type{};
};

class DistributedCore final {
 public:
  /// Of a wait for one group of nodes.
  static constexpr Duration turn = std::chrono::seconds(1);

  DistributedCore(std::string own, std::vector<std::vector<std::string>> nodes, Duration timeout,
                  Duration sync)
      : own_(std::move(own)), nodes_(std::move(nodes)), timeout_(timeout), sync_(sync) {}

  DistributedAct step(const DistributedSeen& seen);
  /// This node runs it; nothing is seen until it does no more.
  void started() {
    last_ = own_;
    free_since_.reset();
  }
  /// The holder has stopped it: it is to be started at once.
  StartType taken_over(const std::string& from) const {
    return {StartType::Kind::takeover, from, {}};
  }

 private:
  /// nodes_.size(): in no group.
  std::size_t group_of(const std::string& node) const;

  const std::string own_;
  const std::vector<std::vector<std::string>> nodes_;
  const Duration timeout_, sync_;
  std::optional<std::string> last_;  // who was seen running it
  std::optional<Time> free_since_;   // nobody has been
};

}  // namespace coterie
