#include "examples/contracts/lifecycle.hpp"

#include <algorithm>

namespace contracts {
namespace {

constexpr bool is_listed(State from, Operation on, bool fully_paid) {
  if (on == Operation::get) return false;
  if (fully_paid && on != Operation::pay) return false;
  return next_state(from, on, fully_paid).has_value();
}

constexpr std::size_t count_transitions() {
  std::size_t count = 0;
  for (const State from : states) {
    for (const Operation on : operations) {
      for (const bool fully_paid : {false, true}) count += is_listed(from, on, fully_paid) ? 1 : 0;
    }
  }
  return count;
}

constexpr auto list_transitions() {
  std::array<Transition, count_transitions()> list{};
  std::size_t index = 0;
  for (const State from : states) {
    for (const Operation on : operations) {
      for (const bool fully_paid : {false, true}) {
        if (!is_listed(from, on, fully_paid)) continue;
        list[index++] = {from, on, *next_state(from, on, fully_paid), fully_paid};
      }
    }
  }
  return list;
}

constexpr auto table = list_transitions();
static_assert(table.size() == 7, "pending 2, approved 1, disbursed 2, repaying 2");

std::string label(const Transition& transition) {
  std::string text(to_string(transition.on));
  if (transition.on == Operation::pay) {
    text += transition.fully_paid ? ", total reached" : ", less than total";
  }
  return text;
}

constexpr bool is_final(State state) {
  return std::ranges::none_of(table, [state](const Transition& t) { return t.from == state; });
}

}  // namespace

std::span<const Transition> transitions() noexcept { return table; }

bool comes_to_allow(State from, Operation operation) noexcept {
  if (next_state(from, operation, false)) return true;
  return std::ranges::any_of(table, [&](const Transition& transition) {
    return transition.from == from && transition.to != from &&
           comes_to_allow(transition.to, operation);
  });
}

std::string transitions_diagram() {
  std::string text = "stateDiagram-v2\n    [*] --> pending: start\n";
  for (const Transition& transition : table) {
    text += "    " + std::string(to_string(transition.from)) + " --> " +
            std::string(to_string(transition.to)) + ": " + label(transition) + "\n";
  }
  for (const State state : states) {
    if (is_final(state)) text += "    " + std::string(to_string(state)) + " --> [*]\n";
  }
  return text;
}

std::string_view to_string(State state) noexcept {
  switch (state) {
    case State::pending:
      return "pending";
    case State::approved:
      return "approved";
    case State::disbursed:
      return "disbursed";
    case State::repaying:
      return "repaying";
    case State::completed:
      return "completed";
    case State::rejected:
      return "rejected";
  }
  return "unknown";
}

std::string_view to_string(Operation operation) noexcept {
  switch (operation) {
    case Operation::start:
      return "start";
    case Operation::approve:
      return "approve";
    case Operation::reject:
      return "reject";
    case Operation::disburse:
      return "disburse";
    case Operation::pay:
      return "pay";
    case Operation::get:
      return "get";
  }
  return "unknown";
}

std::optional<State> state_of(std::string_view text) noexcept {
  for (const State state : states) {
    if (to_string(state) == text) return state;
  }
  return std::nullopt;
}

std::optional<Operation> operation_of(std::string_view text) noexcept {
  for (const Operation operation : operations) {
    if (to_string(operation) == text) return operation;
  }
  return std::nullopt;
}

}  // namespace contracts
