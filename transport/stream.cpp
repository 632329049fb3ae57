#include "transport/stream.hpp"

#include <algorithm>
#include <utility>

#include "transport/envelope_codec.hpp"

namespace coterie {
namespace {

constexpr std::size_t piece_part = 8;  // of the window that pieces may fill

}  // namespace

void SendStream::push(Outgoing&& outgoing) {
  if (auto* message = std::get_if<OutgoingMessage>(&outgoing)) {
    held_.add(1, message->size(), message->is_cut(*options_));
    waiting_.push(std::move(*message));
    return;
  }
  Unit unit;
  unit.records = std::move(std::get<RecordBatch>(outgoing));
  unit.messages = unit.records.count;
  unit.message_bytes = unit.records.bytes.size();
  held_.add(unit.messages, unit.message_bytes, false);
  keep(std::move(unit));
}

void SendStream::keep(Unit&& unit) {
  unit.last = last_ += unit.records.count;
  units_records_ += unit.records.count;
  units_bytes_ += unit.records.bytes.size();
  units_.push_back(std::move(unit));
}

bool SendStream::acknowledge(std::uint64_t sequence) {
  if (sequence > transmitted_) return false;
  acknowledged_ = std::max(acknowledged_, sequence);
  while (!units_.empty() && units_.front().last <= acknowledged_) {
    const Unit& unit = units_.front();
    units_records_ -= unit.records.count;
    units_bytes_ -= unit.records.bytes.size();
    units_piece_bytes_ -= unit.piece_bytes;
    held_.remove(unit.messages, unit.message_bytes, unit.cut);
    units_.pop_front();
    if (cursor_ > 0) --cursor_;
  }
  return true;
}

bool SendStream::pull(Time now) {
  if (waiting_.empty() || units_records_ >= options_->window_messages ||
      units_bytes_ >= options_->window_bytes) {
    return false;
  }
  // What is on its way delays what comes behind it: of pieces that is a part of the window.
  const bool pieces = units_piece_bytes_ < options_->window_bytes / piece_part;
  if (!pieces && !waiting_.has_small()) return false;
  StreamRecord record = waiting_.pop(now, pieces);
  Unit unit;
  unit.bare = true;
  unit.messages = record.releases > 0 ? 1 : 0;
  unit.message_bytes = record.releases;
  unit.cut = record.releases > whole_bytes_max(options_->piece_bytes);
  unit.records.count = 1;
  unit.records.bytes = std::move(record.bytes);
  if (record.piece) units_piece_bytes_ += unit.piece_bytes = unit.records.bytes.size();
  if (record.deadline != Time::max()) {
    // In the bytes is still what was left when it was encoded.
    wire::set_budget(unit.records.bytes, 0, record.deadline - now);
    unit.records.budgets.push_back({0, record.deadline - now});
  }
  unit.records.since = now;
  keep(std::move(unit));
  return true;
}

bool SendStream::transmit(Time now, const wire::Position& position, Bytes& frame) {
  std::size_t bytes = 0, count = 0;
  const std::size_t begin = cursor_;
  while (count < options_->frame_records) {
    if (cursor_ == units_.size() && !pull(now)) break;
    RecordBatch& records = units_[cursor_].records;
    if (count > 0 && (count + records.count > options_->frame_records ||
                      bytes + records.bytes.size() > options_->frame_bytes)) {
      break;
    }
    if (const Duration waited = now - records.since; waited > Duration::zero()) {
      for (const RecordBatch::Budget& budget : records.budgets) {
        wire::set_budget(records.bytes, budget.envelope, budget.left - waited);
      }
    }
    bytes += records.bytes.size();
    count += records.count;
    ++cursor_;
  }
  if (count == 0) return false;
  const Unit& first = units_[begin];
  frame = wire::begin_data(position, first.last - first.records.count + 1, count, bytes);
  for (std::size_t i = begin; i < cursor_; ++i) {
    const Unit& unit = units_[i];
    if (unit.bare) wire::append_binary_head(frame, unit.records.bytes.size());
    frame += unit.records.bytes;
  }
  transmitted_ = std::max(transmitted_, units_[cursor_ - 1].last);
  return true;
}

ReceiveStream::Verdict ReceiveStream::take(std::uint64_t sequence) noexcept {
  if (sequence <= received_) return Verdict::repeat;
  if (sequence != received_ + 1) return Verdict::gap;
  ++received_;
  return Verdict::next;
}

}  // namespace coterie
