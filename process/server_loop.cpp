#include "process/server_loop.hpp"

#include <utility>

#include "process/exit_cause.hpp"
#include "process/report.hpp"
#include "process/resolve.hpp"

namespace coterie::detail {
namespace {

/// Fires at the end of an idle period; `turn` tells a period that a message has ended since.
struct IdleTick {
  std::uint64_t turn = 0;
};

}  // namespace

class ServerLoop final : public Behaviour {
 public:
  ServerLoop(std::string type, MakeCallbacks make, StartOptions options, Ticket starter)
      : type_(std::move(type)),
        make_(std::move(make)),
        options_(std::move(options)),
        starter_(starter) {}

  void start() override {
    Process& self = current_process();
    if (auto taken = take_name(self)) {
      answer_start(self, std::unexpected(std::move(*taken)));
      self.exit_later(ExitReason::normal());
      return;
    }
    GenServer::Init::Kind kind{};
    CallbackResult result;
    try {
      callbacks_ = make_();
      make_ = nullptr;
      result = callbacks_->init(kind);
    } catch (const ProcessExit&) {
      fail_start(self, *self.exit_);
      throw;
    } catch (...) {
      fail_start(self, exit_cause(std::current_exception()));
      return;
    }
    if (kind == GenServer::Init::Kind::ignore) {
      drop_name(self);
      answer_start(self, std::unexpected(StartError{.code = StartError::Code::ignored}));
      self.exit_later(ExitReason::normal());
      return;
    }
    if (kind == GenServer::Init::Kind::stop) {
      fail_start(self, result.directive.reason);
      return;
    }
    if (auto failed = confirm_name(self)) {
      answer_start(self, std::unexpected(std::move(*failed)));
      self.exit_later(ExitReason::shutdown("name_lost"));
      return;
    }
    answer_start(self, self.pid());
    follow(self, std::move(result.directive));
  }

  void handle(MessagePtr message) override {
    Process& self = current_process();
    hibernating_ = false;
    if (const auto* tick = message->as<IdleTick>()) {
      on_tick(self, tick->turn);
      return;
    }
    if (const auto* exit = message->as<Exit>();
        exit != nullptr && self.parent_ && exit->from == self.parent_) {
      finish(self, exit->reason);
      return;
    }
    if (message->kind == MessageKind::call && run_system(self, *message)) return;
    ++turn_;
    idle_ = infinity;
    if (message->extra() != nullptr && message->extra()->expires <= self.runtime().clock().now()) {
      self.runtime().counters().expired_requests.fetch_add(1, std::memory_order_relaxed);
      self.runtime().fail(caller_of(self, *message),
                          CallError(CallError::Code::timeout, CallError::Execution::not_executed));
      return;
    }
    if (message->kind != MessageKind::call) {
      run(self, [&] { return callbacks_->handle(*message, {}); }, message.get(), {});
      return;
    }
    const Caller caller = caller_of(self, *message);
    const Serving serving(self, caller, *message);
    run(
        self, [&] { return callbacks_->handle(*message, caller); }, message.get(), caller);
  }

  void ended(Process& self, const ExitReason& reason) override {
    if (answered_) return;  // else it was killed in its init
    drop_name(self);
    answer_start(self,
                 std::unexpected(StartError{.code = StartError::Code::failed, .reason = reason}));
  }

  std::string_view initial_call() const noexcept override { return type_; }
  bool hibernating() const noexcept override { return hibernating_; }
  std::string last_message() const override { return last_message_; }

 private:
  static Caller caller_of(Process& self, const Message& message) {
    return {message.from, message.ref(), message.named, self.pid()};
  }

  // ---- start

  std::optional<StartError> take_name(Process& self) {
    if (const auto* local = std::get_if<LocalName>(&options_.name)) {
      if (self.take_name(local->name)) return std::nullopt;
      return StartError{.code = StartError::Code::already_started,
                        .holder = self.runtime().whereis(local->name).value_or(Pid{})};
    }
    const auto* via = std::get_if<ViaName>(&options_.name);
    if (via == nullptr) return std::nullopt;
    NameService* names = self.runtime().names();
    if (names == nullptr) {
      return StartError{.code = StartError::Code::unavailable,
                        .detail = "there is no registry " + via->registry + " on this node"};
    }
    auto reserved = names->reserve(via->registry, via->key, self.pid(), name_timeout());
    if (!reserved) return start_error(reserved.error());
    Relations& relations = self.relations();
    relations.via = *via;
    relations.via_text = to_string(ServerRef(*via));
    relations.registration = *reserved;
    self.epoch_ = reserved->epoch;
    return std::nullopt;
  }

  std::optional<StartError> confirm_name(Process& self) {
    const auto* via = std::get_if<ViaName>(&options_.name);
    if (via == nullptr) return std::nullopt;
    auto confirmed = self.runtime().names()->confirm(via->registry, via->key,
                                                     self.relations().registration, name_timeout());
    return confirmed ? std::nullopt : std::optional(start_error(confirmed.error()));
  }

  void drop_name(Process& self) {
    if (!self.relations_) return;
    Relations& relations = *self.relations_;
    if (!relations.name.empty()) {
      self.runtime().unregister_name(std::exchange(relations.name, {}), self.pid());
    }
    if (relations.registration.id != 0) {
      self.runtime().names()->release(relations.via.registry, relations.via.key, self.pid(),
                                      std::exchange(relations.registration, {}));
    }
  }

  Duration name_timeout() const {
    // The starter is to hear why before it stops to wait.
    if (options_.timeout == infinity) return std::chrono::seconds(10);
    return options_.timeout / 4 * 3;
  }

  static StartError start_error(const NameError& error) {
    const bool taken = error.code == NameError::Code::taken;
    return {.code = taken ? StartError::Code::already_started : StartError::Code::unavailable,
            .holder = error.holder,
            .detail = error.message};
  }

  void fail_start(Process& self, ExitReason reason) {
    // The name is free before the starter hears of the failure: it may start again at once.
    drop_name(self);
    answer_start(self,
                 std::unexpected(StartError{.code = StartError::Code::failed, .reason = reason}));
    self.exit_later(std::move(reason));
  }

  void answer_start(Process& self, std::expected<Pid, StartError> result) {
    // A failed start tells by its answer, not by an exit signal through the link as well.
    if (!result && self.relations_) std::erase(self.relations_->links, self.parent_);
    self.runtime().complete(starter_,
                            make_message(MessageKind::reply, StartAnswer{std::move(result)}));
    answered_ = true;
  }

  // ---- callbacks

  template <class Callback>
  void run(Process& self, const Callback& callback, Message* message, const Caller& caller) {
    CallbackResult result;
    try {
      result = callback();
    } catch (const ProcessExit&) {
      keep_last(self, message);
      throw;
    } catch (...) {
      keep_last(self, message);
      finish(self, exit_cause(std::current_exception()));
      return;
    }
    if (result.fault != CallbackResult::Fault::none) {
      on_fault(self, result, message, caller);
      return;
    }
    if (result.directive.act == Directive::Act::stop) {
      // OTP's order: terminate, then the reply, then the exit.
      run_terminate(result.directive.reason);
      if (result.reply) reply_message(caller, std::move(result.reply));
      self.exit_later(std::move(result.directive.reason));
      return;
    }
    if (result.reply) reply_message(caller, std::move(result.reply));
    follow(self, std::move(result.directive));
  }

  /// The message is gone when the crash is reported.
  void keep_last(Process& self, Message* message) {
    if (message != nullptr && crash_wanted(self.runtime().log())) {
      last_message_ = AnyMessage(message).to_text();
    }
  }

  void on_fault(Process& self, CallbackResult& result, Message* message, const Caller& caller) {
    using Fault = CallbackResult::Fault;
    if (result.fault == Fault::no_reply_taker) {
      finish(self, ExitReason::term("bad_return"));
      return;
    }
    const std::string type = message == nullptr ? "" : AnyMessage(message).type_name();
    self.runtime().log().warning(
        LogModule::process,
        result.fault == Fault::undecodable ? "a message could not be decoded"
                                           : "a message is not one of this server's",
        {{"server", type_}, {"pid", self.pid()}, {"message", type}, {"why", result.why}});
    if (message == nullptr || message->kind != MessageKind::call) return;
    self.forget_caller(caller.pid, caller.ref);
    self.runtime().fail(caller,
                        CallError(result.fault == Fault::undecodable ? CallError::Code::undecodable
                                                                     : CallError::Code::refused,
                                  CallError::Execution::not_executed, ExitReason::term("bad_call"),
                                  type_ + " does not take " + type +
                                      (result.why.empty() ? "" : ": " + result.why)));
  }

  void follow(Process& self, Directive directive) {
    while (directive.continue_with && !self.exit_) {
      MessagePtr next = std::move(directive.continue_with);
      directive = {};
      CallbackResult result;
      try {
        result = callbacks_->handle_continue(*next);
      } catch (const ProcessExit&) {
        throw;
      } catch (...) {
        finish(self, exit_cause(std::current_exception()));
        return;
      }
      directive = std::move(result.directive);
      if (result.fault != CallbackResult::Fault::none) {
        finish(self, ExitReason::term("bad_continue"));
        return;
      }
      if (directive.act == Directive::Act::stop) {
        finish(self, std::move(directive.reason));
        return;
      }
    }
    if (directive.timeout) {
      idle_ = *directive.timeout;
      hibernate_at_end_ = false;
      arm(self);
    } else if (directive.hibernate) {
      hibernate(self);
    } else if (options_.hibernate_after) {
      idle_ = *options_.hibernate_after;
      hibernate_at_end_ = true;
      arm(self);
    }
  }

  // ---- idle timeout: one timer at most is under way; it is set again when it finds it was early

  void arm(Process& self) {
    if (idle_ == Duration::zero()) {
      // With a message in the queue a timeout of zero is skipped; otherwise it is next.
      auto tick = make_message(MessageKind::send, IdleTick{turn_});
      self.runtime().push(self.pid(), tick);
      return;
    }
    if (idle_ == infinity) return;
    const Time now = self.runtime().clock().now();
    idle_end_ = after(now, idle_);
    idle_turn_ = turn_;
    if (timer_end_ > now && timer_end_ <= idle_end_) return;
    timer_end_ = idle_end_;
    self.runtime().start_timer(idle_, self.pid(), make_message(MessageKind::send, IdleTick{0}));
  }

  void on_tick(Process& self, std::uint64_t turn) {
    if (turn == 0) {
      timer_end_ = {};
      if (idle_ == infinity || idle_turn_ != turn_) return;
      const Time now = self.runtime().clock().now();
      if (now < idle_end_) {
        timer_end_ = idle_end_;
        self.runtime().start_timer(idle_end_ - now, self.pid(),
                                   make_message(MessageKind::send, IdleTick{0}));
        return;
      }
    } else if (turn != turn_) {
      return;
    }
    if (self.has_queued()) return;  // a message came first
    idle_ = infinity;
    if (std::exchange(hibernate_at_end_, false)) {
      hibernate(self);
      return;
    }
    auto timeout = make_message(MessageKind::send, Timeout{});
    run(self, [&] { return callbacks_->handle(*timeout, {}); }, timeout.get(), {});
  }

  void hibernate(Process& self) {
    if (self.has_queued()) return;
    callbacks_->hibernate();
    hibernating_ = true;
  }

  // ---- the end

  bool run_system(Process& self, Message& message) {
    MessagePtr decoded;
    StopRequest* stop = message.as<StopRequest>();
    if (stop == nullptr) {
      decoded = decode_as<StopRequest>(message);
      if (!decoded) return false;
      stop = decoded->as<StopRequest>();
    }
    // Noted, so that it is answered too if terminate does not come to its end.
    self.callers_.push_back(caller_of(self, message));
    run_terminate(stop->reason);
    reply_message(caller_of(self, message), make_message(MessageKind::reply, Nothing{}));
    self.exit_later(std::move(stop->reason));
    return true;
  }

  void finish(Process& self, ExitReason reason) {
    run_terminate(reason);
    self.exit_later(std::move(reason));
  }

  void run_terminate(ExitReason& reason) {
    try {
      callbacks_->terminate(reason);
    } catch (const ProcessExit&) {
      throw;
    } catch (...) {
      reason = exit_cause(std::current_exception());
    }
  }

  const std::string type_;
  MakeCallbacks make_;
  const StartOptions options_;
  const Ticket starter_;
  std::unique_ptr<Callbacks> callbacks_;
  std::string last_message_;
  std::uint64_t turn_ = 1;       // grows with each message
  std::uint64_t idle_turn_ = 0;  // in which the idle period began
  Duration idle_ = infinity;
  Time idle_end_{};
  Time timer_end_{};
  bool answered_ = false;
  bool hibernate_at_end_ = false;
  bool hibernating_ = false;
};

std::unique_ptr<Behaviour> make_server_loop(std::string type, MakeCallbacks make,
                                            StartOptions options, Ticket starter) {
  return std::make_unique<ServerLoop>(std::move(type), std::move(make), std::move(options),
                                      starter);
}

}  // namespace coterie::detail
