#include <coterie/log.hpp>

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "process/duration_text.hpp"
#include "process/log_line.hpp"

namespace coterie {
namespace {

constexpr std::array<std::string_view, 6> level_names = {"trace",   "debug", "info",
                                                         "warning", "error", "off"};
constexpr std::array<std::string_view, log_module_count> module_names = {
    "process", "transport", "registry", "supervision", "journal", "node", "sim", "application"};

template <class Enum, std::size_t N>
std::optional<Enum> parse(const std::array<std::string_view, N>& names,
                          std::string_view text) noexcept {
  const auto found = std::ranges::find(names, text);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

template <class Number>
std::string number_text(Number value) {
  std::array<char, 32> digits;
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return spdlog::level::trace;
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
    case LogLevel::off:
      break;
  }
  return spdlog::level::critical;
}

/// Time and level are spdlog's to format; log_line makes the rest.
constexpr const char* text_pattern = "%Y-%m-%dT%H:%M:%S.%eZ [%l] %v";
constexpr const char* json_pattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v)";
constexpr std::size_t head_bytes_max = 64;  // what either pattern adds, and the line's end

class SpdlogSink final : public LogSink {
 public:
  SpdlogSink(spdlog::sink_ptr sink, LogFormat format, std::size_t line_bytes_max)
      : format_(format),
        line_bytes_max_(std::max<std::size_t>(line_bytes_max, 256) - head_bytes_max),
        logger_("coterie", std::move(sink)) {
    auto formatter = std::make_unique<spdlog::pattern_formatter>(
        format == LogFormat::json ? json_pattern : text_pattern, spdlog::pattern_time_type::utc,
        "\n");
    // spdlog remembers the date of the last second, at first a wrong one for the second 0, at which
    // virtual time may start.
    spdlog::memory_buf_t ignored;
    formatter->format({spdlog::log_clock::time_point(std::chrono::days(1)), spdlog::source_loc{},
                       logger_.name(), spdlog::level::info, ""},
                      ignored);
    logger_.set_formatter(std::move(formatter));
    logger_.set_level(spdlog::level::trace);
    logger_.flush_on(spdlog::level::trace);
    logger_.set_error_handler(
        [this](const std::string&) { lost_.fetch_add(1, std::memory_order_relaxed); });
  }

  void write(const LogRecord& record) noexcept override {
    try {
      const std::string line = log_line(format_, record, line_bytes_max_);
      const spdlog::log_clock::time_point time(record.time.time_since_epoch());
      logger_.log(time, spdlog::source_loc{}, spdlog_level(record.level), line);
    } catch (...) {  // memory ran out, or a value's to_string threw
      lost_.fetch_add(1, std::memory_order_relaxed);
    }
  }

  // Relaxed: a count for people, ordered with nothing.
  std::uint64_t lost() const noexcept override { return lost_.load(std::memory_order_relaxed); }

 private:
  const LogFormat format_;
  const std::size_t line_bytes_max_;
  std::atomic<std::uint64_t> lost_ = 0;
  spdlog::logger logger_;
};

}  // namespace

std::string_view to_string(LogLevel level) noexcept {
  return level_names[static_cast<std::size_t>(level)];
}
std::string_view to_string(LogModule module) noexcept {
  return module_names[static_cast<std::size_t>(module)];
}
std::optional<LogLevel> parse_log_level(std::string_view text) noexcept {
  return parse<LogLevel>(level_names, text);
}
std::optional<LogModule> parse_log_module(std::string_view text) noexcept {
  return parse<LogModule>(module_names, text);
}

std::string LogValue::text() const {
  struct Text {
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(std::int64_t value) const { return number_text(value); }
    std::string operator()(std::uint64_t value) const { return number_text(value); }
    std::string operator()(double value) const { return number_text(value); }
    std::string operator()(std::string_view value) const { return std::string(value); }
    std::string operator()(Duration value) const { return format_duration(value); }
    std::string operator()(const Object& value) const { return value.text(value.object); }
  };
  return std::visit(Text{}, value_);
}

bool LogValue::bare() const noexcept {
  if (const auto* real = std::get_if<double>(&value_)) return std::isfinite(*real);
  return std::holds_alternative<bool>(value_) || std::holds_alternative<std::int64_t>(value_) ||
         std::holds_alternative<std::uint64_t>(value_);
}

Log::Log(LogSink& sink, const Clock& clock, std::string node, LogLevel level)
    : sink_(sink), clock_(clock), node_(std::move(node)) {
  set_level(level);
}

void Log::set_level(LogModule module, LogLevel level) noexcept {
  levels_[index(module)].store(level, std::memory_order_relaxed);
}

void Log::set_level(LogLevel level) noexcept {
  for (auto& each : levels_) each.store(level, std::memory_order_relaxed);
}

void Log::write(LogModule module, LogLevel level, std::string_view message,
                std::span<const LogField> fields) {
  sink_.write({clock_.wall(), level, module, node_, message, fields});
}

std::expected<std::unique_ptr<LogSink>, std::string> open_log(const LogOptions& options) {
  try {
    spdlog::sink_ptr sink;
    if (options.file.empty()) {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    } else {
      // spdlog counts the rotated files without the current one, and refuses a size of 0.
      sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
          options.file, std::max<std::size_t>(options.file_bytes_max, 64 * 1024),
          std::max<std::size_t>(options.files_max, 1) - 1);
    }
    return std::make_unique<SpdlogSink>(std::move(sink), options.format, options.line_bytes_max);
  } catch (const std::exception& error) {
    return std::unexpected("cannot open the log file " + options.file + ": " + error.what());
  }
}

}  // namespace coterie
