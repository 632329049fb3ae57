#include <limits>
#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include "process/base64.hpp"
#include "process/json.hpp"

namespace coterie {
namespace {

using Json = nlohmann::json;

// Writes each value as it is read. A container's header is inserted before its values once their
// number is known, which moves every byte at most once per level of nesting.
class JsonReader final : public nlohmann::json_sax<Json> {
 public:
  explicit JsonReader(Limits limits) : limits_(limits) {}

  const std::string& error() const { return error_; }
  Bytes take() { return std::move(out_); }

  bool null() override {
    packer_.nil();
    return counted();
  }
  bool boolean(bool value) override {
    packer_.boolean(value);
    return counted();
  }
  bool number_integer(number_integer_t value) override {
    packer_.integer(value);
    return counted();
  }
  bool number_unsigned(number_unsigned_t value) override {
    packer_.unsigned_integer(value);
    return counted();
  }
  bool number_float(number_float_t value, const string_t& text) override {
    if (text.find_first_of(".eE") == string_t::npos) {
      return refuse("expected an integer of 64 bits, found " + text);
    }
    packer_.real(value);
    return counted();
  }
  bool string(string_t& value) override {
    if (!open_.empty() && !open_.back().key.empty()) open_.back().text = value;
    packer_.text(value);
    return counted();
  }
  bool binary(binary_t&) override { return refuse("binary data cannot stand in JSON text"); }

  bool start_object(std::size_t) override { return open(); }
  bool key(string_t& name) override {
    Container& object = open_.back();
    object.text.reset();
    // Only a marker needs to be remembered, and only in an object of one key.
    object.key = object.count == 0 && name.starts_with('$') ? name : std::string();
    packer_.text(name);
    return counted();
  }
  bool end_object() override {
    const Container object = close();
    if (object.count == 2 && object.text && object.key == "$base64") {
      const auto bytes = from_base64(*object.text);
      if (!bytes) return refuse("$base64: expected base64 with padding, found other text");
      out_.resize(object.start);
      packer_.binary(*bytes);
      return counted();
    }
    if (object.count == 2 && object.text && object.key == "$real") {
      using Double = std::numeric_limits<double>;
      const std::string& text = *object.text;
      if (text != "nan" && text != "inf" && text != "-inf") {
        return refuse("$real: expected nan, inf or -inf, found " + text);
      }
      out_.resize(object.start);
      packer_.real(text == "nan"   ? Double::quiet_NaN()
                   : text == "inf" ? Double::infinity()
                                   : -Double::infinity());
      return counted();
    }
    Bytes header;
    Packer(header).map(object.count / 2);
    out_.insert(object.start, header);
    return counted();
  }
  bool start_array(std::size_t) override { return open(); }
  bool end_array() override {
    const Container array = close();
    Bytes header;
    Packer(header).array(array.count);
    out_.insert(array.start, header);
    return counted();
  }

  bool parse_error(std::size_t, const std::string&, const Json::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    std::string_view text = error.what();
    text.remove_prefix(std::min(text.find("] ") + 2, text.size()));
    constexpr std::string_view lead = "parse error at ";
    if (text.starts_with(lead)) text.remove_prefix(lead.size());
    return refuse(std::string(text));
  }

 private:
  struct Container {
    std::size_t start = 0;
    std::size_t count = 0;  // values; keys of an object too
    std::string key;        // a first key that may be a marker
    std::optional<std::string> text;
  };

  bool refuse(std::string why) {
    if (error_.empty()) error_ = std::move(why);
    return false;
  }
  bool open() {
    if (open_.size() == limits_.depth) {
      return refuse("expected nesting of at most " + std::to_string(limits_.depth) +
                    " levels, found more");
    }
    open_.push_back({.start = out_.size(), .count = 0, .key = {}, .text = {}});
    return true;
  }
  Container close() {
    Container last = std::move(open_.back());
    open_.pop_back();
    return last;
  }
  bool counted() {
    if (open_.empty()) return true;
    ++open_.back().count;
    return ++elements_ <= limits_.elements ||
           refuse("expected no more than " + std::to_string(limits_.elements) +
                  " elements, found more");
  }

  Limits limits_;
  Bytes out_;
  Packer packer_{out_};
  std::vector<Container> open_;
  std::uint64_t elements_ = 0;
  std::string error_;
};

}  // namespace

std::expected<Bytes, std::string> packed_from_json(std::string_view json, Limits limits) {
  JsonReader reader(limits);
  if (Json::sax_parse(json.begin(), json.end(), &reader)) return reader.take();
  return std::unexpected(reader.error());
}

}  // namespace coterie
