#pragma once
// The smallest journalled application: counters of the kind "contracts". Each addition is answered
// with the sum after it, so that a caller who alone adds ones to a counter sees any that was lost
// or applied twice.

#include <expected>
#include <string>

#include <coterie/application.hpp>
#include <coterie/gen_server.hpp>
#include <coterie/journal.hpp>

namespace coterie::test {

struct Added {
  std::int64_t by = 0;
};

class Counter final : public GenServer {
 public:
  struct Start {
    using Reply = std::expected<std::int64_t, std::string>;
    static constexpr std::string_view type_name = "contracts.start";
  };
  struct Add {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "contracts.add";
    std::int64_t by = 0;
  };
  /// Answered from memory: only the lease keeps an old owner from answering it.
  struct Get {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "contracts.get";
  };
  using Calls = Messages<Start, Add, Get>;

  Counter(std::string key, NoArguments) : key_(std::move(key)) {}

  Init init() {
    auto opened =
        journal_.open("contracts/" + key_, [this](const Added& event) { n_ += event.by; });
    if (!opened) return stop_init(opened.error().reason());
    return ok();
  }
  Outcome<Start::Reply> handle_call(const Start&) {
    if (journal_.size() > 0 && journal_.outcome(current_request_id()) == nullptr) {
      return Start::Reply(std::unexpected("already_started"));
    }
    if (auto failure = store(0)) return *failure;
    return Start::Reply(n_);
  }
  Outcome<std::int64_t> handle_call(const Add& add) {
    if (const Bytes* done = journal_.outcome(current_request_id())) {
      return *unpack<std::int64_t>(*done);
    }
    if (auto failure = store(add.by)) return *failure;
    return n_;
  }
  std::int64_t handle_call(const Get&) { return n_; }

 private:
  std::optional<Failure> store(std::int64_t by) {
    if (journal_.outcome(current_request_id()) != nullptr) return {};
    const auto stored = journal_.append(Added{by}, current_request_id(), pack(n_ + by));
    if (!stored) return fail(stored.error());
    n_ += by;
    return {};
  }

  const std::string key_;
  Journal journal_;
  std::int64_t n_ = 0;
};

/// Every kind that the shipped cluster files list.
inline Application counters() {
  return {.name = "counters",
          .kinds = {{.kind = kind<Counter, NoArguments>("contracts"),
                     .starting_message = "contracts.start"},
                    {.kind = kind<Counter, NoArguments>("payments")}}};
}

}  // namespace coterie::test
