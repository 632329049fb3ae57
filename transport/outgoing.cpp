#include "transport/outgoing.hpp"

#include <algorithm>
#include <utility>

namespace coterie {

bool OutgoingQueue::is_big(const Envelope& envelope) const noexcept {
  return wire::envelope_bytes_max(envelope) > std::min(options_->piece_bytes, wire::record_small);
}

void OutgoingQueue::push(const Envelope& envelope, Time deadline) {
  if (apart_ || is_big(envelope)) {
    push(OutgoingMessage{wire::encode_envelope(envelope, ends_), envelope.from, envelope.to,
                         deadline});
    return;
  }
  RecordBatch* batch = queued_.empty() ? nullptr : std::get_if<RecordBatch>(&queued_.back());
  if (batch == nullptr || batch->count >= options_->frame_records ||
      batch->bytes.size() + wire::envelope_bytes_max(envelope) > options_->frame_bytes) {
    batch = &std::get<RecordBatch>(queued_.emplace_back(RecordBatch{}));
  }
  const std::size_t begin = batch->bytes.size();
  const std::size_t envelope_begin = wire::append_record(batch->bytes, envelope, ends_);
  ++batch->count;
  if (deadline != Time::max()) batch->budgets.push_back({envelope_begin, deadline});
  held_.add(1, batch->bytes.size() - begin, false);
}

void OutgoingQueue::push(OutgoingMessage&& message) {
  apart_ = true;
  ++waiting_apart_;
  held_.add(1, message.bytes.size(), message.is_cut(*options_));
  queued_.emplace_back(std::move(message));
}

void OutgoingQueue::take(std::vector<Outgoing>& emptied) {
  emptied.clear();
  queued_.swap(emptied);
  held_ = {};
  waiting_apart_ = 0;
}

void OutgoingQueue::clear() noexcept {
  queued_.clear();
  held_ = {};
  waiting_apart_ = 0;
}

}  // namespace coterie
