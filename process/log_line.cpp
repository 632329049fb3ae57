#include "process/log_line.hpp"

#include <algorithm>
#include <cstdint>

namespace coterie {
namespace {

constexpr char hex_digits[] = "0123456789abcdef";

/// Bytes of the well-formed UTF-8 sequence at the start of `text`, 0 if it is not one (RFC 3629).
std::size_t sequence_length(std::string_view text) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
  if (length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if (lead == 0xE0 && byte(1) < 0xA0) return 0;  // overlong
  if (lead == 0xED && byte(1) > 0x9F) return 0;  // surrogate
  if (lead == 0xF0 && byte(1) < 0x90) return 0;  // overlong
  if (lead == 0xF4 && byte(1) > 0x8F) return 0;  // above U+10FFFF
  return length;
}

/// How text is written: for people, for people between quotes, inside a JSON string.
enum class Style : std::uint8_t { plain, quoted, json };

/// The escape of the sequence at the start of `text`, or the sequence itself.
std::string escaped(std::string_view text, std::size_t length, Style style) {
  const auto byte = static_cast<unsigned char>(text[0]);
  if (length == 0 && style == Style::json) return "\\ufffd";
  // U+0080 to U+009F are control characters too: terminals obey them.
  const bool control = length == 0 || byte < 0x20 || byte == 0x7F ||
                       (length == 2 && byte == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0);
  if (control) {
    if (byte == '\n') return "\\n";
    if (byte == '\t') return "\\t";
    if (byte == '\r') return "\\r";
    const auto code = length == 2 ? static_cast<unsigned char>(text[1]) : byte;
    std::string escape = style == Style::json ? "\\u00" : "\\x";
    escape += hex_digits[code >> 4];
    escape += hex_digits[code & 15];
    return escape;
  }
  if (byte == '\\' || (byte == '"' && style != Style::plain)) return {'\\', text[0]};
  return std::string(text.substr(0, length));
}

/// Appends `text` escaped until `out` would pass `limit`; false if it was cut.
bool append(std::string& out, std::string_view text, std::size_t limit, Style style) {
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    const std::string piece = escaped(text, length, style);
    if (out.size() + piece.size() > limit) return false;
    out += piece;
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return true;
}

/// `text` between quotes; false if it was cut. With room for less than the quotes adds nothing.
bool append_quoted(std::string& out, std::string_view text, std::size_t limit, Style style) {
  if (out.size() + 2 > limit) return false;
  out += '"';
  const bool whole = append(out, text, limit - 1, style);
  out += '"';
  return whole;
}

bool reads_as_one_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return c > ' ' && c != '"' && c != '=' && c != '\\' && c != 0x7F;
  });
}

std::string text_line(const LogRecord& record, std::size_t bytes_max) {
  const std::size_t limit = bytes_max - 3;  // room for the mark of a cut
  std::string line;
  bool whole = append(line, record.node, limit / 4, Style::plain);
  line += '/';
  line += to_string(record.module);
  line += ": ";
  whole &= append(line, record.message, limit, Style::plain);
  for (const LogField& field : record.fields) {
    if (!whole) break;
    const std::size_t before = line.size();
    line += ' ';
    const std::string value = field.value.text();
    const bool key = append(line, field.key, limit, Style::plain);
    line += '=';
    whole = key && line.size() <= limit &&
            (reads_as_one_word(value) ? append(line, value, limit, Style::plain)
                                      : append_quoted(line, value, limit, Style::quoted));
    if (line.size() > limit) line.resize(before);
  }
  return whole ? line : line + "...";
}

std::string json_line(const LogRecord& record, std::size_t bytes_max) {
  constexpr std::string_view cut_mark = ",\"truncated\":true";
  const std::size_t limit = bytes_max - cut_mark.size() - 2;  // and for the two closing braces
  constexpr std::string_view fields_head = ",\"fields\":{";
  std::string line = "\"node\":";
  bool whole = append_quoted(line, record.node, limit / 4, Style::json);
  line += ",\"module\":\"";
  line += to_string(record.module);
  line += "\",\"message\":";
  whole &= append_quoted(line, record.message, limit - fields_head.size(), Style::json);
  line += fields_head;
  bool first = true;
  for (const LogField& field : record.fields) {
    if (!whole) break;
    const std::size_t before = line.size();
    if (!first) line += ',';
    bool key = append_quoted(line, field.key, limit, Style::json);
    line += ':';
    const std::string value = field.value.text();
    if (field.value.bare()) {
      line += value;
    } else {
      key = key && line.size() + 2 <= limit;
      whole = append_quoted(line, value, limit, Style::json);
    }
    if (!key || line.size() > limit) {
      line.resize(before);
      whole = false;
    }
    first = false;
  }
  line += '}';
  if (!whole) line += cut_mark;
  return line + '}';
}

}  // namespace

std::string log_line(LogFormat format, const LogRecord& record, std::size_t bytes_max) {
  bytes_max = std::max<std::size_t>(bytes_max, 128);
  return format == LogFormat::json ? json_line(record, bytes_max) : text_line(record, bytes_max);
}

}  // namespace coterie
