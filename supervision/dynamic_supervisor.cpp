#include <coterie/dynamic_supervisor.hpp>

#include <coterie/supervisor.hpp>

#include "supervision/ask.hpp"
#include "supervision/dynamic_supervisor_state.hpp"

namespace coterie {

namespace {

StartOptions start_options(const DynamicSupervisorOptions& options) {
  StartOptions start;
  start.name = options.name;
  start.trap_exit = true;
  start.label = options.label;
  return start;
}

}  // namespace

StartResult DynamicSupervisor::start_link(DynamicSupervisorOptions options) {
  auto start = start_options(options);
  return GenServer::start_link<DynamicSupervisor>(std::move(start), std::move(options));
}

StartResult DynamicSupervisor::start(DynamicSupervisorOptions options) {
  auto start = start_options(options);
  return GenServer::start<DynamicSupervisor>(std::move(start), std::move(options));
}

ChildSpec DynamicSupervisor::child_spec(std::string id, DynamicSupervisorOptions options) {
  ChildSpec spec;
  spec.id = std::move(id);
  spec.type = ChildType::supervisor;
  spec.start = [options = std::move(options)] { return DynamicSupervisor::start_link(options); };
  return spec;
}

ChildResult<Pid> DynamicSupervisor::start_child(const ServerRef& supervisor, ChildSpec spec) {
  // All faults are the caller's: the supervisor is not asked.
  if (auto fault = Supervisor::check_childspecs({&spec, 1}, AutoShutdown::never)) {
    return std::unexpected(std::move(*fault));
  }
  return detail::ask(supervisor, StartChild(std::move(spec)));
}
ChildResult<void> DynamicSupervisor::terminate_child(const ServerRef& supervisor,
                                                     const Pid& child) {
  return detail::ask(supervisor, TerminateChild{child});
}
ChildResult<std::vector<ChildInfo>> DynamicSupervisor::which_children(const ServerRef& supervisor) {
  return detail::ask(supervisor, WhichChildren{});
}
ChildResult<ChildCount> DynamicSupervisor::count_children(const ServerRef& supervisor) {
  return detail::ask(supervisor, CountChildren{});
}

DynamicSupervisor::DynamicSupervisor(DynamicSupervisorOptions options)
    : state_(std::make_unique<detail::DynamicSupervisorState>(std::move(options))) {}
DynamicSupervisor::~DynamicSupervisor() = default;

GenServer::Init DynamicSupervisor::init() {
  if (auto reason = state_->fault()) return stop_init(std::move(*reason));
  return ok();
}
void DynamicSupervisor::terminate(const ExitReason&) { state_->stop_all(); }
std::string DynamicSupervisor::format_status() const { return state_->status_text(); }
ChildResult<Pid> DynamicSupervisor::handle_call(const StartChild& request) {
  return state_->start_child(std::move(request.spec));
}
ChildResult<void> DynamicSupervisor::handle_call(const TerminateChild& request) {
  return state_->terminate_child(request.child);
}
std::vector<ChildInfo> DynamicSupervisor::handle_call(const WhichChildren&) {
  return state_->which_children();
}
ChildCount DynamicSupervisor::handle_call(const CountChildren&) { return state_->count_children(); }
GenServer::Next DynamicSupervisor::handle_cast(const TryAgain& request) {
  return state_->try_again(request.child) ? noreply() : GenServer::stop(ExitReason::shutdown());
}
GenServer::Next DynamicSupervisor::handle_info(const Exit& exit) {
  return state_->child_exited(exit.from, exit.reason) ? noreply()
                                                      : GenServer::stop(ExitReason::shutdown());
}

}  // namespace coterie
