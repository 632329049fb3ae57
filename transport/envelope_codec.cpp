#include "transport/envelope_codec.hpp"

#include <bit>
#include <limits>

#include "transport/msgpack_io.hpp"

namespace coterie::wire {
namespace {

// Bits of the mask, in the order of the fields.
enum Field : std::uint16_t {
  field_budget = 1u << 0,      // 1 element, fixed 64-bit microseconds
  field_named = 1u << 1,       // no element
  field_link = 1u << 2,        // no element
  field_from = 1u << 3,        // serial
  field_from_node = 1u << 4,   // node; only of a pid that is not the sender's
  field_to_first = 1u << 5,    // two bits: TargetKind
  field_to_second = 1u << 6,   //
  field_ref = 1u << 7,         // 1
  field_epoch = 1u << 8,       // 2: view, counter
  field_request_id = 1u << 9,  // 1
  field_type = 1u << 10,       // 1
  field_trace = 1u << 11,      // 1
  field_payload = 1u << 12,    // 1, binary
  field_reason = 1u << 13,     // 1: [kind, term, what, trace, confirmed]
  field_failure = 1u << 14,    // 2: code, execution
  field_detail = 1u << 15,     // 1
};

enum class TargetKind : unsigned { receiver_pid = 0, other_pid = 1, local_name = 2, via_name = 3 };

// Offset of the first byte after the array's head (3), the signal (1) and the mask (3).
constexpr std::size_t budget_offset = 7;
constexpr unsigned mask_offset = 5;
constexpr std::size_t record_head_bytes = 3;  // 0xc5 and a 16-bit size

TargetKind kind_of(const Target& target, NodeId receiver) noexcept {
  if (const auto* pid = std::get_if<Pid>(&target)) {
    return pid->node == receiver || !*pid ? TargetKind::receiver_pid : TargetKind::other_pid;
  }
  return std::holds_alternative<LocalName>(target) ? TargetKind::local_name : TargetKind::via_name;
}

std::uint64_t microseconds(Duration budget) noexcept {
  if (budget <= Duration::zero()) return 0;
  return static_cast<std::uint64_t>((budget.count() - 1) / 1000 + 1);
}

unsigned mask_of(const Envelope& e, Ends ends) noexcept {
  unsigned mask = static_cast<unsigned>(kind_of(e.to, ends.receiver)) * field_to_first;
  if (e.budget != infinity) mask |= field_budget;
  if (e.named) mask |= field_named;
  if (e.link) mask |= field_link;
  if (e.from) mask |= field_from;
  if (e.from && e.from.node != ends.sender) mask |= field_from_node;
  if (e.ref != Ref::none) mask |= field_ref;
  if (e.epoch) mask |= field_epoch;
  if (!e.request_id.empty()) mask |= field_request_id;
  if (!e.type.empty()) mask |= field_type;
  if (!e.trace.empty()) mask |= field_trace;
  if (!e.payload.empty()) mask |= field_payload;
  if (!(e.reason == ExitReason::normal())) mask |= field_reason;
  if (e.signal == Signal::call_failed) mask |= field_failure;
  if (!e.detail.empty()) mask |= field_detail;
  return mask;
}

std::size_t elements_of(unsigned mask) noexcept {
  const unsigned single =
      mask & ~unsigned{field_named | field_link | field_to_first | field_to_second};
  std::size_t count = 2 + static_cast<std::size_t>(std::popcount(single));
  if (mask & field_epoch) ++count;
  if (mask & field_failure) ++count;
  // pid serial 1, pid of another node 2, name 1, via name 2
  const unsigned kind = mask / field_to_first & 3;
  return count + (kind % 2 == 1 ? 2 : 1);
}

ExitReason read_reason(Reader& in) {
  std::size_t fields = in.array();
  if (fields < 5) in.fail();
  const std::uint64_t kind = in.unsigned_integer();
  std::string term(in.string());
  std::string what(in.string());
  std::string trace(in.string());
  const bool confirmed = in.boolean();
  for (; fields > 5 && in.ok(); --fields) in.skip();
  if (kind > static_cast<std::uint64_t>(ExitReason::Kind::term)) in.fail();
  if (!in.ok()) return {};
  return ExitReason::make(static_cast<ExitReason::Kind>(kind), std::move(term), std::move(what),
                          std::move(trace), confirmed);
}

Target read_target(Reader& in, TargetKind kind, NodeId receiver) {
  switch (kind) {
    case TargetKind::receiver_pid:
      return Pid{receiver, in.unsigned_integer()};
    case TargetKind::other_pid: {
      const auto node = static_cast<NodeId>(in.unsigned_integer());
      return Pid{node, in.unsigned_integer()};
    }
    case TargetKind::local_name:
      return LocalName{std::string(in.string())};
    case TargetKind::via_name: {
      std::string registry(in.string());
      return ViaName{std::move(registry), std::string(in.string())};
    }
  }
  return Pid{};
}

void read_failure(Reader& in, Envelope& e) {
  const std::uint64_t code = in.unsigned_integer();
  const std::uint64_t execution = in.unsigned_integer();
  if (code > static_cast<std::uint64_t>(CallError::Code::killed) ||
      execution > static_cast<std::uint64_t>(CallError::Execution::executed)) {
    return in.fail();
  }
  e.code = static_cast<CallError::Code>(code);
  e.execution = static_cast<CallError::Execution>(execution);
}

}  // namespace

namespace {

/// Behind what it has written, at most envelope_bytes_max(e) of bytes.
char* write_envelope(char* at, const Envelope& e, Ends ends, unsigned mask, bool payload_apart) {
  RawWriter out(at);
  out.fixed_array(elements_of(mask));
  out.unsigned_integer(static_cast<std::uint64_t>(e.signal));
  out.fixed16(static_cast<std::uint16_t>(mask));
  if (mask & field_budget) out.fixed64(microseconds(e.budget));
  if (mask & field_from) out.unsigned_integer(e.from.serial);
  if (mask & field_from_node) out.unsigned_integer(static_cast<std::uint64_t>(e.from.node));
  if (const auto* pid = std::get_if<Pid>(&e.to)) {
    if (kind_of(e.to, ends.receiver) == TargetKind::other_pid) {
      out.unsigned_integer(static_cast<std::uint64_t>(pid->node));
    }
    out.unsigned_integer(pid->serial);
  } else if (const auto* name = std::get_if<LocalName>(&e.to)) {
    out.string(name->name);
  } else if (const auto* via_name = std::get_if<ViaName>(&e.to)) {
    out.string(via_name->registry);
    out.string(via_name->key);
  }
  if (mask & field_ref) out.unsigned_integer(static_cast<std::uint64_t>(e.ref));
  if (mask & field_epoch) {
    out.unsigned_integer(e.epoch.view);
    out.unsigned_integer(e.epoch.counter);
  }
  if (mask & field_request_id) out.string(e.request_id);
  if (mask & field_type) out.string(e.type);
  if (mask & field_trace) out.string(e.trace);
  if (mask & field_payload) {
    payload_apart ? out.binary_head(e.payload.size()) : out.binary(e.payload);
  }
  if (mask & field_reason) {
    out.array(5);
    out.unsigned_integer(static_cast<std::uint64_t>(e.reason.kind()));
    out.string(e.reason.term());
    out.string(e.reason.what());
    out.string(e.reason.trace());
    out.boolean(e.reason.confirmed());
  }
  if (mask & field_failure) {
    out.unsigned_integer(static_cast<std::uint64_t>(e.code));
    out.unsigned_integer(static_cast<std::uint64_t>(e.execution));
  }
  if (mask & field_detail) out.string(e.detail);
  return out.at();
}

/// Grows `bytes` by at most `size`, which `write` fills from a place and says up to where.
template <class Write>
void append_at_most(Bytes& bytes, std::size_t size, Write write) {
  const std::size_t begin = bytes.size();
  bytes.resize_and_overwrite(begin + size, [&](char* all, std::size_t) {
    return static_cast<std::size_t>(write(all + begin) - all);
  });
}

}  // namespace

std::size_t envelope_bytes_max(const Envelope& e) noexcept {
  std::size_t size = 160;  // heads of all fields, and integers
  if (const auto* name = std::get_if<LocalName>(&e.to)) size += name->name.size();
  if (const auto* via = std::get_if<ViaName>(&e.to)) size += via->registry.size() + via->key.size();
  size += e.request_id.size() + e.type.size() + e.trace.size() + e.payload.size();
  if (!(e.reason == ExitReason::normal())) {
    size += e.reason.term().size() + e.reason.what().size() + e.reason.trace().size();
  }
  return size + e.detail.size();
}

Bytes encode_envelope(const Envelope& e, Ends ends) {
  Bytes bytes;
  append_at_most(bytes, envelope_bytes_max(e),
                 [&](char* at) { return write_envelope(at, e, ends, mask_of(e, ends), false); });
  return bytes;
}

bool encode_envelope_before(const Envelope& e, Ends ends, Bytes& bytes) {
  const unsigned mask = mask_of(e, ends);
  if ((mask & field_payload) == 0 || mask >= 2u * field_payload) return false;
  append_at_most(bytes, envelope_bytes_max(e) - e.payload.size(),
                 [&](char* at) { return write_envelope(at, e, ends, mask, true); });
  return true;
}

std::size_t append_record(Bytes& bytes, const Envelope& e, Ends ends, std::size_t bytes_max) {
  const std::size_t head = bytes.size();
  const std::size_t begin = head + record_head_bytes;
  append_at_most(bytes, record_head_bytes + bytes_max, [&](char* at) {
    char* const end = write_envelope(at + record_head_bytes, e, ends, mask_of(e, ends), false);
    const auto size = static_cast<std::size_t>(end - at) - record_head_bytes;
    at[0] = '\xc5';
    at[1] = static_cast<char>(size >> 8);
    at[2] = static_cast<char>(size & 0xff);
    return end;
  });
  return begin;
}

std::expected<Envelope, std::string> decode_envelope(BytesView bytes, Ends ends) {
  std::expected<Envelope, std::string> envelope;
  if (auto decoded = decode_envelope(bytes, ends, *envelope); !decoded) {
    return std::unexpected(std::move(decoded.error()));
  }
  return envelope;
}

namespace {

/// The payload is where it lies, in `bytes` or, if that is given, as all of `rest`.
std::expected<void, std::string> decode_around(BytesView bytes, Ends ends, Envelope& e,
                                               BytesView& payload, BytesView rest = {}) {
  // The head has one form only, so that the budget is where set_budget expects it.
  if (bytes.size() < budget_offset || static_cast<unsigned char>(bytes[0]) != 0xdc ||
      static_cast<unsigned char>(bytes[4]) != 0xcd) {
    return std::unexpected("the head of an envelope is malformed");
  }
  Reader in(bytes);
  const std::size_t count = in.array();
  const std::uint64_t signal = in.unsigned_integer();
  const auto mask = static_cast<unsigned>(in.unsigned_integer());
  if (signal < 1 || signal > static_cast<std::uint64_t>(Signal::down)) {
    return std::unexpected("unknown signal " + std::to_string(signal));
  }
  const std::size_t known = elements_of(mask);
  if (count < known) return std::unexpected("an envelope has fewer elements than its mask says");
  e.signal = static_cast<Signal>(signal);
  e.named = (mask & field_named) != 0;
  e.link = (mask & field_link) != 0;
  if (mask & field_budget) {
    const std::uint64_t budget_us = in.unsigned_integer();
    const auto limit = static_cast<std::uint64_t>(Duration::max().count() / 1000);
    e.budget = budget_us >= limit ? infinity
                                  : std::chrono::microseconds(static_cast<std::int64_t>(budget_us));
  }
  if (mask & field_from) e.from = {ends.sender, in.unsigned_integer()};
  if (mask & field_from_node) e.from.node = static_cast<NodeId>(in.unsigned_integer());
  e.to = read_target(in, static_cast<TargetKind>(mask / field_to_first & 3), ends.receiver);
  if (mask & field_ref) e.ref = static_cast<Ref>(in.unsigned_integer());
  if (mask & field_epoch) {
    e.epoch.view = in.unsigned_integer();
    e.epoch.counter = in.unsigned_integer();
  }
  if (mask & field_request_id) e.request_id = in.string();
  if (mask & field_type) e.type = in.string();
  if (mask & field_trace) e.trace = in.string();
  if (mask & field_payload) {
    if (rest.empty()) {
      payload = in.binary();
    } else if (in.binary_head() == rest.size()) {
      payload = rest;
    }
  }
  if (mask & field_reason) e.reason = read_reason(in);
  if (mask & field_failure) read_failure(in, e);
  if (mask & field_detail) e.detail = in.string();
  for (std::size_t i = known; i < count && in.ok(); ++i) in.skip();
  if (!in.ok() || !in.at_end()) return std::unexpected("an envelope is malformed");
  if (e.from && e.from.node != ends.sender) {
    return std::unexpected("an envelope claims a sender of another node");
  }
  return {};
}

}  // namespace

std::expected<void, std::string> decode_envelope(BytesView bytes, Ends ends, Envelope& e) {
  BytesView payload;
  auto decoded = decode_around(bytes, ends, e, payload);
  if (decoded) e.payload = payload;
  return decoded;
}

std::expected<void, std::string> decode_envelope(Bytes&& first, Bytes&& rest, Ends ends,
                                                 Envelope& e) {
  BytesView payload;
  if (!rest.empty() && decode_around(first, ends, e, payload, rest) && !payload.empty()) {
    e.payload = std::move(rest);
    return {};
  }
  // It was cut elsewhere.
  e = Envelope();
  first += rest;
  return decode_envelope(first, ends, e);
}

bool has_budget(BytesView envelope) noexcept {
  return envelope.size() >= budget_offset + 9 &&
         (static_cast<unsigned char>(envelope[mask_offset + 1]) & field_budget) != 0;
}

void set_budget(Bytes& bytes, std::size_t begin, Duration budget) noexcept {
  patch_fixed64(bytes, begin + budget_offset, microseconds(budget));
}

}  // namespace coterie::wire
