#include "node/incarnation_record.hpp"

#include <array>
#include <charconv>
#include <optional>

#include "process/crc32c.hpp"

namespace coterie {
namespace {

constexpr std::string_view title = "coterie incarnation ";

std::string hex(std::uint64_t value) {
  std::array<char, 16> digits;
  return {digits.data(), std::to_chars(digits.data(), digits.data() + 16, value, 16).ptr};
}

template <class T>
bool parse(std::string_view text, T& value, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc{} && end == text.data() + text.size();
}

/// Takes ` key=value` from the front of `text`.
std::optional<std::string_view> take(std::string_view& text, std::string_view key) {
  if (!text.starts_with(' ') || !text.substr(1).starts_with(key)) return std::nullopt;
  text.remove_prefix(1 + key.size());
  if (!text.starts_with('=')) return std::nullopt;
  text.remove_prefix(1);
  const std::string_view value = text.substr(0, text.find(' '));
  text.remove_prefix(value.size());
  return value;
}

}  // namespace

std::string write_record(const IncarnationRecord& record) {
  std::string text(title);
  text += std::to_string(IncarnationRecord::version);
  text += " highest=" + std::to_string(record.highest);
  text += " counter=" + std::to_string(record.run.counter);
  text += " id=" + hex(static_cast<std::uint64_t>(record.run.id));
  text += " device=" + std::to_string(record.device);
  text += " inode=" + std::to_string(record.inode);
  text += " machine=" + record.machine + " boot=" + record.boot;
  return text + " crc=" + hex(crc32c(text)) + '\n';
}

std::expected<IncarnationRecord, RecordProblem> read_record(std::string_view text) {
  const auto corrupt = std::unexpected(RecordProblem::corrupt);
  text = text.substr(0, IncarnationRecord::bytes_max);
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos || !text.starts_with(title)) return corrupt;
  text = text.substr(0, end);
  const std::size_t crc_at = text.rfind(" crc=");
  if (crc_at == std::string_view::npos) return corrupt;
  if (text.substr(crc_at + 5) != hex(crc32c(text.substr(0, crc_at)))) return corrupt;
  text = text.substr(title.size(), crc_at - title.size());
  int version = 0;
  const std::string_view version_text = text.substr(0, text.find(' '));
  if (!parse(version_text, version) || version < 1) return corrupt;
  if (version > IncarnationRecord::version) return std::unexpected(RecordProblem::newer);
  text.remove_prefix(version_text.size());

  IncarnationRecord record;
  std::uint64_t id = 0;
  const auto number = [&](std::string_view key, std::uint64_t& value, int base = 10) {
    const auto found = take(text, key);
    return found && parse(*found, value, base);
  };
  if (!number("highest", record.highest) || !number("counter", record.run.counter) ||
      !number("id", id, 16) || !number("device", record.device) || !number("inode", record.inode)) {
    return corrupt;
  }
  const auto machine = take(text, "machine");
  const auto boot = machine ? take(text, "boot") : std::nullopt;
  if (!boot || !text.empty()) return corrupt;
  record.run.id = NodeId{id};
  record.machine = *machine;
  record.boot = *boot;
  return record;
}

}  // namespace coterie
