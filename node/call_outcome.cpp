#include "node/call_outcome.hpp"

#include <nlohmann/json.hpp>

#include <coterie/pack.hpp>

#include "node/exit_codes.hpp"
#include "process/json.hpp"

namespace coterie {
namespace {

struct Marked {
  bool good = false;
  BytesView value;
};

/// The parts of a std::expected, if that is what it is.
std::optional<Marked> marked(BytesView reply) {
  Unpacker unpacker(reply);
  std::size_t count = 0;
  BytesView key, value;
  if (unpacker.peek() != Unpacker::Type::map || !unpacker.map(count) || count != 1) return {};
  if (unpacker.peek() != Unpacker::Type::text || !unpacker.bytes(key)) return {};
  const bool good = key == detail::expected_value_key;
  if (!good && key != detail::expected_error_key) return {};
  if (!unpacker.skip(&value) || !unpacker.finish()) return {};
  return Marked{good, value};
}

std::string_view advice(const CallError& error) noexcept {
  using Code = CallError::Code;
  switch (error.code()) {
    case Code::noproc:
      return "nothing runs under that name; start it first, or see `coterie status`";
    case Code::refused:
      return "see which messages the server takes, and the spelling of TYPE and of the fields";
    case Code::undecodable:
      return "see the message's fields and their types";
    case Code::unavailable:
    case Code::nodedown:
      return "see `coterie status`, and try again";
    case Code::overloaded:
    case Code::system_limit:
      return "try again later";
    case Code::quarantined:
      return "it took two nodes down; see the nodes' logs before it is released";
    default:
      return {};
  }
}

}  // namespace

CallOutcome read_reply(BytesView reply) {
  const std::optional<Marked> parts = marked(reply);
  auto json = json_from_packed(parts ? parts->value : reply);
  if (!json) {
    return {
        exit_code::maybe_executed,
        {},
        "the call was answered, but the reply cannot be shown as JSON: " + to_string(json.error())};
  }
  return {parts && !parts->good ? exit_code::refused : exit_code::ok, std::move(*json), {}};
}

CallOutcome read_failure(const CallError& error, std::string_view repeat) {
  const bool maybe = error.maybe_executed();
  // A repeat from before the server's window of request ids: there is nothing to do about it.
  const bool ran = error.code() == CallError::Code::refused && maybe;
  std::string line = ran ? "it ran: " : maybe ? "it may have run: " : "it did not run: ";
  line += to_string(error.code());
  if (error.reason().kind() != ExitReason::Kind::normal &&
      error.code() == CallError::Code::exited) {
    line += " (" + to_string(error.reason()) + ')';
  }
  if (!error.detail().empty()) line += ": " + error.detail();
  if (maybe && !ran && !repeat.empty()) {
    line +=
        "; a server that keeps request ids runs it at most once if you call again with "
        "--request-id " +
        std::string(repeat);
  } else if (const std::string_view words = advice(error); !ran && !words.empty()) {
    line += "; " + std::string(words);
  }
  return {maybe ? exit_code::maybe_executed : exit_code::not_executed, {}, std::move(line)};
}

bool worth_another_try(const CallError& error, bool repeatable) noexcept {
  using Code = CallError::Code;
  switch (error.code()) {
    case Code::unavailable:
    case Code::overloaded:
    case Code::nodedown:
    case Code::noconnection:
    case Code::stale:
      return !error.maybe_executed() || repeatable;
    case Code::exited:
      return error.maybe_executed() && repeatable;  // its journal answers the repeat
    default:
      return false;
  }
}

CallError after_attempts(CallError last, bool an_earlier_one_may_have_run) {
  if (!an_earlier_one_may_have_run || last.maybe_executed()) return last;
  return {last.code(), CallError::Execution::unknown, last.reason(), last.detail()};
}

std::string pretty_json(const std::string& json) {
  return nlohmann::ordered_json::parse(json).dump(2);
}

}  // namespace coterie
