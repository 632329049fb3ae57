#pragma once
// Why a process ended: OTP's exit reasons as a value. Cheap to copy; safe to share between threads.

#include <memory>
#include <string>

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
  ExitReason(Kind kind) noexcept : kind_(kind) {}  // NOLINT(google-explicit-constructor)

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

  Kind kind() const noexcept { return kind_; }
  const std::string& term() const noexcept;
  const std::string& what() const noexcept;
  const std::string& trace() const noexcept;
  /// With noconnection: a view or a guardian says that the node is gone.
  bool confirmed() const noexcept;

  /// normal, shutdown and {shutdown, Term}: nothing to report, no restart of transient children.
  bool is_clean() const noexcept { return kind_ == Kind::normal || kind_ == Kind::shutdown; }

  /// Same kind, term, what and confirmed; traces are not compared.
  friend bool operator==(const ExitReason& a, const ExitReason& b) noexcept;

 private:
  struct Detail {
    std::string term, what, trace;
    bool confirmed = false;
  };
  ExitReason(Kind kind, std::shared_ptr<const Detail> detail) noexcept
      : kind_(kind), detail_(std::move(detail)) {}

  Kind kind_ = Kind::normal;
  std::shared_ptr<const Detail> detail_;
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
