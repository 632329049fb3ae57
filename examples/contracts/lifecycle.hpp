#pragma once
// The states of a contract and the only transitions between them. One constexpr function is the
// table; the list and the diagram are computed from it, so they cannot disagree.
// Pure; any thread.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace contracts {

enum class State : std::uint8_t { pending, approved, disbursed, repaying, completed, rejected };
enum class Operation : std::uint8_t { start, approve, reject, disburse, pay, get };

inline constexpr std::array states{State::pending,  State::approved,  State::disbursed,
                                   State::repaying, State::completed, State::rejected};
inline constexpr std::array operations{Operation::start,    Operation::approve, Operation::reject,
                                       Operation::disburse, Operation::pay,     Operation::get};

/// The state after `operation`, or nothing where the lifecycle does not allow it. `fully_paid`
/// matters to `pay` only: whether all payments, this one included, reach the total. `get` keeps the
/// state; `start` is allowed from no state, because a contract that has one exists.
constexpr std::optional<State> next_state(State from, Operation operation,
                                          bool fully_paid) noexcept {
  if (operation == Operation::get) return from;
  switch (from) {
    case State::pending:
      if (operation == Operation::approve) return State::approved;
      if (operation == Operation::reject) return State::rejected;
      return std::nullopt;
    case State::approved:
      if (operation == Operation::disburse) return State::disbursed;
      return std::nullopt;
    case State::disbursed:
    case State::repaying:
      if (operation == Operation::pay) return fully_paid ? State::completed : State::repaying;
      return std::nullopt;
    case State::completed:
    case State::rejected:
      return std::nullopt;
  }
  return std::nullopt;
}

/// Whether a contract in `from` can come to a state that allows `operation`, or is in one.
bool comes_to_allow(State from, Operation operation) noexcept;

struct Transition {
  State from = State::pending;
  Operation on = Operation::get;
  State to = State::pending;
  bool fully_paid = false;
};

/// Every transition that changes or may change the state, in the order of `states`.
std::span<const Transition> transitions() noexcept;
/// The same as a Mermaid state diagram, which docs/contracts.md shows.
std::string transitions_diagram();

std::string_view to_string(State state) noexcept;
std::string_view to_string(Operation operation) noexcept;
std::optional<State> state_of(std::string_view text) noexcept;
std::optional<Operation> operation_of(std::string_view text) noexcept;

}  // namespace contracts
