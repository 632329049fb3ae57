#include <coterie/term.hpp>

#include <array>
#include <charconv>
#include <cmath>

#include "process/number_text.hpp"

namespace coterie {

// After the bound only one "..." is written, closing brackets included: the rest says nothing.
void TermWriter::raw(std::string_view text) {
  if (full_) return;
  if (text.size() > bytes_max_ - text_.size()) {
    text_.append(text.substr(0, bytes_max_ - text_.size())).append("...");
    full_ = true;
  } else {
    text_.append(text);
  }
}

void TermWriter::text(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  raw("<<\"");
  for (const char c : text) {
    if (full_) return;
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      raw(std::array{'\\', c, '\0'}.data());
    } else if (c == '\n') {
      raw("\\n");
    } else if (code < 0x20 || code == 0x7f) {
      raw(std::array{'\\', 'x', digits[code >> 4], digits[code & 15], '\0'}.data());
    } else {
      raw({&c, 1});
    }
  }
  raw("\">>");
}

void TermWriter::binary(BytesView bytes) {
  List list(*this, "<<", ">>");
  for (const char c : bytes) {
    if (full_) return;
    list.next().raw(std::to_string(static_cast<unsigned char>(c)));
  }
}

void TermWriter::real(double value) { raw(detail::real_text(value)); }

namespace {

bool write_next(TermWriter& out, Unpacker& in) {
  switch (in.peek()) {
    case Unpacker::Type::nil:
      out.raw("nil");
      return in.nil();
    case Unpacker::Type::boolean: {
      bool value = false;
      const bool read = in.boolean(value);
      out.raw(value ? "true" : "false");
      return read;
    }
    case Unpacker::Type::integer: {
      std::int64_t value = 0;
      const bool read = unpack(in, value);
      out.raw(std::to_string(value));
      return read;
    }
    case Unpacker::Type::large: {
      std::uint64_t value = 0;
      const bool read = unpack(in, value);
      out.raw(std::to_string(value));
      return read;
    }
    case Unpacker::Type::real: {
      double value = 0;
      const bool read = in.real(value);
      out.real(value);
      return read;
    }
    case Unpacker::Type::text: {
      BytesView value;
      const bool read = in.bytes(value);
      out.text(value);
      return read;
    }
    case Unpacker::Type::binary: {
      BytesView value;
      const bool read = in.bytes(value);
      out.binary(value);
      return read;
    }
    case Unpacker::Type::array: {
      std::size_t count = 0;
      if (!in.array(count)) return false;
      TermWriter::List list(out, "[", "]");
      for (std::size_t i = 0; i < count && !out.full(); ++i) {
        if (!write_next(list.next(), in)) return false;
      }
      in.leave();
      return true;
    }
    case Unpacker::Type::map: {
      std::size_t count = 0;
      if (!in.map(count)) return false;
      TermWriter::List map(out, "#{", "}");
      for (std::size_t i = 0; i < count && !out.full(); ++i) {
        if (!write_next(map.next(), in)) return false;
        out.raw(" => ");
        if (!write_next(out, in)) return false;
      }
      in.leave();
      return true;
    }
    case Unpacker::Type::extension:
    case Unpacker::Type::none:
      break;
  }
  return false;
}

}  // namespace

void detail::write_packed_term(TermWriter& out, BytesView packed) {
  Unpacker in(packed);
  if (!out.full() && !write_next(out, in)) out.raw("<undecodable>");
}

}  // namespace coterie
