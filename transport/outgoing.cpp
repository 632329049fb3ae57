#include "transport/outgoing.hpp"

#include <algorithm>
#include <utility>

namespace coterie {

namespace {

bool is_big(std::size_t bytes_max, const StreamOptions& options) noexcept {
  return bytes_max > std::min(options.piece_bytes, wire::record_small);
}

}  // namespace

bool is_big(const Envelope& envelope, const StreamOptions& options) noexcept {
  return is_big(wire::envelope_bytes_max(envelope), options);
}

OutgoingMessage encode_apart(Envelope& envelope, wire::Ends ends, const StreamOptions& options) {
  OutgoingMessage message{{}, {}, envelope.from, envelope.to, envelope.budget};
  if (envelope.payload.size() > whole_bytes_max(options.piece_bytes) &&
      wire::encode_envelope_before(envelope, ends, message.bytes)) {
    message.payload = std::move(envelope.payload);
  } else {
    message.bytes = wire::encode_envelope(envelope, ends);
  }
  return message;
}

Envelope too_big_answer(const Envelope& call, std::string detail) {
  Envelope answer;
  answer.signal = Signal::call_failed;
  answer.to = call.from;
  answer.ref = call.ref;
  answer.code = CallError::Code::overloaded;
  answer.execution = CallError::Execution::not_executed;
  answer.detail = std::move(detail);
  return answer;
}

void OutgoingQueue::push(const Envelope& envelope) {
  const std::size_t bytes_max = wire::envelope_bytes_max(envelope);
  if (apart_ || is_big(bytes_max, *options_)) {
    push(OutgoingMessage{
        wire::encode_envelope(envelope, ends_), {}, envelope.from, envelope.to, envelope.budget});
    return;
  }
  RecordBatch* batch = queued_.empty() ? nullptr : std::get_if<RecordBatch>(&queued_.back());
  if (batch == nullptr || batch->count >= options_->frame_records ||
      batch->bytes.size() + bytes_max > options_->frame_bytes) {
    batch = &std::get<RecordBatch>(queued_.emplace_back(RecordBatch{}));
  }
  const std::size_t begin = batch->bytes.size();
  const std::size_t envelope_begin = wire::append_record(batch->bytes, envelope, ends_, bytes_max);
  ++batch->count;
  if (envelope.budget != infinity) batch->budgets.push_back({envelope_begin, envelope.budget});
  held_.add(1, batch->bytes.size() - begin, false);
}

void OutgoingQueue::push(OutgoingMessage&& message) {
  apart_ = true;
  ++waiting_apart_;
  held_.add(1, message.size(), message.is_cut(*options_));
  queued_.emplace_back(std::move(message));
}

void OutgoingQueue::take(Time now, std::vector<Outgoing>& emptied) {
  emptied.clear();
  queued_.swap(emptied);
  for (Outgoing& outgoing : emptied) {
    if (auto* batch = std::get_if<RecordBatch>(&outgoing)) {
      batch->since = now;
    } else if (auto& message = std::get<OutgoingMessage>(outgoing); message.budget != infinity) {
      message.deadline = after(now, message.budget);
    }
  }
  held_ = {};
  waiting_apart_ = 0;
}

void OutgoingQueue::clear() noexcept {
  queued_.clear();
  held_ = {};
  waiting_apart_ = 0;
}

}  // namespace coterie
