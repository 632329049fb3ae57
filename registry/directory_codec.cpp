#include "registry/directory_codec.hpp"

#include <type_traits>
#include <utility>

namespace coterie::directory {
namespace {

constexpr std::uint64_t format_version = 2;

// The fields of a message are listed once, in fields(); the two classes below pass them out or in.
class Writing {
 public:
  explicit Writing(RecordWriter& out) : out_(out) {}
  template <class... Fields>
  void operator()(const Fields&... values) {
    (one(values), ...);
  }

 private:
  template <class Number>
  requires std::is_integral_v<Number> || std::is_enum_v<Number>
  void one(Number value) { out_.number(static_cast<std::uint64_t>(value)); }
  void one(const std::string& value) { out_.text(value); }
  void one(const Epoch& value) { (*this)(value.view, value.counter); }
  void one(const Pid& value) { (*this)(value.node, value.serial); }
  void one(const Claim& value) {
    (*this)(value.name, value.registration, value.serial, value.epoch, value.confirmed);
  }
  template <class Value>
  void one(const std::vector<Value>& values) {
    one(values.size());
    for (const Value& value : values) one(value);
  }

  RecordWriter& out_;
};

class Reading {
 public:
  explicit Reading(RecordReader& in) : in_(in) {}
  template <class... Fields>
  void operator()(Fields&... values) {
    (one(values), ...);
  }
  bool ok() const noexcept { return ok_ && in_.ok(); }

 private:
  void one(std::uint64_t& value) { value = in_.number(); }
  void one(std::uint8_t& value) { value = static_cast<std::uint8_t>(below(256)); }
  void one(bool& value) { value = below(2) != 0; }
  void one(NodeId& value) { value = NodeId{in_.number()}; }
  void one(What& value) { value = What(below(std::uint64_t(What::lookup) + 1)); }
  void one(Code& value) { value = Code(below(std::uint64_t(Code::unavailable) + 1)); }
  void one(std::string& value) { value = in_.text(); }
  void one(Epoch& value) { (*this)(value.view, value.counter); }
  void one(Pid& value) { (*this)(value.node, value.serial); }
  void one(Claim& value) {
    (*this)(value.name, value.registration, value.serial, value.epoch, value.confirmed);
  }
  template <class Value>
  void one(std::vector<Value>& values) {
    const std::uint64_t count = in_.count();
    for (std::uint64_t i = 0; i < count && ok(); ++i) one(values.emplace_back());
  }
  std::uint64_t below(std::uint64_t bound) {
    const std::uint64_t number = in_.number();
    ok_ = ok_ && number < bound;
    return ok_ ? number : 0;
  }

  RecordReader& in_;
  bool ok_ = true;
};

template <class Passing, class Part>
void fields(Passing& pass, Part& part) {
  using Plain = std::remove_const_t<Part>;
  if constexpr (std::is_same_v<Plain, Ask>) {
    pass(part.view, part.what, part.id, part.name, part.serial);
  } else if constexpr (std::is_same_v<Plain, Told>) {
    pass(part.view, part.what, part.id, part.code, part.pid, part.epoch);
  } else if constexpr (std::is_same_v<Plain, Claims>) {
    pass(part.view, part.last, part.claims);
  } else {
    pass(part.view, part.after, part.partitions);
  }
}

// Which message it is, by its first number.
enum Kind : std::uint64_t { ask = 1, told, want, claims, relayed };

template <class Part>
Part read(Reading& reading) {
  Part part;
  fields(reading, part);
  return part;
}

std::optional<Message> read_relayed(RecordReader& in, Reading& reading) {
  Relayed message;
  reading(message.from, message.to);
  switch (in.number()) {
    case want:
      message.message = read<Want>(reading);
      return message;
    case claims:
      message.message = read<Claims>(reading);
      return message;
    default:
      return std::nullopt;
  }
}

std::optional<Message> read_message(RecordReader& in, Reading& reading) {
  switch (in.number()) {
    case ask:
      return read<Ask>(reading);
    case told:
      return read<Told>(reading);
    case want:
      return read<Want>(reading);
    case claims:
      return read<Claims>(reading);
    case relayed:
      return read_relayed(in, reading);
    default:
      return std::nullopt;
  }
}

}  // namespace

MessageWriter::MessageWriter() { out_.number(format_version); }

void MessageWriter::add(const Message& message) {
  Writing writing(out_);
  out_.number(message.index() + 1);
  if (const auto* relayed = std::get_if<Relayed>(&message)) {
    writing(relayed->from, relayed->to);
    std::visit([this](const auto& inner) { add(inner); }, relayed->message);
    return;
  }
  std::visit(
      [&](const auto& part) {
        if constexpr (!std::is_same_v<decltype(part), const Relayed&>) fields(writing, part);
      },
      message);
}

void append(Bytes& bytes, BytesView more) {
  static_assert(format_version < 0x80, "it takes one byte");
  bytes += more.substr(1);
}

std::optional<std::vector<Message>> decode(BytesView bytes) {
  RecordReader in(bytes);
  Reading reading(in);
  if (in.number() != format_version) return std::nullopt;
  std::vector<Message> messages;
  while (in.more()) {
    auto message = read_message(in, reading);
    if (!message || !reading.ok()) return std::nullopt;
    messages.push_back(std::move(*message));
  }
  return messages;
}

}  // namespace coterie::directory
