#include <coterie/erpc.hpp>

#include <algorithm>
#include <map>
#include <memory>

#include <coterie/requests.hpp>

#include "process/exit_cause.hpp"
#include "process/process.hpp"
#include "process/runtime.hpp"

namespace coterie::erpc {
namespace {

/// How a function ended: its result, or what it threw or exited with.
struct Ran {
  static constexpr std::string_view type_name = "coterie.erpc.ran";
  std::optional<Error::Class> error{};  // none: it returned
  ExitReason reason{};
  Bytes result{};
};

struct Run {
  using Reply = Ran;
  static constexpr std::string_view type_name = "coterie.erpc.run";
  std::string function;
  Bytes request;
};

struct Cast {
  static constexpr std::string_view type_name = "coterie.erpc.cast";
  std::string function;
  Bytes request;
};

constexpr const char* server_name = "coterie.erpc";
using Functions = std::map<std::string, Function, std::less<>>;
constexpr auto not_executed = CallError::Execution::not_executed;

/// Runs functions, each in a process of its own that it watches: whoever is ended from outside
/// cannot answer for itself.
class Server final : public GenServer {
 public:
  using Calls = Messages<Run>;
  using Casts = Messages<Cast>;
  using Infos = Messages<Down>;

  Server(Functions functions, Options options)
      : functions_(std::make_shared<const Functions>(std::move(functions))),
        options_(std::move(options)) {}

  Next handle_call(const Run& run, From<Run> from) {
    if (auto why = refusal(run.function)) {
      from.fail(std::move(*why));
    } else {
      start(run.function, run.request, from);
    }
    return noreply();
  }
  void handle_cast(const Cast& cast) {
    if (const auto why = refusal(cast.function)) {
      node_log().warning(LogModule::process, "a cast to a registered function is refused",
                         {{"function", cast.function}, {"why", why->detail()}});
    } else {
      start(cast.function, cast.request, std::nullopt);
    }
  }
  void handle_info(const Down& down) {
    const auto found = running_.find(down.ref);
    if (found == running_.end()) return;
    const Running ended = std::move(found->second);
    running_.erase(found);
    // Whoever ended by itself, well or not, has answered or says how here.
    if (!ended.from || *ended.answered) return;
    ended.from->reply(
        {*ended.by_itself ? Error::Class::exit : Error::Class::signal, down.reason, {}});
  }
  std::string format_status() const {
    return std::to_string(functions_->size()) + " functions, " + std::to_string(running_.size()) +
           " calls";
  }

 private:
  struct Running {
    std::optional<From<Run>> from;
    std::shared_ptr<bool> answered, by_itself;
  };

  std::optional<CallError> refusal(const std::string& function) const {
    if (!functions_->contains(function)) {
      return CallError(CallError::Code::noproc, not_executed, ExitReason::term("undef"),
                       "node " + node_name() + " has no function " + function);
    }
    if (running_.size() >= options_.calls_max) {
      return CallError(CallError::Code::overloaded, not_executed, {},
                       std::to_string(running_.size()) + " calls are under way");
    }
    return std::nullopt;
  }

  void start(const std::string& function, const Bytes& request, std::optional<From<Run>> from) {
    Running running{from, std::make_shared<bool>(false), std::make_shared<bool>(false)};
    auto [pid, ref] = spawn_monitor(
        [functions = functions_, function, request, from, answered = running.answered,
         by_itself = running.by_itself] {
          try {
            const Answer answer = run(functions->find(function)->second, request);
            *answered = true;
            if (!from) return;
            answer ? from->reply(*answer) : from->fail(answer.error());
          } catch (const coterie::detail::ProcessExit&) {
            *by_itself = !coterie::detail::current_process().ended_by_signal();
            throw;
          }
        },
        {.label = "erpc " + function});
    running_.emplace(ref, std::move(running));
  }

  using Answer = std::expected<Ran, CallError>;

  static Answer run(const Function& function, const Bytes& request) {
    try {
      auto result = function.run(request);
      if (result) return Ran{{}, {}, std::move(*result)};
      return std::unexpected(CallError(CallError::Code::undecodable, not_executed, {},
                                       "the request of " + function.name +
                                           " could not be decoded: " + to_string(result.error())));
    } catch (const coterie::detail::ProcessExit&) {
      throw;
    } catch (const std::exception&) {
      const ExitReason why = coterie::detail::exit_cause(std::current_exception());
      const bool error = why.kind() == ExitReason::Kind::error;
      return Ran{error ? Error::Class::error : Error::Class::exit, why, {}};
    } catch (...) {
      return Ran{Error::Class::thrown, coterie::detail::exit_cause(std::current_exception()), {}};
    }
  }

  const std::shared_ptr<const Functions> functions_;
  const Options options_;
  std::map<Ref, Running> running_;
};

std::expected<Bytes, Error> bytes_of(CallResult<Run> answer) {
  if (!answer) return std::unexpected(Error(std::move(answer.error())));
  if (answer->error) return std::unexpected(Error(*answer->error, std::move(answer->reason)));
  return std::move(answer->result);
}

}  // namespace

Error::Error(Class what, ExitReason reason)
    : class_(what),
      call_(CallError::Code::exited, CallError::Execution::executed, std::move(reason)) {}

Error::Error(CallError call) : class_(Class::erpc), call_(std::move(call)) {}

ExitReason Error::exit_reason() const {
  switch (class_) {
    case Class::error:
      return ExitReason::make(ExitReason::Kind::term, "{exception," + to_string(reason()) + "}", {},
                              reason().trace(), false);
    case Class::thrown:
      return ExitReason::term("{throw," + reason().term() + "}");
    case Class::exit:
      return ExitReason::term("{exit,{exception," + to_string(reason()) + "}}");
    case Class::signal:
      return ExitReason::term("{exit,{signal," + to_string(reason()) + "}}");
    case Class::erpc:
      break;
  }
  return ExitReason::term("{erpc," + std::string(coterie::to_string(call_.code())) + "}");
}

std::string_view to_string(Error::Class what) noexcept {
  switch (what) {
    case Error::Class::error:
      return "error";
    case Error::Class::thrown:
      return "throw";
    case Error::Class::exit:
      return "exit";
    case Error::Class::signal:
      return "signal";
    case Error::Class::erpc:
      return "erpc";
  }
  return "unknown";
}

std::string to_string(const Error& error) {
  if (error.error_class() == Error::Class::erpc) return to_string(error.call());
  return to_string(error.exit_reason());
}

std::expected<Pid, StartError> start_link(std::vector<Function> functions, Options options) {
  Functions table;
  for (Function& function : functions) {
    std::string name = function.name;
    if (table.emplace(std::move(name), std::move(function)).second) continue;
    StartError error;
    error.reason = ExitReason::term("{already_registered," + function.name + "}");
    error.detail = "two registered functions have the name " + function.name;
    return std::unexpected(std::move(error));
  }
  return GenServer::start_link<Server>({.name = local(server_name)}, std::move(table),
                                       std::move(options));
}

namespace detail {

std::expected<Bytes, Error> call(const std::string& node, std::string_view function, Bytes request,
                                 Duration timeout) {
  return bytes_of(coterie::call(ServerRef(at(server_name, node)),
                                Run{std::string(function), std::move(request)}, timeout));
}

void cast(const std::string& node, std::string_view function, Bytes request) {
  coterie::cast(ServerRef(at(server_name, node)), Cast{std::string(function), std::move(request)});
}

std::vector<std::expected<Bytes, Error>> multicall(const std::vector<std::string>& nodes,
                                                   std::string_view function, const Bytes& request,
                                                   Duration timeout) {
  std::vector<std::expected<Bytes, Error>> answers(nodes.size());
  RequestCollection<Run> asked(timeout);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    asked.add(
        send_request(ServerRef(at(server_name, nodes[i])), Run{std::string(function), request}), i);
  }
  while (auto next = asked.wait_response()) {
    answers[next->label] = bytes_of(std::move(next->result));
  }
  for (auto& late : asked.give_up()) answers[late.label] = bytes_of(std::move(late.result));
  return answers;
}

Error undecodable_result(std::string_view function, const UnpackError& why) {
  return Error(CallError(
      CallError::Code::undecodable, CallError::Execution::executed, {},
      "the result of " + std::string(function) + " could not be decoded: " + to_string(why)));
}

}  // namespace detail
}  // namespace coterie::erpc
