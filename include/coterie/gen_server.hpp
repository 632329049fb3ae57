#pragma once
// GenServer: a process that keeps state and answers typed messages. The counterpart of Elixir's
// GenServer (lib/elixir/lib/gen_server.ex), with the message lists as its protocol.
//
//   class Counter final : public coterie::GenServer {
//    public:
//     struct Increment { using Reply = std::int64_t; static constexpr std::string_view
//                        type_name = "counter.increment"; std::int64_t by = 1; };
//     using Calls = Messages<Increment>;
//     explicit Counter(std::int64_t initial) : count_(initial) {}
//     std::int64_t handle_call(const Increment& m) { return count_ += m.by; }
//    private:
//     std::int64_t count_;
//   };
//   auto counter = GenServer::start_link<Counter>({.name = local("counter")}, 0);
//
// Lists: Calls, Casts, Infos, Continues; each listed message needs its handler, or the program does
// not compile. A handler returns the reply, an Outcome<Reply>, or nothing / Next for casts, infos
// and continues; a second parameter From<Request> lets it reply later, from any process.
// Optional members: Init init(); void terminate(const ExitReason&); void on_hibernate();
// Next handle_info(AnyMessage) for everything not listed (the default logs and goes on); state(),
// version, format_status(...) and code_change(...), see <coterie/sys.hpp>.
// The constructor and init run in the new process. The destructor always runs, also after a kill.
// A handler takes its message as const M&, as M, or as M&& to move things out of it.

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <coterie/call.hpp>
#include <coterie/detail/bad_result.hpp>
#include <coterie/detail/client.hpp>
#include <coterie/detail/server_state.hpp>
#include <coterie/journal_error.hpp>
#include <coterie/process.hpp>

namespace coterie {

/// The idle timeout of a server ran out.
struct Timeout {
  static constexpr std::string_view type_name = "timeout";
};

struct StartError {
  enum class Code : std::uint8_t {
    already_started,  // the name is taken: `holder`
    ignored,          // init returned ignore()
    failed,           // init stopped, threw, or took too long: `reason`
    unavailable,      // the name cannot be decided now, or a bound is reached
  };
  Code code = Code::failed;
  Pid holder{};
  ExitReason reason{};
  std::string detail{};
};
std::string to_string(const StartError& error);

}  // namespace coterie

template <>
class std::bad_expected_access<coterie::StartError>
    : public coterie::detail::BadResult<coterie::StartError> {
 public:
  using BadResult::BadResult;
};

namespace coterie {

struct StartOptions {
  std::variant<std::monostate, LocalName, ViaName> name{};
  Duration timeout = infinity;  // of init; past it the process is killed
  bool trap_exit = false;
  std::string label{};
  std::optional<MailboxLimits> mailbox{};
  std::optional<Duration> hibernate_after{};
  friend bool operator==(const StartOptions&, const StartOptions&) = default;
};

namespace detail {

/// What a callback asks for besides its reply. Small: it is made and looked at for each message.
struct Directive {
  enum class Act : std::uint8_t { go_on, stop };
  static constexpr Duration no_timeout = Duration::min();
  Act act = Act::go_on;
  bool hibernate = false;
  Duration timeout = no_timeout;
  ExitReason reason;
  MessagePtr continue_with;
  /// What nearly every callback says.
  bool only_goes_on() const noexcept {
    return act == Act::go_on && !hibernate && timeout == no_timeout && !continue_with;
  }
};

struct Caller {
  Pid pid;
  Ref ref = Ref::none;
  bool named = false;   // answer with field names
  Pid server;           // that took the request
  bool traced = false;  // sys shows the reply, so it travels as a message
};

void reply_message(const Caller& to, MessagePtr answer);

/// The caller's own place for its reply, when it waits on this worker; no caller: it does not.
struct InPlaceReply {
  class Process* caller = nullptr;
  void* storage = nullptr;
};
InPlaceReply find_reply_place(const Caller& to, const MessageType* type) noexcept;
void reply_placed(Process& caller) noexcept;

/// False: `value` is untouched, and must travel as a message.
template <class R>
bool reply_in_place(const Caller& to, R& value) noexcept {
  const InPlaceReply place = find_reply_place(to, &message_type<R>);
  if (place.caller == nullptr) return false;
  new (place.storage) R(std::move(value));
  reply_placed(*place.caller);
  return true;
}

template <class Server, class Message>
void no_handle_call_for_a_message_listed_in_Calls() = delete;
template <class Server, class Message>
void no_handle_cast_for_a_message_listed_in_Casts() = delete;
template <class Server, class Message>
void no_handle_info_for_a_message_listed_in_Infos() = delete;
template <class Server, class Message>
void no_handle_continue_for_a_message_listed_in_Continues() = delete;
template <class Server, class Message>
void a_message_listed_in_Calls_has_no_Reply() = delete;
template <class Server, class Message, class Returned>
void handle_call_does_not_return_the_Reply_of_its_message() = delete;
template <class Server, class Message, class Returned>
void a_handler_without_reply_returns_neither_nothing_nor_Next() = delete;
template <class T>
inline constexpr bool is_from = false;

template <class Server, class Message>
void a_handler_takes_its_message_by_reference_without_const() = delete;
template <class Server, class Message>
void handle_call_returns_nothing_but_its_message_has_a_Reply() = delete;
template <class Server, class Returned>
void init_returns_neither_nothing_nor_ok_ignore_stop_or_error() = delete;
template <class Server, class Returned>
void handle_info_of_AnyMessage_returns_neither_nothing_nor_Next() = delete;
template <class Server>
void a_list_of_the_server_is_not_public() = delete;
template <class Server, class... Lists>
void a_list_of_the_server_is_no_Messages() = delete;
template <class Server, class List>
void two_messages_of_a_list_have_the_same_type_name() = delete;
template <class Server>
void the_server_does_not_derive_publicly_from_GenServer() = delete;
template <class Server, class... Arguments>
void no_constructor_of_the_server_takes_these_arguments() = delete;
template <class Server, class First>
void the_StartOptions_come_before_the_arguments__braces_will_do() = delete;

}  // namespace detail

class GenServer : public detail::Client {
 public:
  template <class... Ms>
  struct Messages {
    template <class M>
    static constexpr bool contains = (std::is_same_v<M, Ms> || ...);
  };
  using Timeout = coterie::Timeout;

  /// Who waits for the reply of a call. Copyable; may be used once, from any process.
  template <class R>
  class From {
   public:
    explicit From(detail::Caller caller) noexcept : caller_(caller) {}
    void reply(ReplyOf<R> value) const {
      if (detail::reply_in_place(caller_, value)) return;
      detail::reply_message(caller_,
                            detail::make_message(detail::MessageKind::reply, std::move(value)));
    }
    /// To a request whose Reply is void.
    void reply() const requires std::is_same_v<ReplyOf<R>, Nothing> { reply(Nothing()); }
    void fail(CallError error) const {
      detail::reply_message(caller_,
                            detail::make_message(detail::MessageKind::failed, std::move(error)));
    }
    Pid pid() const noexcept { return caller_.pid; }

   private:
    detail::Caller caller_;
  };

  /// noreply(), stop(reason): what comes next, without a reply.
  class Next {
   public:
    Next() = default;
    explicit Next(detail::Directive directive) : directive_(std::move(directive)) {}
    Next&& timeout(Duration wait) && { return directive_.timeout = wait, std::move(*this); }
    Next&& hibernate() && { return directive_.hibernate = true, std::move(*this); }
    template <class M>
    Next&& then_continue(M message) && {
      directive_.continue_with =
          detail::make_message(detail::MessageKind::send, std::move(message));
      return std::move(*this);
    }
    detail::Directive& directive() noexcept { return directive_; }

   private:
    detail::Directive directive_;
  };

  /// fail(...): the request ends with an error of the runtime instead of a reply.
  struct Failure {
    CallError error;
  };

  /// reply(v), noreply(), stop(reason), stop(reason, v), each with options; fail(...).
  template <class R>
  class Outcome {
   public:
    Outcome(R value) : reply_(std::move(value)) {}    // NOLINT: a value is the usual outcome
    Outcome(Next&& next) : next_(std::move(next)) {}  // NOLINT: noreply() and stop() are outcomes
    Outcome(std::optional<R> value, Next next) : reply_(std::move(value)), next_(std::move(next)) {}
    template <class U>
    requires(!std::is_same_v<U, R> && std::is_convertible_v<U, R>)
        Outcome(Outcome<U>&& other)  // NOLINT: reply(0) for an int64_t
        : next_(std::move(other.next())) {
      if (other.value()) reply_.emplace(std::move(*other.value()));
      error_ = std::move(other.error());
    }
    Outcome&& timeout(Duration wait) && {
      return next_.directive().timeout = wait, std::move(*this);
    }
    Outcome&& hibernate() && { return next_.directive().hibernate = true, std::move(*this); }
    template <class M>
    Outcome&& then_continue(M message) && {
      std::move(next_).then_continue(std::move(message));
      return std::move(*this);
    }
    Outcome(Failure failure) : error_(std::move(failure.error)) {}  // NOLINT: fail(...)
    std::optional<R>& value() noexcept { return reply_; }
    std::optional<CallError>& error() noexcept { return error_; }
    Next& next() noexcept { return next_; }

   private:
    std::optional<R> reply_;
    std::optional<CallError> error_;
    Next next_;
  };

  /// ok(), ignore(), stop(reason), error(reason): the result of init().
  class Init {
   public:
    enum class Kind : std::uint8_t { ok, ignore, stop, error };
    explicit Init(Kind kind, detail::Directive directive = {})
        : kind_(kind), next_(std::move(directive)) {}
    Init(Next next)  // NOLINT: stop(reason), noreply()
        : kind_(next.directive().act == detail::Directive::Act::stop ? Kind::stop : Kind::ok),
          next_(std::move(next)) {}
    Init&& timeout(Duration wait) && { return next_.directive().timeout = wait, std::move(*this); }
    Init&& hibernate() && { return next_.directive().hibernate = true, std::move(*this); }
    template <class M>
    Init&& then_continue(M message) && {
      std::move(next_).then_continue(std::move(message));
      return std::move(*this);
    }
    Kind kind() const noexcept { return kind_; }
    Next& next() noexcept { return next_; }

   private:
    Kind kind_;
    Next next_;
  };

  // Default lists: a server names only those that it has.
  using Calls = Messages<>;
  using Casts = Messages<>;
  using Infos = Messages<>;
  using Continues = Messages<>;

  // Default callbacks, hidden by a server's own.
  Init init() { return ok(); }
  void terminate(const ExitReason&) {}
  void on_hibernate() {}

  template <class V>
  requires(!detail::is_from<std::decay_t<V>>) static Outcome<std::decay_t<V>> reply(V&& value) {
    return Outcome<std::decay_t<V>>(std::forward<V>(value));
  }
  /// To a request whose Reply is void.
  static Outcome<Nothing> reply() { return Outcome<Nothing>(Nothing()); }
  /// Answers a call later, from any process: from.reply(value).
  template <class R>
  static void reply(const From<R>& from, std::type_identity_t<ReplyOf<R>> value) {
    from.reply(std::move(value));
  }
  template <class R>
  static void reply(const From<R>& from) requires std::is_same_v<ReplyOf<R>, Nothing> {
    from.reply();
  }
  static Next noreply() { return Next(); }
  static Next stop(ExitReason reason);
  template <class V>
  static Outcome<std::decay_t<V>> stop(ExitReason reason, V&& value) {
    return Outcome<std::decay_t<V>>(std::optional<std::decay_t<V>>(std::forward<V>(value)),
                                    stop(std::move(reason)));
  }
  /// The caller gets a CallError: for what is no business of the domain, such as a journal that is
  /// away. `execution` must be true: not_executed only if nothing was changed.
  static Failure fail(CallError::Code code, CallError::Execution execution, std::string detail) {
    return {CallError(code, execution, {}, std::move(detail))};
  }
  /// After Journal::append failed. If the event may be stored the calling process ends here and is
  /// started again by its supervisor: only a replay can tell, and the caller hears `unknown`.
  static Failure fail(const JournalError& error);
  static Init ok() { return Init(Init::Kind::ok); }
  static Init ignore() { return Init(Init::Kind::ignore); }
  static Init stop_init(ExitReason reason);
  /// The start fails with `reason`, but the process exits `normal`: nothing is reported.
  static Init error(ExitReason reason);

  /// Starts Server(args...) as a process and waits until its init is done.
  template <class Server, class... Args>
  static std::expected<Pid, StartError> start(StartOptions options = {}, Args&&... args);
  /// The same, linked to the caller, which becomes its parent.
  template <class Server, class... Args>
  static std::expected<Pid, StartError> start_link(StartOptions options = {}, Args&&... args);
  // Arguments without options before them: an error that says so.
  template <class Server, class First, class... Args>
  requires(!std::is_convertible_v<First, StartOptions>) static std::expected<Pid, StartError> start(
      First&&, Args&&...) {
    detail::the_StartOptions_come_before_the_arguments__braces_will_do<Server, First>();
    return {};
  }
  template <class Server, class First, class... Args>
  requires(!std::is_convertible_v<First, StartOptions>) static std::expected<
      Pid, StartError> start_link(First&&, Args&&...) {
    detail::the_StartOptions_come_before_the_arguments__braces_will_do<Server, First>();
    return {};
  }
  /// Stops a server: terminate runs, then it exits with `reason`. Waits for its end. Errors:
  /// noproc, calling_self, nodedown, timeout; `exited` if it ended with another reason.
  static std::expected<void, CallError> stop(const ServerRef& server,
                                             ExitReason reason = ExitReason::normal(),
                                             Duration timeout = infinity);

  /// Inside handle_call: the request id of the call being handled, empty if it has none.
  static const std::string& current_request_id();
};

template <class R>
using From = GenServer::From<R>;
namespace detail {
template <class R>
inline constexpr bool is_from<GenServer::From<R>> = true;
}

}  // namespace coterie

#include <coterie/detail/gen_server.hpp>
