#include "transport/pieces.hpp"

#include <algorithm>

#include "process/huge_pages.hpp"
#include "transport/envelope_codec.hpp"
#include "transport/msgpack_io.hpp"

namespace coterie {
namespace {

// A piece is [0, message id, total bytes, offset, bytes]: a five-element array, where an envelope
// has a 16-bit array head.
constexpr char piece_head = '\x95';
// So many small messages may pass between two pieces.
constexpr unsigned small_in_row_max = 16;

bool is_name(const Target& target) noexcept { return !std::holds_alternative<Pid>(target); }

}  // namespace

Interleaver::Lane* Interleaver::lane_for(const OutgoingMessage& message) {
  const auto found = by_sender_.find(message.from);
  const bool big = is_cut(message);
  if (found != by_sender_.end()) {
    std::vector<Lane*>& lanes = found->second;
    for (Lane* lane : lanes) {
      if (lane->named) return lane;
    }
    if (!is_name(message.to)) {
      for (Lane* lane : lanes) {
        if (lane->to == message.to) return lane;
      }
      if (!big) return nullptr;
    }
  } else if (!big) {
    return nullptr;
  }
  Lane& lane = lanes_.emplace_back();
  lane.from = message.from;
  lane.to = message.to;
  lane.named = is_name(message.to);
  lane.after_small = small_pushed_;
  by_sender_[message.from].push_back(&lane);
  return &lane;
}

void Interleaver::push(OutgoingMessage&& message) {
  // Without a big message under way everything goes in the order in which it came.
  if (lanes_.empty() && !is_cut(message)) {
    push_small(std::move(message));
    return;
  }
  if (Lane* lane = lane_for(message)) {
    lane->messages.push_back(std::move(message));
  } else {
    push_small(std::move(message));
  }
}

void Interleaver::push_small(OutgoingMessage&& message) {
  ++small_pushed_;
  small_.push_back(std::move(message));
}

StreamRecord Interleaver::pop_small() {
  ++small_popped_;
  ++small_in_row_;
  StreamRecord record;
  record.bytes = std::move(small_.front().bytes);
  record.deadline = small_.front().deadline;
  record.releases = record.bytes.size();
  small_.pop_front();
  return record;
}

Interleaver::Lanes::iterator Interleaver::next_lane() {
  return std::find_if(lanes_.begin(), lanes_.end(), [this](const Lane& lane) {
    // A lane never overtakes the small messages that its sender queued before.
    return lane.after_small <= small_popped_ &&
           (!lane.named || by_sender_.find(lane.from)->second.size() == 1);
  });
}

StreamRecord Interleaver::pop(Time now, bool pieces) {
  if (!pieces || lanes_.empty() || (!small_.empty() && small_in_row_ < small_in_row_max))
    return pop_small();
  const auto lane = next_lane();
  if (lane == lanes_.end()) return pop_small();
  small_in_row_ = 0;
  return pop_from(lane, now);
}

StreamRecord Interleaver::pop_from(Lanes::iterator lane, Time now) {
  OutgoingMessage& message = lane->messages.front();
  StreamRecord record;
  bool complete = true;
  if (lane->offset == 0 && !is_cut(message)) {
    record.releases = message.size();
    record.bytes = std::move(message.bytes);
    record.deadline = message.deadline;
  } else {
    if (lane->offset == 0) {
      lane->message_id = ++last_message_id_;
      if (message.deadline != Time::max())
        wire::set_budget(message.bytes, 0, message.deadline - now);
    }
    record.piece = true;
    // A payload that is apart begins a piece: its receiver need not copy it once more.
    const bool before = lane->offset < message.bytes.size();
    const BytesView part =
        before
            ? BytesView(message.bytes).substr(lane->offset, piece_bytes_)
            : BytesView(message.payload).substr(lane->offset - message.bytes.size(), piece_bytes_);
    record.bytes.reserve(part.size() + 40);
    wire::Writer out(record.bytes);
    out.array(5);
    out.unsigned_integer(0);
    out.unsigned_integer(lane->message_id);
    out.unsigned_integer(message.size());
    out.unsigned_integer(lane->offset);
    out.binary(part);
    lane->offset += part.size();
    complete = lane->offset == message.size();
    if (complete) record.releases = message.size();
  }
  if (complete) {
    lane->messages.pop_front();
    lane->offset = 0;
  }
  if (lane->messages.empty()) {
    const auto sender = by_sender_.find(lane->from);
    std::erase(sender->second, &*lane);
    if (sender->second.empty()) by_sender_.erase(sender);
    lanes_.erase(lane);
  } else {
    lanes_.splice(lanes_.end(), lanes_, lane);
  }
  return record;
}

bool Assembler::is_piece(BytesView record) noexcept {
  return !record.empty() && record[0] == piece_head;
}

std::expected<std::optional<Assembled>, std::string> Assembler::add(BytesView record) {
  wire::Reader in(record);
  const std::size_t fields = in.array();
  const std::uint64_t tag = in.unsigned_integer();
  const std::uint64_t id = in.unsigned_integer();
  const std::uint64_t total = in.unsigned_integer();
  const std::uint64_t offset = in.unsigned_integer();
  const BytesView bytes = in.binary();
  if (!in.ok() || !in.at_end() || fields != 5 || tag != 0 || bytes.empty()) {
    return std::unexpected("a piece of a message is malformed");
  }
  if (total > limits_.message_bytes) {
    return std::unexpected("a message of " + std::to_string(total) +
                           " bytes is over the limit of " + std::to_string(limits_.message_bytes));
  }
  auto found = partial_.find(id);
  const std::uint64_t have =
      found == partial_.end() ? 0 : found->second.first.size() + found->second.rest.size();
  if (offset != have || bytes.size() > total - std::min(total, have)) {
    return std::unexpected("a piece of a message does not follow its predecessor");
  }
  if (held_bytes_ + bytes.size() > limits_.held_bytes) {
    return std::unexpected("incomplete messages exceed " + std::to_string(limits_.held_bytes) +
                           " bytes");
  }
  held_bytes_ += bytes.size();
  if (found == partial_.end()) {
    found = partial_.emplace(id, Assembled{Bytes(bytes), {}}).first;
  } else {
    Bytes& rest = found->second.rest;
    if (rest.empty() && reserved_bytes_ + total <= limits_.held_bytes) {
      reserved_bytes_ += total;
      detail::reserve_huge(rest, total - have);
      found->second.reserved = total;
    }
    rest.append(bytes);
  }
  if (have + bytes.size() < total) return std::nullopt;
  Assembled message = std::move(found->second);
  partial_.erase(found);
  held_bytes_ -= total;
  reserved_bytes_ -= message.reserved;
  return message;
}

}  // namespace coterie
