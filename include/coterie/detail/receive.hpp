#pragma once
// receive(...) and its clauses, spelled out for the compiler. Included by <coterie/process.hpp>.

#include <tuple>

#include <coterie/process.hpp>

namespace coterie::detail {

template <class... Clauses>
void a_clause_of_receive_is_a_function_of_one_message() = delete;
template <class... Results>
void the_clauses_of_receive_return_different_types() = delete;

template <class A, class R>
struct ClauseOf {
  using Argument = std::remove_cvref_t<A>;
  using Result = R;
};
template <class F>
struct ClauseTraits {};  // no clause
template <class F>
requires requires { &F::operator(); }
struct ClauseTraits<F> : ClauseTraits<decltype(&F::operator())> {};
template <class R, class C, class A, bool nothrow>
struct ClauseTraits<R (C::*)(A) noexcept(nothrow)> : ClauseOf<A, R> {};
template <class R, class C, class A, bool nothrow>
struct ClauseTraits<R (C::*)(A) const noexcept(nothrow)> : ClauseOf<A, R> {};
template <class R, class A, bool nothrow>
struct ClauseTraits<R (*)(A) noexcept(nothrow)> : ClauseOf<A, R> {};
template <class P, class F>
struct ClauseTraits<When<P, F>> : ClauseTraits<F> {};

template <class C>
inline constexpr bool is_after = false;
template <class F>
inline constexpr bool is_after<After<F>> = true;

template <class C>
concept IsClause = requires {
  typename ClauseTraits<C>::Argument;
};
template <class C>
struct ResultOf {
  using type = typename ClauseTraits<C>::Result;
};
template <class F>
struct ResultOf<After<F>> {
  using type = std::invoke_result_t<F&>;
};
template <class C>
using ClauseResult = typename ResultOf<C>::type;

template <class T>
MessagePtr decode_as(Message& message) {
  auto* packed = message.as<Packed>();
  if (packed == nullptr || packed->type != type_name_of<T>()) return nullptr;
  if constexpr (Packable<T> && !type_name_of<T>().empty()) {
    auto value = unpack<T>(packed->bytes);
    if (!value) return nullptr;
    auto decoded = make_message(message.kind, std::move(*value));
    decoded->from = message.from;
    decoded->set_ref(message.ref());
    return decoded;
  } else {
    return nullptr;
  }
}

/// Tries one clause on a message; `slot` gets what the clause shall run on.
template <class Clause>
bool accepts(Clause& clause, Message& message, MessagePtr& decoded) {
  if constexpr (is_after<Clause>) {
    return false;
  } else {
    using T = typename ClauseTraits<Clause>::Argument;
    if constexpr (std::is_same_v<T, AnyMessage>) {
      return true;
    } else {
      T* value = message.as<T>();
      MessagePtr made;
      if (value == nullptr) {
        made = decode_as<T>(message);
        if (!made) return false;
        value = made->template as<T>();
      }
      if constexpr (requires { clause.predicate(*value); }) {
        if (!clause.predicate(std::as_const(*value))) return false;
      }
      decoded = std::move(made);
      return true;
    }
  }
}

template <class Clause>
decltype(auto) run_clause(Clause& clause, Message& message) {
  using T = typename ClauseTraits<Clause>::Argument;
  auto& run = [&]() -> auto& {
    if constexpr (requires { clause.predicate; }) {
      return clause.run;
    } else {
      return clause;
    }
  }
  ();
  if constexpr (std::is_same_v<T, AnyMessage>) {
    return run(AnyMessage(&message));
  } else {
    return run(std::move(*message.as<T>()));
  }
}

}  // namespace coterie::detail

namespace coterie {

namespace detail {

template <class Result, class... Clauses>
Result receive_one(Clauses&... clauses) {
  Duration timeout = infinity;
  auto note_timeout = [&]<class C>(C& clause) {
    if constexpr (is_after<std::remove_const_t<C>>) timeout = clause.wait;
  };
  (note_timeout(clauses), ...);

  std::size_t chosen = sizeof...(Clauses);
  MessagePtr decoded;
  auto message = receive_message(
      [&](Message& candidate) {
        std::size_t index = 0;
        return (
            (accepts(clauses, candidate, decoded) ? (chosen = index, true) : (++index, false)) ||
            ...);
      },
      timeout);

  Message* target = decoded ? decoded.get() : message.get();
  auto run = [&]<class C>(std::size_t index, C& clause, auto& into) {
    if constexpr (is_after<std::remove_const_t<C>>) {
      if (message) return;
      into(clause.run);
    } else {
      if (!message || index != chosen) return;
      auto call = [&]() -> decltype(auto) { return run_clause(clause, *target); };
      into(call);
    }
  };
  std::size_t index = 0;
  if constexpr (std::is_void_v<Result>) {
    auto into = [](auto& f) { f(); };
    (run(index++, clauses, into), ...);
  } else {
    std::optional<Result> result;
    auto into = [&result](auto& f) { result.emplace(f()); };
    (run(index++, clauses, into), ...);
    // Nothing came, and no `after`: the process is ending, and this runs in a destructor.
    if (!result) {
      if constexpr (std::is_default_constructible_v<Result>) {
        result.emplace();
      } else {
        receive_was_cut_short();
      }
    }
    return std::move(*result);
  }
}

}  // namespace detail

template <class... Clauses>
auto receive(Clauses&&... clauses) {
  if constexpr (!((detail::is_after<std::decay_t<Clauses>> ||
                   detail::IsClause<std::decay_t<Clauses>>)&&...)) {
    detail::a_clause_of_receive_is_a_function_of_one_message<std::decay_t<Clauses>...>();
  } else if constexpr (!requires {
                         typename std::common_type_t<
                             detail::ClauseResult<std::decay_t<Clauses>>...>;
                       }) {
    detail::the_clauses_of_receive_return_different_types<
        detail::ClauseResult<std::decay_t<Clauses>>...>();
  } else {
    return detail::receive_one<std::common_type_t<detail::ClauseResult<std::decay_t<Clauses>>...>>(
        clauses...);
  }
}

}  // namespace coterie
