#pragma once
// The loop of a GenServer as a behaviour: init, callbacks, idle timeout, terminate, and the exact
// order of reply and exit (gen_server.erl); sys requests between two callbacks (sys.erl). One per
// server, run inside its process. It and the user's server are one block of memory, and what few
// servers have hangs off one pointer: there may be millions, and each message tests it once.

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include <coterie/gen_server.hpp>

#include "process/behaviour.hpp"
#include "process/server_debug.hpp"
#include "process/server_start.hpp"
#include "process/sys_messages.hpp"

namespace coterie::detail {

class Process;

class ServerLoop final : public Behaviour {
 public:
  static std::unique_ptr<Behaviour> make(const ServerKind& kind, MakeCallbacks make,
                                         StartOptions options, Ticket starter);
  ~ServerLoop() override;

  void start() override;
  void handle(MessagePtr message) override;
  LastWord ended(Process& self, const ExitReason& reason) override;
  std::string_view initial_call() const noexcept override {
    return callbacks_ != nullptr   ? callbacks_->type()
           : starting() != nullptr ? starting()->kind.type
                                   : "";
  }
  bool hibernating() const noexcept override { return seldom_ && seldom_->hibernating; }
  bool suspended() const noexcept override { return seldom_ && seldom_->suspended; }
  bool answers_system() const noexcept override { return true; }
  void describe(CrashReport& crash) const override;

  static void operator delete(void* memory) { ::operator delete(memory); }

 private:
  static void* operator new(std::size_t bytes, const ServerKind& kind);
  static void operator delete(void* memory, const ServerKind&) { ::operator delete(memory); }
  ServerLoop() noexcept = default;

  using Answer = std::expected<MessagePtr, CallError>;  // to a sys request

  // ---- callbacks (server_loop.cpp)
  void run(Process& self, Message& message, const Caller& caller);
  CallbackResult call_back(Process& self, Message& message, const Caller& caller, bool& threw);
  void on_result(Process& self, CallbackResult& result, Message& message, const Caller& caller);
  void on_fault(Process& self, CallbackResult& result, Message& message, const Caller& caller);
  void follow(Process& self, Directive& directive);
  void settle(Process& self, const Directive& directive);
  void finish(Process& self, ExitReason reason);
  void run_terminate(ExitReason& reason);
  void fail_start(Process& self, ExitReason reason, bool quiet = false);
  void remember(Process& self, Message& message);
  bool is_parents_exit(Process& self, Message& message) const;

  // ---- idle timeout (server_idle.cpp): one timer at most is under way; it is set again when it
  // finds that it was early
  void arm(Process& self);
  void on_tick(Process& self, std::uint64_t turn);
  void hibernate(Process& self);
  void restart_idle(Process& self);

  // ---- sys (server_sys.cpp)
  void handle_system(Process& self, MessagePtr message);
  void serve_system(Process& self, Message& message);
  void wait_suspended(Process& self);
  Answer serve(Process& self, GetState& request);
  Answer serve(Process& self, ReplaceState& request);
  Answer serve(Process& self, Suspend& request);
  Answer serve(Process& self, Resume& request);
  Answer serve(Process& self, GetStatus& request);
  Answer serve(Process& self, SetTrace& request);
  Answer serve(Process& self, SetLog& request);
  Answer serve(Process& self, GetLog& request);
  Answer serve(Process& self, SetStatistics& request);
  Answer serve(Process& self, GetStatistics& request);
  Answer serve(Process& self, Install& request);
  Answer serve(Process& self, Remove& request);
  Answer serve(Process& self, NoDebug& request);
  Answer serve(Process& self, Terminate& request);
  Answer serve(Process& self, ChangeCode& request);
  ServerDebug& debug(Process& self);
  ServerDebug* debug() const noexcept { return seldom_ ? seldom_->debug.get() : nullptr; }
  void stop_idle_debug() noexcept;
  CallError no_such_state(const std::type_info& wanted) const;
  std::string state_text() const;
  void note_received(Process& self, Message& message);
  sys::Event event(Process& self, sys::Event::Kind kind) const;
  void note(Process& self, sys::Event event);

  struct LastMessage {
    std::string text;
    Pid from;
  };
  /// What few servers ever have.
  struct Seldom {
    std::optional<ServerStart> start;           // until init is done
    std::unique_ptr<ServerDebug> debug;         // while anything of it is switched on
    std::unique_ptr<LastMessage> last_message;  // of a server that crashes
    std::unique_ptr<Callbacks> upgraded;        // in place of those it was started with
    Duration hibernate_after = infinity;
    Duration idle = infinity;  // the idle period, infinity: none
    Time idle_end{};
    Time timer_end{};        // of the timer that is under way
    std::uint64_t turn = 1;  // grows with each message and each period of zero
    bool hibernate_at_end = false;
    bool hibernating = false;
    bool suspended = false;
  };
  Seldom& seldom() {
    if (!seldom_) seldom_ = std::make_unique<Seldom>();
    return *seldom_;
  }
  ServerStart* starting() noexcept {
    return seldom_ && seldom_->start ? &*seldom_->start : nullptr;
  }
  const ServerStart* starting() const noexcept {
    return seldom_ && seldom_->start ? &*seldom_->start : nullptr;
  }
  void* place_of_callbacks(const ServerKind& kind) noexcept;
  void replace_callbacks(std::unique_ptr<Callbacks> upgraded);

  Callbacks* callbacks_ = nullptr;  // behind this object, unless they were upgraded
  std::unique_ptr<Seldom> seldom_;
};

}  // namespace coterie::detail
