#include "process/thread_start.hpp"

#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

namespace coterie::detail {
namespace {

// Signals that the thread's own instructions raise stay open, as do those of profilers.
sigset_t asynchronous_signals() {
  sigset_t set;
  ::sigfillset(&set);
  for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF}) {
    ::sigdelset(&set, signal);
  }
  return set;
}

[[noreturn]] void abort_with(std::string_view who, const char* what) noexcept {
  std::fprintf(stderr, "coterie: %.*s: an exception left the job: %s\n",
               static_cast<int>(who.size()), who.data(), what);
  std::abort();
}

}  // namespace

std::thread start_thread(std::string name, std::move_only_function<void()> body) {
  // A thread inherits its creator's mask, so it is blocked before the thread can get a signal.
  const sigset_t blocked = asynchronous_signals();
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  struct Restore {
    const sigset_t& mask;
    ~Restore() { ::pthread_sigmask(SIG_SETMASK, &mask, nullptr); }
  } restore{before};
  return std::thread([name = std::move(name), body = std::move(body)]() mutable {
    ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
    run_or_abort(name, body);
  });
}

void run_or_abort(std::string_view who, std::move_only_function<void()>& body) noexcept {
  try {
    body();
  } catch (const std::exception& error) {
    abort_with(who, error.what());
  } catch (...) {
    abort_with(who, "of a type that is not a std::exception");
  }
}

}  // namespace coterie::detail
