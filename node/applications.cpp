#include "node/applications.hpp"

#include <stdexcept>
#include <utility>

#include <coterie/registry.hpp>
#include <coterie/supervisor.hpp>

#include "node/application_master.hpp"
#include "node/application_order.hpp"
#include "node/config_value.hpp"
#include "process/process.hpp"
#include "process/runtime.hpp"
#include "registry/local_names.hpp"

namespace coterie {
namespace {

std::string env_key(const std::string& application, const std::string& key) {
  return application + '/' + key;
}

std::expected<std::vector<ChildSpec>, std::string> masters(
    std::vector<Application> applications, std::map<std::string, ApplicationEnv> env) {
  auto ordered = application_order(std::move(applications));
  if (!ordered) return std::unexpected(std::move(ordered.error()));
  RegistryOptions registry;
  registry.name = applications_name;
  std::vector<ChildSpec> specs;
  for (Application& application : *ordered) {
    ApplicationEnv values;
    if (auto section = env.extract(application.name)) values = std::move(section.mapped());
    values.merge(ApplicationEnv(application.env));  // only what is not there
    for (auto& [key, value] : values) {
      registry.meta.emplace(env_key(application.name, key), std::move(value));
    }
    specs.push_back(ApplicationMaster::child_spec(std::move(application)));
  }
  for (auto& [name, values] : env) {  // of no application here, such as the node's own
    for (auto& [key, value] : values) registry.meta.emplace(env_key(name, key), std::move(value));
  }
  specs.insert(specs.begin(), Registry::child_spec(std::move(registry)));
  return specs;
}

SupervisorOptions options() {
  SupervisorOptions made;
  made.name = local(applications_name);
  // An application is never restarted: its first end that asks for it is one too many.
  made.max_restarts = 0;
  made.label = "applications";
  return made;
}

LocalPlace* environment() {
  auto* names = dynamic_cast<LocalNames*>(detail::current_process().runtime().names());
  return names == nullptr ? nullptr : names->find_local(applications_name);
}

template <class T>
T need(const std::string& where, config_value::Result<T> value) {
  if (!value) throw std::invalid_argument("application " + where + ": " + value.error());
  return std::move(*value);
}

}  // namespace

std::expected<ChildSpec, std::string> applications_spec(std::vector<Application> applications,
                                                        std::map<std::string, ApplicationEnv> env) {
  auto specs = masters(std::move(applications), std::move(env));
  if (!specs) return std::unexpected(std::move(specs.error()));
  return Supervisor::child_spec(applications_name, std::move(*specs), options());
}

StartResult ensure_all_started(std::vector<Application> applications,
                               std::map<std::string, ApplicationEnv> env) {
  const auto spec = applications_spec(std::move(applications), std::move(env));
  if (spec) return spec->start();
  StartError error;
  error.reason = ExitReason::term("bad_applications");
  error.detail = spec.error();
  return std::unexpected(std::move(error));
}

ChildResult<void> stop_application(const std::string& name) {
  if (name == applications_name) return std::unexpected(ChildError{ChildError::Code::not_found});
  return Supervisor::terminate_child(local(applications_name), name);
}

ChildResult<Pid> start_application(const std::string& name) {
  return Supervisor::restart_child(local(applications_name), name);
}

std::vector<std::string> started_applications() {
  std::vector<std::string> started;
  const auto rows = Supervisor::which_children(local(applications_name));
  if (!rows) return started;
  for (const ChildInfo& row : *rows) {
    if (row.state == ChildState::running && row.id != applications_name) started.push_back(row.id);
  }
  return started;
}

// ---- the environment

ApplicationEnv get_all_env(const std::string& application) {
  ApplicationEnv env;
  const LocalPlace* place = environment();
  if (place == nullptr) return env;
  const std::string prefix = env_key(application, "");
  for (const auto& [key, value] : place->meta()) {
    const auto* held = key.starts_with(prefix) ? value.get<EnvValue>() : nullptr;
    if (held != nullptr) env.emplace(key.substr(prefix.size()), *held);
  }
  return env;
}

void put_env(const std::string& application, const std::string& key, EnvValue value) {
  Registry::put_meta(applications_name, env_key(application, key), std::move(value));
}

void delete_env(const std::string& application, const std::string& key) {
  Registry::delete_meta(applications_name, env_key(application, key));
}

namespace detail {

std::optional<EnvValue> find_env(const std::string& application, const std::string& key) {
  const LocalPlace* place = environment();
  const auto value = place == nullptr ? std::nullopt : place->meta(env_key(application, key));
  const EnvValue* held = value ? value->get<EnvValue>() : nullptr;
  return held == nullptr ? std::nullopt : std::optional(*held);
}

void missing_env(const std::string& application, const std::string& key) {
  throw std::invalid_argument("application " + application + ": " + key +
                              " is not set: give it a default in the application's env, or write "
                              "it into [applications." +
                              application + "]");
}

bool env_boolean(const std::string& where, const EnvValue& value) {
  return need(where, config_value::boolean(value));
}
std::int64_t env_integer(const std::string& where, const EnvValue& value, std::int64_t min,
                         std::int64_t max) {
  return need(where, config_value::integer(value, min, max));
}
double env_number(const std::string& where, const EnvValue& value) {
  if (const auto* real = std::get_if<double>(&value)) return *real;
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
  throw std::invalid_argument("application " + where + ": expected a number, found " +
                              config_value::show(value));
}
std::string env_text(const std::string& where, const EnvValue& value) {
  return need(where, config_value::text(value));
}
Duration env_duration(const std::string& where, const EnvValue& value) {
  return need(where, config_value::duration(value, Duration::zero(), infinity));
}
std::vector<std::string> env_texts(const std::string& where, const EnvValue& value) {
  return need(where, config_value::texts(value));
}

}  // namespace detail
}  // namespace coterie
