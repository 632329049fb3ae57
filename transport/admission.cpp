#include "transport/admission.hpp"

#include <array>

#include <zmq.hpp>

namespace coterie {
namespace {

constexpr std::size_t key_size = 41;  // 40 characters of Z85 and the zero behind them
constexpr Duration log_every = std::chrono::seconds(1);

}  // namespace

bool curve_available() noexcept { return zmq_has("curve") == 1; }

CurveKeys make_curve_keys() {
  std::array<char, key_size> public_key{}, secret_key{};
  do {
    if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0) throw zmq::error_t();
  } while (public_key[0] == '-');
  return {public_key.data(), secret_key.data()};
}

std::string curve_public_key(std::string_view secret_key) {
  if (secret_key.size() != key_size - 1) return {};
  std::array<char, key_size> derived{};
  if (zmq_curve_public(derived.data(), std::string(secret_key).c_str()) != 0) return {};
  return derived.data();
}

std::string_view to_string(KeyRole role) noexcept {
  switch (role) {
    case KeyRole::member:
      return "member";
    case KeyRole::client:
      return "client";
    case KeyRole::operator_:
      return "operator";
  }
  return "unknown";
}

std::optional<KeyHolder> Admission::holder(std::string_view public_key) const {
  std::lock_guard lock(mutex_);
  const auto found = list_.find(public_key);
  if (found == list_.end()) return std::nullopt;
  return found->second;
}

bool Admission::is_member(std::string_view public_key, std::string_view node) const {
  const auto found = holder(public_key);
  return found && found->role == KeyRole::member && found->name == node;
}

void Admission::replace(AllowList list) {
  {
    std::lock_guard lock(mutex_);
    list_ = std::move(list);
  }
  version_.fetch_add(1, std::memory_order_release);
}

std::optional<std::string> Admission::refused(Time now, std::string text) {
  std::lock_guard lock(mutex_);
  ++refusals_.count;
  refusals_.last = text;
  if (logged_at_ != Time::min() && now < after(logged_at_, log_every)) {
    ++unlogged_;
    return std::nullopt;
  }
  logged_at_ = now;
  if (unlogged_ > 0) text += " (and " + std::to_string(unlogged_) + " others since the last line)";
  unlogged_ = 0;
  return text;
}

Admission::Refusals Admission::refusals() const {
  std::lock_guard lock(mutex_);
  return refusals_;
}

}  // namespace coterie
