#pragma once
// GenEvent: a process to which handlers are added while it runs; each of them is told of every
// event, one after the other, in that process, their manager. The counterpart of OTP's gen_event:
// for logs, alarms and audit trails, where who listens is not known to who speaks. Where listeners
// are processes of their own, a Registry with duplicate keys serves better.
//
//   struct Audit final : EventHandler<Payment> {
//     Then handle_event(const Payment& payment) override { write(payment); return Then::stay; }
//   };
//   GenEvent<Payment>::start_link({.name = local("payments")});
//   GenEvent<Payment>::add_handler(local("payments"), "audit",
//                                      [] { return std::make_unique<Audit>(); });
//   GenEvent<Payment>::notify(local("payments"), Payment{...});
//
// A handler lives in the manager's process, from the function that makes it to its destructor. One
// that throws is taken out and reported; the manager and the others go on. Functions and handlers
// cannot travel: the manager must be on this node.

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <coterie/child_spec.hpp>
#include <coterie/gen_server.hpp>

namespace coterie {

/// A handler that was added with add_sup_handler is not there any more. OTP's gen_event_EXIT.
struct EventHandlerExit {
  Pid manager;
  std::string id;
  // normal: it took itself out, or was deleted; shutdown: its manager ends; term {swapped,NewId};
  // or what it threw.
  ExitReason reason;
};

template <class Event>
class EventHandler {
 public:
  EventHandler() = default;
  EventHandler(const EventHandler&) = delete;
  EventHandler& operator=(const EventHandler&) = delete;
  virtual ~EventHandler() = default;
  enum class Then : std::uint8_t { stay, remove };
  virtual Then handle_event(const Event& event) = 0;
  /// Before it is destroyed: normal (it took itself out), an error (it threw), term delete_handler
  /// or swapped, the reason of the manager or of the process that added it.
  virtual void terminate(const ExitReason&) {}
};

struct HandlerError {
  enum class Code : std::uint8_t {
    already_present,
    not_found,
    failed,      // the function that makes it threw, or the one of call(): `reason`
    no_manager,  // or no answer: `reason`
  };
  Code code = Code::not_found;
  ExitReason reason{};
};
std::string to_string(const HandlerError& error);

template <class T>
using HandlerResult = std::expected<T, HandlerError>;

namespace detail {
/// Runs user code whose exception ends a handler and not the manager: its reason, or nothing.
std::optional<ExitReason> handler_fault(const std::function<void()>& run);
void report_handler(const std::string& id, const ExitReason& reason);
HandlerError no_manager(const CallError& error);
}  // namespace detail

struct GenEventOptions {
  std::variant<std::monostate, LocalName, ViaName> name{};
  std::string label{};
};

template <class Event>
class GenEvent final : public GenServer {
 public:
  using Handler = EventHandler<Event>;
  using Make = std::function<std::unique_ptr<Handler>()>;
  /// Makes the handler that takes the place of another one, which has had its terminate(swapped);
  /// nullptr: there was none.
  using MakeFrom = std::function<std::unique_ptr<Handler>(std::unique_ptr<Handler> old)>;

  static StartResult start_link(GenEventOptions options = {}) {
    return GenServer::start_link<GenEvent>(start_options(std::move(options)));
  }
  static StartResult start(GenEventOptions options = {}) {
    return GenServer::start<GenEvent>(start_options(std::move(options)));
  }
  static ChildSpec child_spec(std::string id, GenEventOptions options = {}) {
    ChildSpec spec;
    spec.id = std::move(id);
    spec.start = [options = std::move(options)] { return start_link(options); };
    return spec;
  }

  /// Newer handlers are told first, as in OTP.
  static HandlerResult<void> add_handler(const ServerRef& manager, std::string id, Make make) {
    return ask(manager, Add(std::move(id), from_nothing(std::move(make)), {}));
  }
  /// Tied to the calling process: it goes when that ends, and its end is told to that as an
  /// EventHandlerExit.
  static HandlerResult<void> add_sup_handler(const ServerRef& manager, std::string id, Make make) {
    return ask(manager, Add(std::move(id), from_nothing(std::move(make)), self()));
  }
  static HandlerResult<void> delete_handler(const ServerRef& manager, std::string id) {
    return ask(manager, Delete(std::move(id)));
  }
  /// In one step: no event is missed or told twice.
  static HandlerResult<void> swap_handler(const ServerRef& manager, std::string old_id,
                                          std::string new_id, MakeFrom make) {
    return ask(manager, Swap(std::move(old_id), std::move(new_id), std::move(make)));
  }
  static HandlerResult<std::vector<std::string>> which_handlers(const ServerRef& manager) {
    return ask(manager, Which());
  }
  static void notify(const ServerRef& manager, Event event) {
    coterie::cast(manager, Notify(std::move(event)));
  }
  /// Returns when all handlers have been told.
  static HandlerResult<void> sync_notify(const ServerRef& manager, Event event) {
    return ask(manager, SyncNotify(std::move(event)));
  }
  /// Runs `question(Type&)` in the manager, on a handler of that type; what it returns. If it
  /// throws the handler is taken out.
  template <class Type, class F>
  static auto call(const ServerRef& manager, std::string id, F question)
      -> HandlerResult<std::invoke_result_t<F&, Type&>> {
    using Answer = std::invoke_result_t<F&, Type&>;
    // Shared with the manager: a caller may be killed while the function runs.
    auto answer = std::make_shared<std::optional<Answer>>();
    const HandlerResult<void> asked =
        ask(manager, Ask(std::move(id), [answer, question = std::move(question)](Handler& handler) {
              auto* typed = dynamic_cast<Type*>(&handler);
              if (typed != nullptr) answer->emplace(question(*typed));
              return typed != nullptr;
            }));
    if (!asked) return std::unexpected(asked.error());
    return std::move(**answer);
  }

  // ---- the protocol: functions and handlers never leave the node
  struct Add {
    using Reply = HandlerResult<void>;
    Add(std::string i, MakeFrom m, Pid a) : id(std::move(i)), make(std::move(m)), adder(a) {}
    std::string id;
    MakeFrom make;
    Pid adder;
  };
  struct Delete {
    using Reply = HandlerResult<void>;
    explicit Delete(std::string i) : id(std::move(i)) {}
    std::string id;
  };
  struct Swap {
    using Reply = HandlerResult<void>;
    Swap(std::string o, std::string n, MakeFrom m)
        : old_id(std::move(o)), new_id(std::move(n)), make(std::move(m)) {}
    std::string old_id, new_id;
    MakeFrom make;
  };
  struct Which {
    using Reply = std::vector<std::string>;
  };
  struct Notify {
    explicit Notify(Event e) : event(std::move(e)) {}
    Event event;
  };
  struct SyncNotify {
    using Reply = void;
    explicit SyncNotify(Event e) : event(std::move(e)) {}
    Event event;
  };
  struct Ask {
    using Reply = HandlerResult<void>;
    using Question = std::function<bool(Handler&)>;
    Ask(std::string i, Question q) : id(std::move(i)), question(std::move(q)) {}
    std::string id;
    Question question;
  };
  using Calls = Messages<Add, Delete, Swap, Which, SyncNotify, Ask>;
  using Casts = Messages<Notify>;
  using Infos = Messages<Down, Exit>;

  HandlerResult<void> handle_call(const Add& m) { return add(m.id, m.make, nullptr, m.adder); }
  HandlerResult<void> handle_call(const Delete& m) {
    const auto found = find(m.id);
    if (found == handlers_.end()) return error(HandlerError::Code::not_found);
    take_out(found, ExitReason::term("delete_handler"), ExitReason::normal());
    return {};
  }
  HandlerResult<void> handle_call(const Swap& m) {
    if (m.new_id != m.old_id && find(m.new_id) != handlers_.end()) {
      return error(HandlerError::Code::already_present);
    }
    std::unique_ptr<Handler> old;
    Pid adder;
    if (const auto found = find(m.old_id); found != handlers_.end()) {
      adder = found->adder;
      old = take_out(found, ExitReason::term("swapped"),
                     ExitReason::term("{swapped," + m.new_id + "}"));
    }
    auto added = add(m.new_id, m.make, std::move(old), adder);
    // Who added the old one has heard that the new one took its place.
    if (!added && adder) {
      coterie::send(adder, EventHandlerExit{self(), m.new_id, added.error().reason});
    }
    return added;
  }
  std::vector<std::string> handle_call(const Which&) {
    std::vector<std::string> ids;
    for (const Entry& entry : handlers_) ids.push_back(entry.id);
    return ids;
  }
  void handle_call(const SyncNotify& m) { tell(m.event); }
  HandlerResult<void> handle_call(const Ask& m) {
    const auto found = find(m.id);
    if (found == handlers_.end()) return error(HandlerError::Code::not_found);
    bool right_type = false;
    const auto fault = detail::handler_fault([&] { right_type = m.question(*found->handler); });
    if (fault) {
      broken(found, *fault);
      return error(HandlerError::Code::failed, *fault);
    }
    if (!right_type) return error(HandlerError::Code::not_found);
    return {};
  }
  void handle_cast(const Notify& m) { tell(m.event); }
  void handle_info(const Down& down) {
    const auto found = std::ranges::find(handlers_, down.ref, &Entry::monitor);
    if (found != handlers_.end()) take_out(found, down.reason, down.reason);
  }
  void handle_info(const Exit&) {}
  void terminate(const ExitReason& reason) {
    while (!handlers_.empty()) take_out(handlers_.begin(), reason, ExitReason::shutdown());
  }
  /// What sys shows.
  std::string format_status() const {
    std::string text = "{gen_event,[";
    for (const Entry& entry : handlers_) text += (text.back() == '[' ? "" : ",") + entry.id;
    return text + "]}";
  }

 private:
  struct Entry {
    std::string id;
    std::unique_ptr<Handler> handler;
    Pid adder{};  // of add_sup_handler
    Ref monitor = Ref::none;
  };
  using Entries = std::vector<Entry>;  // the newest first

  static StartOptions start_options(GenEventOptions options) {
    StartOptions start;
    start.name = std::move(options.name);
    start.trap_exit = true;  // so that terminate runs when its supervisor stops it
    start.label = std::move(options.label);
    return start;
  }
  static MakeFrom from_nothing(Make make) {
    return [make = std::move(make)](std::unique_ptr<Handler>) { return make(); };
  }
  template <class R>
  static auto ask(const ServerRef& manager, R request) {
    using Reply = ReplyOf<R>;
    auto answer = coterie::call(manager, std::move(request), infinity);
    if constexpr (std::is_same_v<Reply, Nothing>) {
      if (!answer) return HandlerResult<void>(std::unexpected(detail::no_manager(answer.error())));
      return HandlerResult<void>();
    } else if constexpr (requires { typename Reply::error_type; }) {
      if (!answer) return Reply(std::unexpected(detail::no_manager(answer.error())));
      return std::move(*answer);
    } else {
      if (!answer) return HandlerResult<Reply>(std::unexpected(detail::no_manager(answer.error())));
      return HandlerResult<Reply>(std::move(*answer));
    }
  }
  static std::unexpected<HandlerError> error(HandlerError::Code code, ExitReason reason = {}) {
    return std::unexpected(HandlerError{code, std::move(reason)});
  }

  typename Entries::iterator find(const std::string& id) {
    return std::ranges::find(handlers_, id, &Entry::id);
  }
  HandlerResult<void> add(const std::string& id, const MakeFrom& make, std::unique_ptr<Handler> old,
                          const Pid& adder) {
    if (find(id) != handlers_.end()) return error(HandlerError::Code::already_present);
    Entry entry{id, nullptr, adder};
    auto fault = detail::handler_fault([&] { entry.handler = make(std::move(old)); });
    if (!fault && !entry.handler) fault = ExitReason::term("no_handler");
    if (fault) return error(HandlerError::Code::failed, *fault);
    if (adder) entry.monitor = coterie::monitor(adder);
    handlers_.insert(handlers_.begin(), std::move(entry));
    return {};
  }
  void tell(const Event& event) {
    for (std::size_t i = 0; i < handlers_.size();) {
      auto then = Handler::Then::stay;
      const auto fault =
          detail::handler_fault([&] { then = handlers_[i].handler->handle_event(event); });
      const auto entry = handlers_.begin() + static_cast<std::ptrdiff_t>(i);
      if (fault) {
        broken(entry, *fault);
      } else if (then == Handler::Then::remove) {
        take_out(entry, ExitReason::normal(), ExitReason::normal());
      } else {
        ++i;
      }
    }
  }
  void broken(typename Entries::iterator found, const ExitReason& reason) {
    detail::report_handler(found->id, reason);
    take_out(found, reason, reason);
  }
  /// `told` is what its adder, if it has one, hears.
  std::unique_ptr<Handler> take_out(typename Entries::iterator found, const ExitReason& reason,
                                    const ExitReason& told) {
    const std::string id = found->id;
    auto handler = without(found, told);
    if (const auto fault = detail::handler_fault([&] { handler->terminate(reason); })) {
      detail::report_handler(id, *fault);
    }
    return handler;
  }
  std::unique_ptr<Handler> without(typename Entries::iterator found, const ExitReason& told) {
    Entry entry = std::move(*found);
    handlers_.erase(found);
    if (entry.monitor != Ref::none) demonitor(entry.monitor);
    if (entry.adder) coterie::send(entry.adder, EventHandlerExit{self(), entry.id, told});
    return std::move(entry.handler);
  }

  Entries handlers_;
};

}  // namespace coterie

template <>
class std::bad_expected_access<coterie::HandlerError>
    : public coterie::detail::BadResult<coterie::HandlerError> {
 public:
  using BadResult::BadResult;
};
