#include "process/server_debug.hpp"

#include <algorithm>

#include "process/runtime.hpp"
#include "process/sys_messages.hpp"

namespace coterie::detail {

bool ServerDebug::idle() const noexcept { return !wants_text() && !counting_; }

bool ServerDebug::wants_text() const noexcept {
  return trace_here_ || !printers_.empty() || log_max_ > 0 || !functions_.empty();
}

void ServerDebug::handle(const sys::Event& event) {
  if (trace_here_ || !printers_.empty() || log_max_ > 0) {
    const std::string line = to_string(event);
    // Past the log's levels: it was asked for.
    if (trace_here_) runtime_.log().write(LogModule::process, LogLevel::info, line, {});
    std::erase_if(printers_, [&](const Pid& printer) { return !print(printer, line); });
    if (log_max_ > 0) {
      log_.push_back(line);
      if (log_.size() > log_max_) log_.pop_front();
    }
  }
  std::erase_if(functions_, [&](Function& function) {
    try {
      return !function.run(event);
    } catch (const ProcessExit&) {
      throw;
    } catch (...) {
      return true;
    }
  });
}

/// Never waits for the link: a trace must not slow the server. False: the printer's node is gone.
bool ServerDebug::print(const Pid& printer, const std::string& line) {
  Envelope envelope;
  envelope.signal = Signal::send;
  envelope.from = running_process()->pid();
  envelope.to = printer;
  envelope.type = TraceLine::type_name;
  envelope.payload = pack(TraceLine{line});
  const SendResult sent = runtime_.send_remote(printer.node, envelope);
  if (sent == SendResult::busy) {
    runtime_.counters().dead_letters.fetch_add(1, std::memory_order_relaxed);
  }
  return sent != SendResult::no_node;
}

void ServerDebug::trace(bool on, const Pid& printer) {
  if (!printer) {
    trace_here_ = on;
    return;
  }
  // One line for each event and node, however often its tracing was asked for.
  for (const Pid& old : printers_) {
    if (old.node != printer.node) continue;
    Envelope end;
    end.signal = Signal::send;
    end.from = running_process()->pid();
    end.to = old;
    end.type = TraceEnd::type_name;
    end.payload = pack(TraceEnd{});
    runtime_.send_remote(old.node, end);
  }
  std::erase_if(printers_, [&](const Pid& old) { return old.node == printer.node; });
  if (on) printers_.push_back(printer);
}

void ServerDebug::keep(std::size_t events) {
  log_max_ = events;
  while (log_.size() > log_max_) log_.pop_front();
}

void ServerDebug::keep_statistics(bool on, WallTime now) {
  counting_ = on;
  statistics_ = {};
  statistics_.start_time = now;
}

void ServerDebug::install(std::string id, sys::DebugFunction function) {
  if (std::ranges::find(functions_, id, &Function::id) != functions_.end()) return;
  functions_.push_back({std::move(id), std::move(function)});
}

void ServerDebug::remove(std::string_view id) {
  std::erase_if(functions_, [&](const Function& function) { return function.id == id; });
}

void ServerDebug::clear() {
  trace_here_ = counting_ = false;
  for (const Pid& printer : std::vector(printers_)) trace(false, printer);
  log_max_ = 0;
  log_.clear();
  functions_.clear();
}

std::vector<std::string> ServerDebug::switched_on() const {
  std::vector<std::string> on;
  if (trace_here_ || !printers_.empty()) on.emplace_back("trace");
  if (log_max_ > 0) on.push_back("{log," + std::to_string(log_max_) + "}");
  if (counting_) on.emplace_back("statistics");
  for (const Function& function : functions_) on.push_back("{install," + function.id + "}");
  return on;
}

}  // namespace coterie::detail
