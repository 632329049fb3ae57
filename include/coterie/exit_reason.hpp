#pragma once
// Why a process ended: OTP's exit reasons as a value. Cheap to copy; safe to share between threads.
// One word, so that a signal with its reason is one cache line: the kind in the lower bits, and the
// address of what only some reasons have, which all copies share.

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include <coterie/detail/bad_result.hpp>

namespace coterie {

class ExitReason {
 public:
  enum class Kind : unsigned char {
    normal,        // ended by itself, nothing wrong
    shutdown,      // asked to end; `term` may say more ({shutdown, Term})
    kill,          // the untrappable signal; a process that gets it ends with `killed`
    killed,        // ended by `kill`
    noproc,        // there is no such process
    noconnection,  // the link to its node was lost; it may live on
    error,         // an exception escaped: `term` is its type, `what` its text
    term,          // any other reason, as text in `term`
  };

  ExitReason() noexcept = default;
  // Implicit on purpose: stop(ExitReason::Kind::shutdown) reads like OTP.
  ExitReason(Kind kind) noexcept  // NOLINT(google-explicit-constructor)
      : word_(static_cast<std::uintptr_t>(kind)) {}
  ExitReason(const ExitReason& other) noexcept : word_(other.word_) {
    if (Detail* shared = detail()) shared->owners.fetch_add(1, std::memory_order_relaxed);
  }
  /// What was moved from keeps its kind.
  ExitReason(ExitReason&& other) noexcept
      : word_(std::exchange(other.word_, other.word_ & kind_bits)) {}
  ExitReason& operator=(const ExitReason& other) noexcept {
    ExitReason(other).swap(*this);
    return *this;
  }
  ExitReason& operator=(ExitReason&& other) noexcept {
    ExitReason(std::move(other)).swap(*this);
    return *this;
  }
  ~ExitReason() {
    if (word_ > kind_bits) release();
  }

  static ExitReason normal() noexcept { return Kind::normal; }
  static ExitReason shutdown() noexcept { return Kind::shutdown; }
  static ExitReason shutdown(std::string term);
  static ExitReason kill() noexcept { return Kind::kill; }
  static ExitReason killed() noexcept { return Kind::killed; }
  static ExitReason noproc() noexcept { return Kind::noproc; }
  static ExitReason noconnection(bool confirmed = false);
  static ExitReason error(std::string type, std::string what, std::string trace = {});
  static ExitReason term(std::string term);
  /// Builds a reason of any kind, as the wire carries it.
  static ExitReason make(Kind kind, std::string term, std::string what, std::string trace,
                         bool confirmed);

  Kind kind() const noexcept { return static_cast<Kind>(word_ & kind_bits); }
  const std::string& term() const noexcept;
  const std::string& what() const noexcept;
  const std::string& trace() const noexcept;
  /// With noconnection: a view or a guardian says that the node is gone.
  bool confirmed() const noexcept;

  /// normal, shutdown and {shutdown, Term}: nothing to report, no restart of transient children.
  bool is_clean() const noexcept { return kind() == Kind::normal || kind() == Kind::shutdown; }

  /// Same kind, term, what and confirmed; traces are not compared.
  friend bool operator==(const ExitReason& a, const ExitReason& b) noexcept;

 private:
  struct alignas(8) Detail {
    std::string term, what, trace;
    bool confirmed = false;
    std::atomic<std::uint32_t> owners{1};
  };
  static constexpr std::uintptr_t kind_bits = 7;

  Detail* detail() const noexcept { return reinterpret_cast<Detail*>(word_ & ~kind_bits); }
  void swap(ExitReason& other) noexcept { std::swap(word_, other.word_); }
  void release() noexcept;

  std::uintptr_t word_ = 0;
};

/// OTP's spelling: normal, {shutdown,fenced}, {error,std::runtime_error,"no such file"}.
std::string to_string(const ExitReason& reason);

}  // namespace coterie

template <>
class std::bad_expected_access<coterie::ExitReason>
    : public coterie::detail::BadResult<coterie::ExitReason> {
 public:
  using BadResult::BadResult;
};
