#include <coterie/distributed_application.hpp>

#include <memory>
#include <stdexcept>

#include <coterie/application_env.hpp>
#include <coterie/gen_server.hpp>
#include <coterie/nodes.hpp>
#include <coterie/supervisor.hpp>

#include "node/applications.hpp"
#include "node/config_value.hpp"
#include "node/distributed_core.hpp"
#include "process/runtime.hpp"
#include "registry/local_names.hpp"
#include "supervision/child_shutdown.hpp"

namespace coterie {
namespace {

using namespace detail;
using Shared = std::shared_ptr<const DistributedApplication>;
using std::chrono::milliseconds;

constexpr const char* registry_name = "coterie.distributed";
// Between two looks at who runs it, or at the lease under which it runs here.
constexpr Duration look_interval = milliseconds(200);
constexpr Duration look_max = std::chrono::seconds(1);
constexpr Duration thaw_max = std::chrono::seconds(1);   // a lease may be got back
constexpr Duration start_max = std::chrono::seconds(5);  // of the owner, without its children
constexpr Duration handover_max = std::chrono::seconds(60);

struct Running {
  Pid supervisor;
};

/// Has the strict name of the application, and its children below it. What it does is gated by the
/// lease; they are not, so the controller watches that.
class Owner final : public GenServer {
 public:
  struct HandOver {
    using Reply = bool;
    static constexpr std::string_view type_name = "coterie.distributed.hand_over";
  };
  struct Begin {};
  using Calls = Messages<HandOver>;
  using Infos = Messages<Exit>;
  using Continues = Messages<Begin>;

  Owner(Shared application, StartType type, const Pid& controller)
      : application_(std::move(application)), type_(std::move(type)), controller_(controller) {}

  // Its children only once the name is confirmed: until then the controller waits for the start,
  // and watches nothing.
  Init init() { return ok().then_continue(Begin{}); }
  Next handle_continue(const Begin&) {
    type_.epoch = current_process().epoch();
    const StartResult started = Supervisor::start_link(
        [application = application_, type = type_, controller = controller_] {
          send(controller, Running{self()});
          return application->children(type);
        },
        {.label = application_->name});
    if (!started) return stop(started.error().reason);
    supervisor_ = *started;
    node_log().info(LogModule::node, "distributed application started",
                    {{"application", application_->name},
                     {"type", word(type_.kind)},
                     {"from", type_.node},
                     {"epoch", type_.epoch}});
    return noreply();
  }
  /// Its children have stopped when the answer leaves, and the name follows.
  Outcome<bool> handle_call(const HandOver&) {
    return stop(ExitReason::shutdown("takeover"), true);
  }
  Next handle_info(const Exit& exit) {
    if (exit.from != supervisor_) return noreply();
    supervisor_ = {};
    return stop(ExitReason::term("{application_ended," + to_string(exit.reason) + "}"));
  }
  void terminate(const ExitReason&) {
    if (supervisor_) static_cast<void>(shut_down(supervisor_, infinity, Restart::permanent));
  }

 private:
  static std::string word(StartType::Kind kind) {
    switch (kind) {
      case StartType::Kind::normal:
        return "normal";
      case StartType::Kind::failover:
        return "failover";
      case StartType::Kind::takeover:
        return "takeover";
    }
    return {};
  }

  const Shared application_;
  StartType type_;
  const Pid controller_;
  Pid supervisor_{};
};

/// As the cluster file has it, or else the program.
DistributedApplication placed(const DistributedApplication& application) {
  DistributedApplication placed = application;
  const std::string prefix = distributed_env(application.name);
  if (const auto nodes = get_env<std::vector<std::string>>(node_env, prefix + "nodes")) {
    placed.nodes = *config_value::groups(*nodes);
  }
  placed.timeout = get_env<Duration>(node_env, prefix + "timeout", application.timeout);
  placed.sync = get_env<Duration>(node_env, prefix + "sync", application.sync);
  return placed;
}

/// One on every node: sees who runs the application, and starts it when it is this node's turn.
class DistributedController final : public GenServer {
 public:
  struct Look {};
  using Infos = Messages<Look, Running, Exit>;

  explicit DistributedController(Shared application)
      : application_(std::make_shared<const DistributedApplication>(placed(*application))),
        core_(node_name(), application_->nodes, application_->timeout, application_->sync) {}

  Init init() {
    if (application_->nodes.empty()) {
      return stop_init(ExitReason::term("{no_nodes_for_distributed_application," +
                                        application_->name +
                                        ",write_them_in_the_program_or_as_[[distributed]]}"));
    }
    auto* const names = dynamic_cast<LocalNames*>(current_process().runtime().names());
    if (names == nullptr || !names->add_cluster(registry_name)) {
      return stop_init(ExitReason::term("a_distributed_application_needs_a_cluster"));
    }
    send(self(), Look{});
    return ok();
  }

  Next handle_info(const Look&) {
    if (owner_) {
      watch_lease();
    } else if (auto failed = compete()) {
      return stop(std::move(*failed));
    }
    send_after(look_interval, self(), Look{});
    return noreply();
  }
  void handle_info(const Running& running) { supervisor_ = running.supervisor; }
  Next handle_info(const Exit& exit) {
    if (exit.from != owner_) return noreply();
    owner_ = supervisor_ = {};
    // Handed over, or out of its lease: somebody else's turn. Else its children gave up.
    if (std::exchange(cut_off_, false) || exit.reason.is_clean()) return noreply();
    return stop(exit.reason);
  }
  void terminate(const ExitReason&) {
    if (owner_) static_cast<void>(shut_down(owner_, infinity, Restart::permanent));
  }

 private:
  ViaName name() const { return via(registry_name, application_->name); }

  /// While the lease is over the owner does nothing, and cannot stop its children either.
  void watch_lease() {
    Runtime& runtime = current_process().runtime();
    const Time now = runtime.clock().now();
    if (runtime.gate_open()) {
      closed_since_.reset();
      return;
    }
    if (!closed_since_) closed_since_ = now;
    if (cut_off_ || !supervisor_ || now - *closed_since_ < thaw_max) return;
    cut_off_ = true;
    node_log().warning(LogModule::node, "a distributed application is ended: its lease is over",
                       {{"application", application_->name}});
    exit(supervisor_, ExitReason::kill());
  }

  /// Why its start failed, if it did.
  std::optional<ExitReason> compete() {
    Runtime& runtime = current_process().runtime();
    // Without a lease, as while it joins, it could not start what it makes another one stop.
    if (!runtime.gate_open()) return std::nullopt;
    DistributedSeen seen;
    const auto found = runtime.names()->resolve(registry_name, application_->name, true, look_max);
    if (!found && found.error().code != NameError::Code::not_found) return std::nullopt;
    if (found && found->pid.node == self().node) seen.holder = node_name();
    if (const Distribution* links = runtime.distribution()) {
      for (const Peer& peer : links->peers()) {
        if (!peer.hidden) seen.connected.insert(peer.name);
        if (found && peer.incarnation.id == found->pid.node) seen.holder = peer.name;
      }
    }
    // Whoever has it cannot be seen: it is not for this node to take.
    if (found && !seen.holder) return std::nullopt;
    seen.now = runtime.clock().now();
    DistributedAct act = core_.step(seen);
    if (act.kind == DistributedAct::Kind::wait) return std::nullopt;
    if (act.kind == DistributedAct::Kind::take_over) {
      const Ref end = monitor(found->pid);
      const auto stopped = call(found->pid, Owner::HandOver{}, handover_max);
      if (stopped) static_cast<void>(receive_down(end, handover_max));
      demonitor(end);
      if (!stopped) return std::nullopt;
    }
    return start(std::move(act.type));
  }

  std::optional<ExitReason> start(StartType type) {
    const auto started =
        GenServer::start_link<Owner>({.name = name(), .timeout = start_max, .trap_exit = true},
                                     application_, std::move(type), self());
    if (started) {
      owner_ = *started;
      core_.started();
      return std::nullopt;
    }
    if (started.error().code != StartError::Code::failed) return std::nullopt;  // not its turn
    return started.error().reason;
  }

  const Shared application_;
  DistributedCore core_;
  Pid owner_{};
  Pid supervisor_{};
  bool cut_off_ = false;
  std::optional<Time> closed_since_;
};

}  // namespace

ChildSpec distributed_application(DistributedApplication application) {
  if (application.name.empty() || !application.children) {
    throw std::invalid_argument("a distributed application has a name and children");
  }
  const auto shared = std::make_shared<const DistributedApplication>(std::move(application));
  ChildSpec spec;
  spec.id = "distributed." + shared->name;
  spec.type = ChildType::supervisor;
  spec.start = [shared] {
    StartOptions options;
    options.trap_exit = true;
    options.label = "distributed application " + shared->name;
    return GenServer::start_link<DistributedController>(std::move(options), shared);
  };
  return spec;
}

}  // namespace coterie
