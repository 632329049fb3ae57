#include "supervision/cluster_instance.hpp"

#include "process/process.hpp"
#include "process/runtime.hpp"

namespace coterie::detail {

using Code = ChildError::Code;

namespace {

constexpr std::size_t requests_max = 65'536;
constexpr const char* helper_ended = "the process that saw to it ended";

ClusterOptions core_options(const ClusterInstanceOptions& options, std::string node, NodeId id) {
  ClusterOptions core;
  core.supervisor = options.name;
  core.kind = options.kind.name;
  core.registry = options.registry;
  core.node = std::move(node);
  core.node_id = id;
  core.max_children = options.max_children;
  core.max_restarts = options.max_restarts;
  core.max_seconds = options.max_seconds;
  core.starts_in_flight = options.starts_in_flight;
  core.handovers_in_flight = options.handovers_in_flight;
  core.rows_per_commit = options.rows_per_commit;
  core.local_tries = options.local_tries;
  core.sweep = options.sweep;
  core.quarantine_deaths = options.quarantine_deaths;
  core.probation = options.quarantine_window;
  return core;
}

ClusterInstanceOptions completed(ClusterInstanceOptions options) {
  if (options.registry.empty()) options.registry = options.kind.name;
  return options;
}

Runtime& runtime() { return current_process().runtime(); }

template <class R>
std::function<void(ChildResult<Pid>)> void_reply(GenServer::From<R> from) {
  return [from](ChildResult<Pid> result) {
    if (result) {
      from.reply({});
    } else {
      from.reply(std::unexpected(std::move(result.error())));
    }
  };
}

}  // namespace

StartResult ClusterInstance::start_link(ClusterPorts ports, ClusterInstanceOptions options) {
  StartOptions start;
  start.name = local(options.name);
  start.trap_exit = true;
  start.label = "cluster supervisor " + options.name;
  return GenServer::start_link<ClusterInstance>(
      std::move(start), std::make_shared<const ClusterPorts>(ports), std::move(options));
}

ChildSpec ClusterInstance::child_spec(ClusterPorts ports, ClusterInstanceOptions options) {
  ChildSpec spec;
  spec.id = options.name;
  spec.type = ChildType::supervisor;
  spec.start = [ports, options = std::move(options)] {
    return ClusterInstance::start_link(ports, options);
  };
  return spec;
}

ClusterInstance::ClusterInstance(std::shared_ptr<const ClusterPorts> ports,
                                 ClusterInstanceOptions options)
    : ports_(std::move(ports)),
      options_(completed(std::move(options))),
      node_(node_name()),
      node_id_(self().node),
      store_(std::make_shared<const SpecStore>(ports_->names, options_.name)),
      core_(core_options(options_, node_, node_id_), ports_->placement, runtime().random()) {
  core_.mutations() = options_.mutations;
}

GenServer::Init ClusterInstance::init() {
  for (std::size_t i = 0; i < options_.starts_in_flight; ++i) {
    ChildCellOptions cell{.index = i,
                          .kind = options_.kind,
                          .registry = options_.registry,
                          .start_timeout = options_.start_timeout,
                          .shutdown = options_.shutdown};
    StartOptions start;
    start.trap_exit = true;
    start.label = options_.name + " cell " + std::to_string(i);
    auto started = GenServer::start_link<ChildCell>(std::move(start), self(), std::move(cell));
    if (!started) return stop_init(started.error().reason);
    cells_.push_back(*started);
    idle_.push_back(i);
  }
  runtime().subscribe_nodes(self());
  core_.view_installed(ports_->agreement.view(), active(), now());
  // The first actions of init are carried out at once: restarted, it starts what is its own.
  perform();
  return ok();
}

void ClusterInstance::terminate(const ExitReason&) {
  // Told all at once, so that the cells stop their children side by side.
  for (const Pid& cell : cells_) exit(cell, ExitReason::shutdown());
  for (const Pid& cell : cells_) {
    const Ref watch = monitor(cell);
    receive(when([&](const Down& d) { return d.ref == watch; }, [](Down) {}));
  }
}

Time ClusterInstance::now() const { return runtime().clock().now(); }

bool ClusterInstance::active() const { return ports_->agreement.state() == NodeState::active; }

ClusterStatus ClusterInstance::status() const {
  ClusterStatus status = core_.status();
  if (!storage_error_.empty()) status.last_error = storage_error_;
  return status;
}

RequestId ClusterInstance::remember(std::function<void(ChildResult<Pid>)> reply) {
  if (requests_.size() >= requests_max) {
    reply(std::unexpected(ChildError{Code::unavailable, {}, {}, "too many requests wait"}));
    return 0;
  }
  requests_.emplace(++last_request_, std::move(reply));
  return last_request_;
}

void ClusterInstance::answer(RequestId request, ChildResult<Pid> result) {
  auto found = requests_.extract(request);
  if (!found.empty()) found.mapped()(std::move(result));
}

GenServer::Next ClusterInstance::handle_call(const cluster::StartChild& request,
                                             From<cluster::StartChild> from) {
  const RequestId id = remember([from](ChildResult<Pid> result) { from.reply(std::move(result)); });
  if (id == 0) return noreply();
  const auto view = ports_->agreement.view();
  if (!view) {
    answer(id, std::unexpected(ChildError{
                   Code::unavailable, {}, {}, "this node has not joined its cluster yet"}));
    return noreply();
  }
  const auto homes = ports_->placement.homes(*view, options_.kind.name, request.child.key);
  // A home that another instance chose is taken as it is: views may differ for a moment, and the
  // row decides who is first.
  const bool here = request.forwarded || running_.contains(request.child.key) ||
                    (!homes.empty() && homes.front() == node_);
  if (here) {
    core_.start_request(id, request.child, now());
    return perform();
  }
  if (homes.empty()) {
    answer(id, std::unexpected(ChildError{
                   Code::unavailable, {}, {}, "no member hosts " + options_.kind.name + " now"}));
  } else {
    forward_start(id, homes.front(), {request.child, true});
  }
  return noreply();
}

void ClusterInstance::help(std::move_only_function<Finish()> work, Finish lost) {
  auto finish = std::make_shared<Finish>(std::move(lost));
  const auto [pid, ref] =
      spawn_monitor([finish, work = std::move(work)]() mutable { *finish = work(); });
  helpers_.emplace(ref, std::move(finish));
}

GenServer::Next ClusterInstance::handle_info(const Down& down) {
  const auto helper = helpers_.extract(down.ref);
  if (helper.empty()) return noreply();
  (*helper.mapped())(*this);
  return perform();
}

ClusterInstance::Finish ClusterInstance::answering(RequestId request, ChildResult<Pid> result) {
  return [request, result = std::move(result)](ClusterInstance& self) mutable {
    self.answer(request, std::move(result));
  };
}

ClusterInstance::Finish ClusterInstance::refusing(RequestId request, Code code, std::string why) {
  return answering(request, std::unexpected(ChildError{code, {}, {}, std::move(why)}));
}

void ClusterInstance::forward_start(RequestId request, const std::string& home,
                                    cluster::StartChild child) {
  help(
      [request, to = at(options_.name, home), child = std::move(child),
       timeout = options_.forward_timeout] {
        auto result = call(to, child, timeout);
        if (result) return answering(request, std::move(*result));
        return answering(request,
                         std::unexpected(ChildError{
                             result.error().maybe_executed() ? Code::unknown : Code::unavailable,
                             {},
                             result.error().reason(),
                             to_string(ServerRef(to)) + ": " + to_string(result.error())}));
      },
      refusing(request, Code::unknown, helper_ended));
}

GenServer::Next ClusterInstance::handle_call(const cluster::TerminateChild& request,
                                             From<cluster::TerminateChild> from) {
  const RequestId id = remember(void_reply(from));
  if (id == 0 || core_.terminate_request(id, request.key, now())) return perform();
  if (request.forwarded) {
    answer(id, std::unexpected(ChildError{Code::unavailable, {}, {}, "it does not run here"}));
  } else {
    find_owner(id, request.key, false);
  }
  return noreply();
}

GenServer::Next ClusterInstance::handle_call(const cluster::ReleaseChild& request,
                                             From<cluster::ReleaseChild> from) {
  const RequestId id = remember(void_reply(from));
  if (id != 0) find_owner(id, request.key, true);
  return noreply();
}

void ClusterInstance::find_owner(RequestId request, const std::string& key, bool release) {
  help(
      [request, key, release, store = store_, name = options_.name, view = ports_->agreement.view(),
       timeout = options_.forward_timeout]() -> Finish {
        auto found = blocking([store, key] { return store->read({key}); });
        if (!found) return refusing(request, Code::unavailable, found.error().message);
        if (!found->unreadable.empty()) {
          return refusing(request, Code::unavailable, found->unreadable.front().second);
        }
        if (found->rows.empty()) return refusing(request, Code::not_found, "no child " + key);
        if (!view) {
          return refusing(request, Code::unavailable, "this node has not joined its cluster yet");
        }
        FoundRow& row = found->rows.front();
        const Member* owner = view->find(row.row.owner_id);
        if (release || owner == nullptr) {
          return [request, release, row = std::move(row)](ClusterInstance& self) mutable {
            if (release) {
              self.core_.release_request(request, std::move(row), self.now());
            } else {
              self.core_.terminate_orphan(request, std::move(row), self.now());
            }
          };
        }
        auto result = call(at(name, owner->name), cluster::TerminateChild{key, true}, timeout);
        if (!result) {
          return refusing(request,
                          result.error().maybe_executed() ? Code::unknown : Code::unavailable,
                          to_string(result.error()));
        }
        ChildResult<Pid> answer;
        if (!*result) answer = std::unexpected(std::move(result->error()));
        return answering(request, std::move(answer));
      },
      refusing(request, Code::unknown, helper_ended));
}

GenServer::Next ClusterInstance::handle_call(const cluster::Drain& request,
                                             From<cluster::Drain> from) {
  draining_.push_back(from);
  core_.drain(after(now(), std::chrono::milliseconds(request.budget_ms)), now());
  return perform();
}

GenServer::Next ClusterInstance::handle_cast(const cluster::Adopt& request) {
  if (rare(options_.rare, "supervision.adopt_unheard")) return noreply();  // the next look finds it
  core_.adopt(request.keys);
  return perform();
}

GenServer::Next ClusterInstance::handle_cast(const cluster::NodeDied& report) {
  core_.node_died(report.node, report.running, now());
  return perform();
}

GenServer::Next ClusterInstance::handle_cast(const cell::Started& started) {
  idle_.push_back(started.cell);
  if (started.result) {
    running_[started.key] = {started.cell, *started.result};
    core_.started(started.key, *started.result, now());
  } else {
    core_.start_failed(started.key, started.result.error(), now());
  }
  return perform();
}

GenServer::Next ClusterInstance::handle_cast(const cell::Exited& exited) {
  running_.erase(exited.key);
  core_.exited(exited.key, exited.reason, now());
  return perform();
}

GenServer::Next ClusterInstance::handle_info(const Exit& exit) {
  for (const Pid& cell : cells_) {
    // Its children have gone with it. Start anew: the rows say what shall run.
    if (cell == exit.from) return stop(ExitReason::term("{cell," + to_string(exit.reason) + "}"));
  }
  return noreply();
}

GenServer::Next ClusterInstance::handle_info(const ViewChanged&) {
  if (rare(options_.rare, "supervision.view_unheard")) return noreply();  // the next tick sees it
  core_.view_installed(ports_->agreement.view(), active(), now());
  return perform();
}

GenServer::Next ClusterInstance::handle_info(const instance::Tick& tick) {
  if (tick.number != ticks_) return noreply();  // an earlier one has been asked for since
  tick_at_ = Time::max();
  core_.view_installed(ports_->agreement.view(), active(), now());
  return perform();
}

}  // namespace coterie::detail
