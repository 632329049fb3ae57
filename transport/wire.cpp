#include "transport/wire.hpp"

#include <limits>

#include "transport/msgpack_io.hpp"

namespace coterie::wire {
namespace {

constexpr std::size_t text_max = 4096;        // of any text field of a frame
constexpr std::size_t running_max = 100'000;  // names in a death notice

Writer begin(Bytes& bytes, Kind kind, std::size_t fields) {
  Writer out(bytes);
  out.array(1 + fields);
  out.unsigned_integer(static_cast<std::uint64_t>(kind));
  return out;
}

constexpr std::size_t position_fields = 4;
void write(Writer& out, const Position& p) {
  out.unsigned_integer(p.from_attempt);
  out.unsigned_integer(p.to_attempt);
  out.unsigned_integer(p.received);
  out.unsigned_integer(p.resumed);
}

Position read_position(Reader& in) {
  Position p;
  p.from_attempt = in.unsigned_integer();
  p.to_attempt = in.unsigned_integer();
  p.received = in.unsigned_integer();
  p.resumed = in.unsigned_integer();
  return p;
}

void write(Writer& out, const Incarnation& incarnation) {
  out.unsigned_integer(incarnation.counter);
  out.unsigned_integer(static_cast<std::uint64_t>(incarnation.id));
}

Incarnation read_incarnation(Reader& in) {
  Incarnation incarnation;
  incarnation.counter = in.unsigned_integer();
  incarnation.id = static_cast<NodeId>(in.unsigned_integer());
  if (incarnation.id == NodeId::none) in.fail();
  return incarnation;
}

std::string read_text(Reader& in) {
  const std::string_view text = in.string();
  if (text.size() > text_max) in.fail();
  return in.ok() ? std::string(text) : std::string();
}

template <class Unsigned>
Unsigned read_unsigned(Reader& in) {
  const std::uint64_t value = in.unsigned_integer();
  if (value > std::numeric_limits<Unsigned>::max()) in.fail();
  return static_cast<Unsigned>(value);
}

Hello read_hello(Reader& in) {
  Hello h;
  h.version_min = read_unsigned<std::uint32_t>(in);
  h.version_max = read_unsigned<std::uint32_t>(in);
  h.cluster_id = read_text(in);
  h.config_digest = read_text(in);
  h.history = in.unsigned_integer();
  h.name = read_text(in);
  h.incarnation = read_incarnation(in);
  h.to = static_cast<NodeId>(in.unsigned_integer());
  h.connection = in.unsigned_integer();
  const std::uint64_t lane = in.unsigned_integer();
  if (lane > 1 || h.name.empty() || h.connection == 0) in.fail();
  h.lane = static_cast<Lane>(lane);
  h.position = read_position(in);
  h.control_port = read_unsigned<std::uint16_t>(in);
  h.guardian_key = read_text(in);
  return h;
}

Refuse read_refuse(Reader& in, std::size_t present) {
  Refuse r;
  r.code = static_cast<Refuse::Code>(read_unsigned<std::uint8_t>(in));
  r.text = read_text(in);
  r.to = static_cast<NodeId>(in.unsigned_integer());
  if (present > 3) r.dead_counter = in.unsigned_integer();
  return r;
}

Data read_data(Reader& in) {
  Data d;
  d.position = read_position(in);
  d.first = in.unsigned_integer();
  const std::size_t count = in.array();
  if (d.first == 0 || count == 0 || d.first > std::numeric_limits<std::uint64_t>::max() - count) {
    in.fail();
  }
  d.records.reserve(in.ok() ? count : 0);
  for (std::size_t i = 0; i < count && in.ok(); ++i) d.records.push_back(in.binary());
  return d;
}

DeathNotice read_notice(Reader& in) {
  DeathNotice n;
  n.cluster_id = read_text(in);
  n.name = read_text(in);
  n.incarnation = read_incarnation(in);
  n.token = read_text(in);
  n.signal = read_unsigned<std::uint32_t>(in);
  n.exit_code = read_unsigned<std::uint32_t>(in);
  const std::size_t count = in.array();
  if (count > running_max) in.fail();
  for (std::size_t i = 0; i < count && in.ok(); ++i) n.running.push_back(read_text(in));
  return n;
}

ClientHello read_client_hello(Reader& in) {
  ClientHello h;
  h.version_min = read_unsigned<std::uint32_t>(in);
  h.version_max = read_unsigned<std::uint32_t>(in);
  h.cluster_id = read_text(in);
  h.label = read_text(in);
  return h;
}

ClientWelcome read_client_welcome(Reader& in) {
  ClientWelcome w;
  w.version = read_unsigned<std::uint32_t>(in);
  w.node = read_text(in);
  w.incarnation = read_incarnation(in);
  return w;
}

/// The fields of the known version and how many elements they take; 0: no such kind.
std::size_t read_fields(Reader& in, std::uint64_t kind, std::size_t present, Frame& frame) {
  const auto fields = [&](std::size_t count) {
    if (present < count) in.fail();
    return count;
  };
  std::size_t known = 0;
  switch (static_cast<Kind>(kind)) {
    case Kind::hello:
      known = fields(11 + position_fields + 2);
      frame = read_hello(in);
      break;
    case Kind::refuse:
      known = present > 3 ? 4 : fields(3);
      frame = read_refuse(in, present);
      break;
    case Kind::data:
      known = fields(position_fields + 2);
      frame = read_data(in);
      break;
    case Kind::ack: {
      known = fields(position_fields + 1);
      const Position position = read_position(in);
      frame = Ack{position, in.boolean()};
      break;
    }
    case Kind::beat: {
      known = fields(position_fields + 1);
      const Position position = read_position(in);
      frame = Beat{position, in.unsigned_integer()};
      break;
    }
    case Kind::bye: {
      known = fields(position_fields + 1);
      const Position position = read_position(in);
      frame = Bye{position, in.unsigned_integer()};
      break;
    }
    case Kind::note:
      known = fields(1);
      frame = Note{in.binary()};
      break;
    case Kind::client_hello:
      known = fields(4);
      frame = read_client_hello(in);
      break;
    case Kind::client_welcome:
      known = fields(4);
      frame = read_client_welcome(in);
      break;
    case Kind::client_envelope:
      known = fields(1);
      frame = ClientEnvelope{in.binary()};
      break;
    case Kind::death_notice:
      known = fields(8);
      frame = read_notice(in);
      break;
    case Kind::notice_taken: {
      known = fields(2);
      const bool accepted = in.boolean();
      frame = NoticeTaken{accepted, read_text(in)};
      break;
    }
  }
  return known;
}

}  // namespace

Bytes encode(const Hello& h) {
  Bytes bytes;
  Writer out = begin(bytes, Kind::hello, 11 + position_fields + 2);
  out.unsigned_integer(h.version_min);
  out.unsigned_integer(h.version_max);
  out.string(h.cluster_id);
  out.string(h.config_digest);
  out.unsigned_integer(h.history);
  out.string(h.name);
  write(out, h.incarnation);
  out.unsigned_integer(static_cast<std::uint64_t>(h.to));
  out.unsigned_integer(h.connection);
  out.unsigned_integer(static_cast<std::uint64_t>(h.lane));
  write(out, h.position);
  out.unsigned_integer(h.control_port);
  out.string(h.guardian_key);
  return bytes;
}

Bytes encode(const Refuse& r) {
  Bytes bytes;
  Writer out = begin(bytes, Kind::refuse, r.dead_counter == 0 ? 3 : 4);
  out.unsigned_integer(static_cast<std::uint64_t>(r.code));
  out.string(std::string_view(r.text).substr(0, text_max));
  out.unsigned_integer(static_cast<std::uint64_t>(r.to));
  if (r.dead_counter != 0) out.unsigned_integer(r.dead_counter);
  return bytes;
}

Bytes begin_data(const Position& position, std::uint64_t first, std::size_t count,
                 std::size_t bytes_of_records) {
  Bytes bytes;
  bytes.reserve(64 + bytes_of_records + 5 * count);
  Writer out = begin(bytes, Kind::data, position_fields + 2);
  write(out, position);
  out.unsigned_integer(first);
  out.array(count);
  return bytes;
}

void append_binary_head(Bytes& bytes, std::size_t size) { Writer(bytes).binary_head(size); }

Bytes encode(const Data& d) {
  std::size_t size = 0;
  for (const BytesView record : d.records) size += record.size();
  Bytes bytes = begin_data(d.position, d.first, d.records.size(), size);
  Writer out(bytes);
  for (const BytesView record : d.records) out.binary(record);
  return bytes;
}

Bytes encode(const Ack& a) {
  Bytes bytes;
  Writer out = begin(bytes, Kind::ack, position_fields + 1);
  write(out, a.position);
  out.boolean(a.again);
  return bytes;
}

Bytes encode(const Beat& b) {
  Bytes bytes;
  Writer out = begin(bytes, Kind::beat, position_fields + 1);
  write(out, b.position);
  out.unsigned_integer(b.view);
  return bytes;
}

Bytes encode(const Bye& b) {
  Bytes bytes;
  Writer out = begin(bytes, Kind::bye, position_fields + 1);
  write(out, b.position);
  out.unsigned_integer(b.last);
  return bytes;
}

Bytes encode(const Note& n) {
  Bytes bytes;
  bytes.reserve(n.body.size() + 8);
  Writer out = begin(bytes, Kind::note, 1);
  out.binary(n.body);
  return bytes;
}

Bytes encode(const ClientHello& h) {
  Bytes bytes;
  Writer out = begin(bytes, Kind::client_hello, 4);
  out.unsigned_integer(h.version_min);
  out.unsigned_integer(h.version_max);
  out.string(h.cluster_id);
  out.string(h.label);
  return bytes;
}

Bytes encode(const ClientWelcome& w) {
  Bytes bytes;
  Writer out = begin(bytes, Kind::client_welcome, 4);
  out.unsigned_integer(w.version);
  out.string(w.node);
  write(out, w.incarnation);
  return bytes;
}

Bytes encode(const ClientEnvelope& e) {
  Bytes bytes;
  bytes.reserve(e.envelope.size() + 8);
  Writer out = begin(bytes, Kind::client_envelope, 1);
  out.binary(e.envelope);
  return bytes;
}

Bytes encode(const DeathNotice& n) {
  Bytes bytes;
  Writer out = begin(bytes, Kind::death_notice, 8);
  out.string(n.cluster_id);
  out.string(n.name);
  write(out, n.incarnation);
  out.string(n.token);
  out.unsigned_integer(n.signal);
  out.unsigned_integer(n.exit_code);
  out.array(n.running.size());
  for (const std::string& name : n.running) out.string(name);
  return bytes;
}

Bytes encode(const NoticeTaken& n) {
  Bytes bytes;
  Writer out = begin(bytes, Kind::notice_taken, 2);
  out.boolean(n.accepted);
  out.string(std::string_view(n.text).substr(0, text_max));
  return bytes;
}

std::expected<Frame, std::string> decode(BytesView bytes) {
  Reader in(bytes);
  const std::size_t elements = in.array();
  const std::uint64_t kind = in.unsigned_integer();
  if (!in.ok()) return std::unexpected("a frame is not an array that starts with its kind");
  Frame frame;
  const std::size_t known = read_fields(in, kind, elements - 1, frame);
  if (known == 0 && in.ok()) return std::unexpected("unknown frame kind " + std::to_string(kind));
  for (std::size_t i = known + 1; i < elements && in.ok(); ++i) in.skip();
  if (!in.ok() || !in.at_end()) {
    return std::unexpected("a frame of kind " + std::to_string(kind) + " is malformed");
  }
  return frame;
}

std::optional<Kind> kind_of(BytesView bytes) {
  Reader in(bytes);
  (void)in.array();
  const std::uint64_t kind = in.unsigned_integer();
  if (!in.ok() || kind > 0xFF) return std::nullopt;
  return static_cast<Kind>(kind);
}

std::string_view to_string(Refuse::Code code) noexcept {
  switch (code) {
    case Refuse::Code::malformed:
      return "malformed";
    case Refuse::Code::protocol:
      return "protocol";
    case Refuse::Code::cluster:
      return "cluster";
    case Refuse::Code::config:
      return "config";
    case Refuse::Code::history:
      return "history";
    case Refuse::Code::unknown_node:
      return "unknown_node";
    case Refuse::Code::name_taken:
      return "name_taken";
    case Refuse::Code::old_incarnation:
      return "old_incarnation";
    case Refuse::Code::full:
      return "full";
    case Refuse::Code::key:
      return "key";
  }
  return "unknown";
}

}  // namespace coterie::wire
