#include <coterie/remote_start.hpp>

#include <memory>
#include <utility>

#include <coterie/dynamic_supervisor.hpp>

#include "supervision/ask.hpp"

namespace coterie {
namespace {

const char* const starter_name = "coterie.spawn";
const char* const supervisor_name = "coterie.spawned";

struct StartServer {
  using Reply = ChildResult<Pid>;
  static constexpr std::string_view type_name = "coterie.spawn.start";
  std::string kind;
  std::string key;
  Bytes arguments;
};

/// Takes the requests of other nodes. It waits for no init: each start is a process.
class Starter final : public GenServer {
 public:
  using Calls = Messages<StartServer>;

  explicit Starter(std::shared_ptr<const KindTable> kinds) : kinds_(std::move(kinds)) {}

  Next handle_call(const StartServer& request, From<StartServer> from) {
    const Kind* const kind = kinds_->find(request.kind);
    if (kind == nullptr) {
      from.reply(std::unexpected(ChildError{.code = ChildError::Code::not_found,
                                            .detail = "node " + node_name() +
                                                      " starts no servers of kind " + request.kind +
                                                      " for others"}));
      return noreply();
    }
    ChildSpec spec;
    spec.id = request.kind;
    spec.restart = Restart::temporary;
    spec.start = [start = kind->start, request] {
      return start(request.key, request.arguments, StartOptions{});
    };
    spawn(
        [spec = std::move(spec), from]() mutable {
          from.reply(DynamicSupervisor::start_child(local(supervisor_name), std::move(spec)));
        },
        {.label = "start of " + request.kind});
    return noreply();
  }

 private:
  const std::shared_ptr<const KindTable> kinds_;
};

}  // namespace

namespace detail {

ChildResult<Pid> start_on(const std::string& node, const std::string& kind, Bytes arguments,
                          const RemoteStartOptions& options) {
  return ask(ServerRef(at(starter_name, node)),
             StartServer{kind, options.key, std::move(arguments)}, options.timeout);
}

}  // namespace detail

std::vector<ChildSpec> remote_start_children(std::vector<Kind> kinds, std::size_t servers_max) {
  auto table = std::make_shared<KindTable>();
  for (Kind& kind : kinds) table->add(std::move(kind));
  std::vector<ChildSpec> children;
  children.push_back(DynamicSupervisor::child_spec(
      supervisor_name, {.name = local(supervisor_name), .max_children = servers_max}));
  children.push_back(child<Starter>(starter_name, {.name = local(starter_name)},
                                    std::shared_ptr<const KindTable>(std::move(table))));
  return children;
}

}  // namespace coterie
