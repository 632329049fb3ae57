// The part of Link that moves records: what arrives, and what is sent and acknowledged.

#include <algorithm>
#include <expected>

#include "transport/envelope_codec.hpp"
#include "transport/session.hpp"

namespace coterie {
namespace {

constexpr std::size_t ack_parts = 32;  // of the window, received and not yet acknowledged

}  // namespace

using namespace link_action;

void Link::on_data(Time now, const wire::Data& data) {
  bool gap = false;
  Deliver told;
  told.envelopes = std::exchange(spare_, {});
  told.envelopes.reserve(data.records.size());
  for (std::size_t i = 0; i < data.records.size(); ++i) {
    const BytesView record = data.records[i];
    const auto verdict = receive_.take(data.first + i);
    if (verdict == ReceiveStream::Verdict::repeat) {
      ++counters_.repeats;
      continue;
    }
    if (verdict == ReceiveStream::Verdict::gap) {
      ++counters_.gaps;
      gap = true;
      break;
    }
    ++unacked_records_;
    unacked_bytes_ += record.size();
    if (!unpack(now, record, told)) return;
  }
  if (!told.envelopes.empty()) actions_.emplace_back(std::move(told));
  if (gap && now - asked_again_at_ >= options_.ack_delay) {
    asked_again_at_ = now;
    send_ack(true);
  } else if (unacked_records_ >= options_.ack_every ||
             unacked_bytes_ >= options_.stream.window_bytes / ack_parts) {
    ack_at_ = std::min(ack_at_, now);  // with the next flush, if nothing carries it
  } else if (ack_at_ == Time::max()) {
    ack_at_ = now + options_.ack_delay;  // a repeat is acknowledged again: its ack was lost
  }
}

/// Adds the envelope that the record is, or is the last piece of. False: the session is lost, and
/// what came before the record has been delivered.
bool Link::unpack(Time now, BytesView record, Deliver& told) {
  const wire::Ends ends{peer_.id, self_.incarnation.id};
  std::expected<void, std::string> decoded;
  if (!Assembler::is_piece(record)) {
    decoded = wire::decode_envelope(record, ends, told.envelopes.emplace_back());
    if (!decoded) told.envelopes.pop_back();
  } else if (auto whole = receive_.assemble(record); !whole) {
    decoded = std::unexpected(std::move(whole.error()));
  } else if (!*whole) {
    return true;
  } else {
    decoded = wire::decode_envelope(std::move((*whole)->first), std::move((*whole)->rest), ends,
                                    told.envelopes.emplace_back());
    if (!decoded) told.envelopes.pop_back();
  }
  if (decoded) {
    told.envelopes.back().arrived = now;
    ++counters_.delivered;
    return true;
  }
  // Leaving it out would be a gap, so the session ends here, and everybody is told.
  const std::string why = std::move(decoded.error());
  ++counters_.malformed;
  if (!told.envelopes.empty()) actions_.emplace_back(std::move(told));
  refuse(wire::Refuse::Code::malformed, why, peer_.id);
  lose(now, why, false);
  return false;
}

void Link::send_ack(bool again) {
  unacked_records_ = unacked_bytes_ = 0;
  ack_at_ = Time::max();
  // Behind data it would wait; a data lane without any is the shorter way.
  const bool data_lane_is_free = resumed_ && !send_.unacknowledged();
  actions_.emplace_back(Send{data_lane_is_free ? wire::Lane::data : wire::Lane::control,
                             encode(wire::Ack{position(), again})});
}

void Link::flush(Time now, std::size_t frames_max) {
  if (!established_) return;
  const bool idle = !send_.unacknowledged();
  Bytes frame;
  for (std::size_t i = 0; resumed_ && i < frames_max && send_.transmit(now, position(), frame);
       ++i) {
    ++counters_.frames_out;
    if (idle && i == 0) progress_at_ = now;  // the wait for an ack begins
    unacked_records_ = unacked_bytes_ = 0;   // the frame carries the ack
    ack_at_ = Time::max();
    actions_.emplace_back(Send{wire::Lane::data, std::move(frame)});
  }
  if (ack_at_ <= now) send_ack(false);
}

}  // namespace coterie
