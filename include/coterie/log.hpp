#pragma once
// Logging: levels per module, a message and its fields, one bounded line each, as text or JSON.
// A Log is made at the composition root and passed by reference; there is no global one. Any thread
// may log. A call whose level is switched off costs one relaxed load: fields are views, and their
// text is made only by the sink. The model is Elixir's Logger with its metadata; OTP's reports are
// functions on top of it (process/report.hpp).

#include <array>
#include <atomic>
#include <concepts>
#include <cstdint>
#include <expected>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include <coterie/time.hpp>

namespace coterie {

enum class LogLevel : std::uint8_t { trace, debug, info, warning, error, off };

/// Who speaks. Programs built on coterie log as `application`.
enum class LogModule : std::uint8_t {
  process,
  transport,
  registry,
  supervision,
  journal,
  node,
  sim,
  application,
};
inline constexpr std::size_t log_module_count = 8;

std::string_view to_string(LogLevel level) noexcept;
std::string_view to_string(LogModule module) noexcept;
std::optional<LogLevel> parse_log_level(std::string_view text) noexcept;
std::optional<LogModule> parse_log_module(std::string_view text) noexcept;

/// A view of a field's value, valid during the log call only. Takes numbers, text, durations, and
/// every type with a to_string found by its namespace (Pid, ExitReason, ServerRef, ...).
class LogValue {
 public:
  // Implicit on purpose: a field is written {"peer", name}.
  // NOLINTBEGIN(google-explicit-constructor)
  LogValue(std::same_as<bool> auto value) noexcept : value_(value) {}  // no pointers by accident
  LogValue(std::signed_integral auto value) noexcept : value_(std::int64_t{value}) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) LogValue(T value)
  noexcept : value_(std::uint64_t{value}) {}
  LogValue(std::floating_point auto value) noexcept : value_(static_cast<double>(value)) {}
  LogValue(std::string_view value) noexcept : value_(value) {}
  LogValue(const std::string& value) noexcept : value_(std::string_view(value)) {}
  LogValue(const char* value) noexcept : value_(std::string_view(value)) {}
  LogValue(Duration value) noexcept : value_(value) {}
  template <class T>
  requires(!std::convertible_to<const T&, std::string_view> &&
           requires(const T& value) { std::string(to_string(value)); }) LogValue(const T& value)
  noexcept
      : value_(Object{&value, [](const void* object) {
                        return std::string(to_string(*static_cast<const T*>(object)));
                      }}) {}
  // NOLINTEND(google-explicit-constructor)

  std::string text() const;
  /// True for finite numbers and booleans, whose text is JSON as it is.
  bool bare() const noexcept;

 private:
  struct Object {
    const void* object;
    std::string (*text)(const void*);
  };
  std::variant<bool, std::int64_t, std::uint64_t, double, std::string_view, Duration, Object>
      value_;
};

struct LogField {
  std::string_view key;
  LogValue value;
};

/// One call of Log, as a sink sees it. Everything in it is valid during write() only.
struct LogRecord {
  WallTime time;
  LogLevel level = LogLevel::info;
  LogModule module = LogModule::node;
  std::string_view node;
  std::string_view message;
  std::span<const LogField> fields;
};

/// Where records go. Called from any thread; must not throw.
class LogSink {
 public:
  LogSink() = default;
  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;
  virtual ~LogSink() = default;

  virtual void write(const LogRecord& record) noexcept = 0;
  /// Records that could not be written, for instance to a full disk.
  virtual std::uint64_t lost() const noexcept { return 0; }
};

enum class LogFormat : std::uint8_t { text, json };

struct LogOptions {
  LogFormat format = LogFormat::text;
  std::string file;                               // empty: standard error
  std::size_t line_bytes_max = 8192;              // at least 256; a longer line is cut and says so
  std::size_t file_bytes_max = 64 * 1024 * 1024;  // then the file is rotated: node.log, node.1.log
  std::size_t files_max = 5;                      // kept, the current one included; at least 1
};

/// The real sink. Every line is handed to the system before write() returns, so what was logged
/// before a kill is there; a slow reader of standard error therefore slows the writer.
/// The error says which file could not be opened and why.
std::expected<std::unique_ptr<LogSink>, std::string> open_log(const LogOptions& options);

class Log {
 public:
  /// `sink` and `clock` outlive the Log; `node` is in every line.
  Log(LogSink& sink, const Clock& clock, std::string node, LogLevel level = LogLevel::info);

  bool enabled(LogModule module, LogLevel level) const noexcept {
    // Relaxed: a level protects no other data; a switch is seen soon, not at once.
    return level >= levels_[index(module)].load(std::memory_order_relaxed);
  }
  LogLevel level(LogModule module) const noexcept {
    return levels_[index(module)].load(std::memory_order_relaxed);
  }
  /// Any thread, at any time.
  void set_level(LogModule module, LogLevel level) noexcept;
  void set_level(LogLevel level) noexcept;

  using Fields = std::initializer_list<LogField>;
  void trace(LogModule module, std::string_view message, Fields fields = {}) {
    log(module, LogLevel::trace, message, fields);
  }
  void debug(LogModule module, std::string_view message, Fields fields = {}) {
    log(module, LogLevel::debug, message, fields);
  }
  void info(LogModule module, std::string_view message, Fields fields = {}) {
    log(module, LogLevel::info, message, fields);
  }
  void warning(LogModule module, std::string_view message, Fields fields = {}) {
    log(module, LogLevel::warning, message, fields);
  }
  void error(LogModule module, std::string_view message, Fields fields = {}) {
    log(module, LogLevel::error, message, fields);
  }
  /// `level` is not off.
  void log(LogModule module, LogLevel level, std::string_view message, Fields fields = {}) {
    if (enabled(module, level)) write(module, level, message, {fields.begin(), fields.size()});
  }
  /// Writes whatever the levels say: for callers that asked enabled() before they built fields.
  void write(LogModule module, LogLevel level, std::string_view message,
             std::span<const LogField> fields);

  const std::string& node() const noexcept { return node_; }
  /// Records that the sink could not write.
  std::uint64_t lost() const noexcept { return sink_.lost(); }

 private:
  static constexpr std::size_t index(LogModule module) noexcept {
    return static_cast<std::size_t>(module);
  }

  LogSink& sink_;
  const Clock& clock_;
  std::string node_;
  std::array<std::atomic<LogLevel>, log_module_count> levels_;
};

}  // namespace coterie
