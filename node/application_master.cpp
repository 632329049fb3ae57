#include "node/application_master.hpp"

#include <utility>

#include <coterie/log.hpp>
#include <coterie/supervisor.hpp>

#include "process/exit_cause.hpp"
#include "process/process.hpp"
#include "supervision/child_shutdown.hpp"

namespace coterie {

ChildSpec ApplicationMaster::child_spec(Application application) {
  const auto shared = std::make_shared<const Application>(std::move(application));
  ChildSpec spec;
  spec.id = shared->name;
  spec.type = ChildType::supervisor;
  spec.restart = shared->restart_type;
  spec.shutdown = shared->stop_timeout;
  spec.start = [shared] {
    StartOptions options;
    options.trap_exit = true;
    options.label = "application " + shared->name;
    return GenServer::start_link<ApplicationMaster>(std::move(options), shared);
  };
  return spec;
}

GenServer::Init ApplicationMaster::init() {
  if (application_->children) {
    SupervisorOptions options;
    options.label = application_->name;
    const StartResult started = Supervisor::start_link(
        [application = application_] { return application->children(); }, std::move(options));
    if (!started) return stop_init(started.error().reason);
    supervisor_ = *started;
  }
  for (const std::string& phase : application_->start_phases) {
    if (!application_->start_phase) break;
    try {
      application_->start_phase(phase);
    } catch (const detail::ProcessExit&) {
      throw;
    } catch (...) {
      const ExitReason cause = detail::exit_cause(std::current_exception());
      stop_children();
      return stop_init(ExitReason::term("{start_phase," + phase + "," + to_string(cause) + "}"));
    }
  }
  node_log().info(LogModule::node, "application started", {{"application", application_->name}});
  return ok();
}

GenServer::Next ApplicationMaster::handle_info(const Exit& exit) {
  if (!supervisor_ || exit.from != *supervisor_) return noreply();
  supervisor_.reset();
  if (exit.reason == ExitReason::normal()) return GenServer::stop(exit.reason);
  // For an application `shutdown` is no clean end, as it is for a child: its supervisor gave up.
  return GenServer::stop(ExitReason::term("{application_ended," + to_string(exit.reason) + "}"));
}

void ApplicationMaster::terminate(const ExitReason& reason) {
  if (supervisor_) {
    run("prep_stop", application_->prep_stop);
    stop_children();
  }
  run("stop", application_->stop);
  node_log().info(LogModule::node, "application ended",
                  {{"application", application_->name},
                   {"reason", reason},
                   {"type", std::string(to_string(application_->restart_type))}});
}

void ApplicationMaster::stop_children() {
  if (!supervisor_) return;
  // Without an end of its own: stop_timeout ends this process, and its supervisor with it.
  static_cast<void>(detail::shut_down(*supervisor_, infinity, Restart::permanent));
  supervisor_.reset();
}

/// A callback of the stop. What it throws must not keep the rest from stopping.
void ApplicationMaster::run(std::string_view what, const std::function<void()>& callback) const {
  if (!callback) return;
  try {
    callback();
  } catch (const detail::ProcessExit&) {
    throw;
  } catch (...) {
    node_log().error(LogModule::node, "an application's stop failed",
                     {{"application", application_->name},
                      {"callback", what},
                      {"reason", detail::exit_cause(std::current_exception())}});
  }
}

}  // namespace coterie
