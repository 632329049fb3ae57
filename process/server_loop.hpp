#pragma once
// The loop of a GenServer as a behaviour: init, callbacks, idle timeout, terminate, and the exact
// order of reply and exit (gen_server.erl); sys requests between two callbacks (sys.erl). One per
// server, run inside its process. What is rare hangs off a pointer: a server without debugging
// pays one test for it per message.

#include <memory>
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
  ServerLoop(std::string_view type, std::unique_ptr<ServerStart> start);

  void start() override;
  void handle(MessagePtr message) override;
  void ended(Process& self, const ExitReason& reason) override;
  std::string_view initial_call() const noexcept override { return type_; }
  bool hibernating() const noexcept override { return hibernating_; }
  bool suspended() const noexcept override { return suspended_; }
  bool answers_system() const noexcept override { return true; }
  void describe(CrashReport& crash) const override;

 private:
  using Answer = std::expected<MessagePtr, CallError>;  // to a sys request

  // ---- callbacks (server_loop.cpp)
  void run(Process& self, Message& message, const Caller& caller);
  void on_result(Process& self, CallbackResult& result, Message& message, const Caller& caller);
  void on_fault(Process& self, CallbackResult& result, Message& message, const Caller& caller);
  void follow(Process& self, Directive directive);
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
  CallError no_such_state(const std::type_info& wanted) const;
  std::string state_text() const;
  void note_received(Process& self, Message& message);
  sys::Event event(Process& self, sys::Event::Kind kind) const;
  void note(Process& self, sys::Event event);

  std::string_view type_;
  std::unique_ptr<ServerStart> start_;  // until init is done
  std::unique_ptr<Callbacks> callbacks_;
  std::unique_ptr<ServerDebug> debug_;  // while anything of it is switched on
  struct LastMessage {
    std::string text;
    Pid from;
  };
  std::unique_ptr<LastMessage> last_message_;  // of a server that crashes
  Duration hibernate_after_ = infinity;
  Duration idle_ = infinity;  // the idle period, infinity: none
  Time idle_end_{};
  Time timer_end_{};        // of the timer that is under way
  std::uint64_t turn_ = 1;  // grows with each message and each period of zero
  bool hibernate_at_end_ = false;
  bool hibernating_ = false;
  bool suspended_ = false;
};

}  // namespace coterie::detail
