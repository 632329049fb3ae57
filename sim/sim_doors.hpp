#pragma once
// Clients of a simulated cluster: each node's door, and what comes to it from outside, over
// connections with delays that end with their node. Outcomes are those of a real client: what never
// left was not executed, what left and was not answered is unknown. Outlives the nodes;
// single-threaded.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "sim/sim_executor.hpp"
#include "transport/client.hpp"
#include "transport/client_door.hpp"

namespace coterie::sim {

class SimDoors {
 public:
  using Done = Client::Done;
  using Told = std::move_only_function<void(NoticeTaken)>;

  explicit SimDoors(SimWorld& world) : world_(world) {}
  SimDoors(const SimDoors&) = delete;
  SimDoors& operator=(const SimDoors&) = delete;

  std::unique_ptr<ClientDoor> open(ClientListenerOptions options, SimExecutor& executor,
                                   ClientEvents& events, OnNotice on_notice);
  /// The run of that node has died: its connections end with it.
  void close(const std::string& node);

  /// A door stands there now.
  bool open(const std::string& node) const { return doors_.contains(node); }
  /// Each client is a connection of its own. `done` is called once, from a step of the world.
  void submit(std::uint64_t client, const std::string& node, Client::Request request, Done done);
  /// A guardian's word; `told` is not called when nobody is there to take it.
  void notice(const std::string& node, Duration delay, DeathNotice notice, Told told);

 private:
  class Door;
  struct Pending {
    std::string node;
    Done done;
  };
  Duration delay();
  void finish(Ref ref, Client::Answer answer);
  void answered(Envelope&& envelope);

  SimWorld& world_;
  std::map<std::string, Door*> doors_;
  std::map<Ref, Pending> pending_;
  std::uint64_t last_ref_ = 0;
};

}  // namespace coterie::sim
