#include <nlohmann/json.hpp>

#include "process/base64.hpp"
#include "process/json.hpp"
#include "process/number_text.hpp"

namespace coterie {
namespace {

class JsonWriter {
 public:
  JsonWriter(BytesView packed, Limits limits) : in_(packed, limits) {}

  std::expected<std::string, UnpackError> write() {
    if (value() && in_.finish()) return std::move(out_);
    return std::unexpected(in_.error());
  }

 private:
  bool value() {
    switch (in_.peek()) {
      case Unpacker::Type::nil:
        out_ += "null";
        return in_.nil();
      case Unpacker::Type::boolean: {
        bool boolean = false;
        if (!in_.boolean(boolean)) return false;
        out_ += boolean ? "true" : "false";
        return true;
      }
      case Unpacker::Type::integer:
      case Unpacker::Type::large:
        return integer();
      case Unpacker::Type::real: {
        double real = 0;
        if (!in_.real(real)) return false;
        const std::string text = detail::real_text(real);
        const bool finite = text.find_first_of("nf") == std::string::npos;
        out_ += finite ? text : "{\"$real\":\"" + text + "\"}";
        return true;
      }
      case Unpacker::Type::text:
      case Unpacker::Type::binary:
        return string();
      case Unpacker::Type::array:
        return array();
      case Unpacker::Type::map:
        return map();
      case Unpacker::Type::extension:
        return in_.fail("a value that JSON has");
      case Unpacker::Type::none:
        break;
    }
    return in_.fail("a value");
  }

  bool integer() {
    if (in_.peek() == Unpacker::Type::large) {
      std::uint64_t number = 0;
      if (!unpack(in_, number)) return false;
      out_ += std::to_string(number);
    } else {
      std::int64_t number = 0;
      if (!unpack(in_, number)) return false;
      out_ += std::to_string(number);
    }
    return true;
  }

  static std::string quote(std::string text) { return nlohmann::json(std::move(text)).dump(); }

  bool string() {
    const bool binary = in_.peek() == Unpacker::Type::binary;
    BytesView bytes;
    if (!in_.bytes(bytes)) return false;
    if (!binary) {
      try {
        out_ += quote(std::string(bytes));
        return true;
      } catch (const nlohmann::json::type_error&) {  // not UTF-8
      }
    }
    out_ += "{\"$base64\":\"" + to_base64(bytes) + "\"}";
    return true;
  }

  bool array() {
    std::size_t count = 0;
    if (!in_.array(count)) return false;
    out_ += '[';
    for (std::size_t i = 0; i < count; ++i) {
      if (i != 0) out_ += ',';
      if (!value()) return in_.inside(i);
    }
    out_ += ']';
    in_.leave();
    return true;
  }

  bool key() {
    const std::size_t offset = in_.offset();
    if (in_.peek() == Unpacker::Type::integer || in_.peek() == Unpacker::Type::large) {
      out_ += '"';
      if (!integer()) return false;
      out_ += '"';
      return true;
    }
    BytesView bytes;
    if (!in_.bytes(bytes)) return false;
    try {
      out_ += quote(std::string(bytes));
      return true;
    } catch (const nlohmann::json::type_error&) {
      return in_.fail_at(offset, "a key in UTF-8", "other bytes");
    }
  }

  bool map() {
    std::size_t count = 0;
    if (!in_.map(count)) return false;
    out_ += '{';
    for (std::size_t i = 0; i < count; ++i) {
      if (i != 0) out_ += ',';
      if (!key()) return in_.inside(i);
      out_ += ':';
      if (!value()) return in_.inside(i);
    }
    out_ += '}';
    in_.leave();
    return true;
  }

  Unpacker in_;
  std::string out_;
};

}  // namespace

std::expected<std::string, UnpackError> json_from_packed(BytesView packed, Limits limits) {
  return JsonWriter(packed, limits).write();
}

}  // namespace coterie
