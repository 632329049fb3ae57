#include "process/server_start.hpp"

#include "process/runtime.hpp"

namespace coterie::detail {
namespace {

StartError start_error(const NameError& error) {
  const bool taken = error.code == NameError::Code::taken;
  return {.code = taken ? StartError::Code::already_started : StartError::Code::unavailable,
          .holder = error.holder,
          .detail = error.message};
}

}  // namespace

std::optional<StartError> ServerStart::take_name(Process& self) {
  if (const auto* local = std::get_if<LocalName>(&options.name)) {
    if (self.take_name(local->name)) return std::nullopt;
    return StartError{.code = StartError::Code::already_started,
                      .holder = self.runtime().whereis(local->name).value_or(Pid{})};
  }
  const auto* via = std::get_if<ViaName>(&options.name);
  if (via == nullptr) return std::nullopt;
  NameService* names = self.runtime().names();
  if (names == nullptr) {
    return StartError{.code = StartError::Code::unavailable,
                      .detail = "there is no registry " + via->registry + " on this node"};
  }
  auto reserved = names->reserve(via->registry, via->key, self.pid(), name_timeout());
  if (!reserved) return start_error(reserved.error());
  Names& own = self.names();
  own.via = *via;
  own.via_text = to_string(ServerRef(*via));
  own.registration = *reserved;
  self.set_epoch(reserved->epoch);
  return std::nullopt;
}

std::optional<StartError> ServerStart::confirm_name(Process& self) {
  const auto* via = std::get_if<ViaName>(&options.name);
  if (via == nullptr) return std::nullopt;
  auto confirmed = self.runtime().names()->confirm(via->registry, via->key,
                                                   self.names().registration, name_timeout());
  return confirmed ? std::nullopt : std::optional(start_error(confirmed.error()));
}

void ServerStart::succeed(Process& self) {
  answered_ = true;
  self.runtime().complete(starter_, make_message(MessageKind::reply, StartAnswer{self.pid()}));
}

Behaviour::LastWord ServerStart::ended(Process& self, const ExitReason& reason) {
  if (answered_) return {};
  // A failed start tells by its answer, not by an exit signal through the link as well.
  self.remove_link(self.parent());
  // Without an error it was killed in its init.
  if (!error_) error_ = StartError{.code = StartError::Code::failed, .reason = reason};
  return {starter_,
          make_message(MessageKind::reply, StartAnswer{std::unexpected(std::move(*error_))})};
}

Duration ServerStart::name_timeout() const {
  // The starter is to hear why before it stops to wait.
  if (options.timeout == infinity) return std::chrono::seconds(10);
  return options.timeout / 4 * 3;
}

}  // namespace coterie::detail
