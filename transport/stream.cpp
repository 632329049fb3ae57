#include "transport/stream.hpp"

#include "transport/envelope_codec.hpp"

namespace coterie {

void SendStream::push(OutgoingMessage&& message) {
  ++held_messages_;
  held_bytes_ += message.bytes.size();
  waiting_.push(std::move(message));
}

bool SendStream::acknowledge(std::uint64_t sequence) {
  if (sequence > transmitted_) return false;
  while (acknowledged_ < sequence) {
    const StreamRecord& record = records_.front();
    records_bytes_ -= record.bytes.size();
    if (record.releases > 0) {
      --held_messages_;
      held_bytes_ -= record.releases;
    }
    records_.pop_front();
    ++acknowledged_;
    if (cursor_ > 0) --cursor_;
  }
  return true;
}

bool SendStream::pull(Time now) {
  if (waiting_.empty() || records_.size() >= options_->window_messages ||
      records_bytes_ >= options_->window_bytes) {
    return false;
  }
  records_.push_back(waiting_.pop(now));
  records_bytes_ += records_.back().bytes.size();
  return true;
}

bool SendStream::transmit(Time now, const wire::Position& position, Bytes& frame) {
  wire::Data data;
  data.position = position;
  data.first = acknowledged_ + cursor_ + 1;
  std::size_t bytes = 0;
  const std::size_t begin = cursor_;
  while (cursor_ - begin < options_->frame_records) {
    if (cursor_ == records_.size() && !pull(now)) break;
    StreamRecord& record = records_[cursor_];
    if (bytes > 0 && bytes + record.bytes.size() > options_->frame_bytes) break;
    if (record.deadline != Time::max()) wire::set_budget(record.bytes, record.deadline - now);
    bytes += record.bytes.size();
    ++cursor_;
  }
  if (cursor_ == begin) return false;
  data.records.reserve(cursor_ - begin);
  for (std::size_t i = begin; i < cursor_; ++i) data.records.push_back(records_[i].bytes);
  transmitted_ = std::max(transmitted_, acknowledged_ + cursor_);
  frame = wire::encode(data);
  return true;
}

ReceiveStream::Verdict ReceiveStream::take(std::uint64_t sequence) noexcept {
  if (sequence <= received_) return Verdict::repeat;
  if (sequence != received_ + 1) return Verdict::gap;
  ++received_;
  return Verdict::next;
}

}  // namespace coterie
