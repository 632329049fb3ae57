#pragma once
// Aliases: an address for answers that its owner can close. A message to a closed alias is dropped
// before the mailbox, so a late answer is never taken for the next one. Erlang's alias/1,
// unalias/1.
//
//   const Alias here = alias();
//   send(worker, Question{.answer_to = here});
//   receive([&](const Answer& answer) { use(answer); }, after(1s, [] { give_up(); }));
//   unalias(here);   // an answer from now on is counted as late, and gone
//
// The reference of a monitor is an alias too, open as long as the monitor is: Alias{self(), ref}.
// monitor(target, AliasMode) opens it in another way: monitor, then send with the alias inside.
// An Alias is a plain value; it may travel to other nodes inside a message.

#include <coterie/process.hpp>

namespace coterie {

struct Alias {
  Pid pid;
  Ref ref = Ref::none;
  friend bool operator==(const Alias&, const Alias&) = default;
};

enum class AliasUse : std::uint8_t {
  many,  // open until unalias()
  once,  // closed by the first message as well
};

/// How long the alias of a monitor is open: Erlang's {alias, ...} of monitor/3.
enum class AliasMode : std::uint8_t {
  demonitor,         // until demonitor() or its Down, as with every monitor
  reply_demonitor,   // and until the first message, which ends the monitor as well: the next of
                     // both, answer or Down, comes alone
  explicit_unalias,  // until unalias(), also after the Down
};
Ref monitor(const ServerRef& target, AliasMode mode);

/// Opens an alias of the calling process.
Alias alias(AliasUse use = AliasUse::many);
/// True if it was open. Messages that are in the mailbox already stay there.
bool unalias(const Alias& alias);

namespace detail {
void send_to_alias(const Alias& to, MessagePtr message);
}

/// Never fails, as send to a pid.
template <class T>
void send(const Alias& to, T message) {
  detail::send_to_alias(to, detail::make_message(detail::MessageKind::send, std::move(message)));
}

}  // namespace coterie
