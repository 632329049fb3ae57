#include <coterie/supervisor.hpp>

#include <set>

#include "supervision/ask.hpp"
#include "supervision/supervisor_state.hpp"

namespace coterie {

namespace {

StartOptions start_options(const SupervisorOptions& options) {
  StartOptions start;
  start.name = options.name;
  start.trap_exit = true;
  start.label = options.label;
  return start;
}

}  // namespace

StartResult Supervisor::start_link(std::vector<ChildSpec> children, SupervisorOptions options) {
  return start_with([children = std::move(children)] { return children; }, std::move(options),
                    true);
}

StartResult Supervisor::start(std::vector<ChildSpec> children, SupervisorOptions options) {
  return start_with([children = std::move(children)] { return children; }, std::move(options),
                    false);
}

StartResult Supervisor::start_with(MakeChildren init, SupervisorOptions options, bool link) {
  auto start = start_options(options);
  if (!link) {
    return GenServer::start<Supervisor>(std::move(start), std::move(init), std::move(options));
  }
  return GenServer::start_link<Supervisor>(std::move(start), std::move(init), std::move(options));
}

ChildSpec Supervisor::child_spec(std::string id, std::vector<ChildSpec> children,
                                 SupervisorOptions options) {
  return spec_with(
      std::move(id), [children = std::move(children)] { return children; }, std::move(options));
}

ChildSpec Supervisor::child_spec(ChildSpec spec, ChildOverrides overrides) {
  if (overrides.id) spec.id = std::move(*overrides.id);
  if (overrides.restart) spec.restart = *overrides.restart;
  if (overrides.shutdown) spec.shutdown = *overrides.shutdown;
  if (overrides.type) spec.type = *overrides.type;
  if (overrides.significant) spec.significant = *overrides.significant;
  if (overrides.backoff) spec.backoff = *overrides.backoff;
  return spec;
}

ChildSpec Supervisor::spec_with(std::string id, MakeChildren init, SupervisorOptions options) {
  ChildSpec spec;
  spec.id = std::move(id);
  spec.type = ChildType::supervisor;
  spec.start = [init = std::move(init), options = std::move(options)] {
    return start_with(init, options, true);
  };
  return spec;
}

std::optional<ChildError> Supervisor::check_childspecs(std::span<const ChildSpec> specs,
                                                       AutoShutdown auto_shutdown) {
  const auto fault = [](std::string detail) {
    return ChildError{ChildError::Code::bad_spec, {}, {}, std::move(detail)};
  };
  std::set<std::string_view> ids;
  for (const auto& spec : specs) {
    if (specs.size() > 1 && !ids.insert(spec.id).second)
      return fault("duplicate child id " + spec.id);
    if (!spec.start) return fault("child " + spec.id + " has no start function");
    if (spec.shutdown && spec.shutdown->wait() < Duration::zero()) {
      return fault("child " + spec.id + " has a negative shutdown");
    }
    if (spec.significant && spec.restart == Restart::permanent) {
      return fault("child " + spec.id + " is significant and permanent: it never ends by itself");
    }
    if (spec.significant && auto_shutdown == AutoShutdown::never) {
      return fault("child " + spec.id + " is significant, but auto_shutdown is never");
    }
  }
  return std::nullopt;
}

ChildResult<Pid> Supervisor::start_child(const ServerRef& supervisor, ChildSpec spec) {
  return detail::ask(supervisor, StartChild(std::move(spec)));
}
ChildResult<Pid> Supervisor::restart_child(const ServerRef& supervisor, const std::string& id) {
  return detail::ask(supervisor, RestartChild{id});
}
ChildResult<void> Supervisor::delete_child(const ServerRef& supervisor, const std::string& id) {
  return detail::ask(supervisor, DeleteChild{id});
}
ChildResult<void> Supervisor::terminate_child(const ServerRef& supervisor, const std::string& id) {
  return detail::ask(supervisor, TerminateChild{id});
}
ChildResult<std::vector<ChildInfo>> Supervisor::which_children(const ServerRef& supervisor) {
  return detail::ask(supervisor, WhichChildren{});
}
ChildResult<ChildCount> Supervisor::count_children(const ServerRef& supervisor) {
  return detail::ask(supervisor, CountChildren{});
}
ChildResult<ChildSpec> Supervisor::get_childspec(const ServerRef& supervisor,
                                                 const std::string& id) {
  return detail::ask(supervisor, GetChildspec(id));
}

Supervisor::Supervisor(MakeChildren children, SupervisorOptions options)
    : children_(std::move(children)),
      state_(std::make_unique<detail::SupervisorState>(std::move(options))) {}
Supervisor::~Supervisor() = default;

GenServer::Init Supervisor::init() {
  // Taken out: what the function holds is needed for this start only.
  const MakeChildren children = std::move(children_);
  if (auto reason = state_->start_all(children())) return stop_init(std::move(*reason));
  return ok();
}
void Supervisor::terminate(const ExitReason&) { state_->stop_all(); }
std::string Supervisor::format_status() const { return state_->status_text(); }

ChildResult<Pid> Supervisor::handle_call(const StartChild& request) {
  return state_->start_child(request.spec);
}
ChildResult<ChildSpec> Supervisor::handle_call(const GetChildspec& request) {
  return state_->get_childspec(request.id);
}
ChildResult<Pid> Supervisor::handle_call(const RestartChild& request) {
  return state_->restart_child(request.id);
}
ChildResult<void> Supervisor::handle_call(const DeleteChild& request) {
  return state_->delete_child(request.id);
}
ChildResult<void> Supervisor::handle_call(const TerminateChild& request) {
  return state_->terminate_child(request.id);
}
std::vector<ChildInfo> Supervisor::handle_call(const WhichChildren&) {
  return state_->which_children();
}
ChildCount Supervisor::handle_call(const CountChildren&) { return state_->count_children(); }

GenServer::Next Supervisor::handle_cast(const TryAgain& request) {
  return state_->try_again(request.id) ? noreply() : GenServer::stop(ExitReason::shutdown());
}
GenServer::Next Supervisor::handle_info(const Exit& exit) {
  return state_->child_exited(exit.from, exit.reason) ? noreply()
                                                      : GenServer::stop(ExitReason::shutdown());
}

}  // namespace coterie
