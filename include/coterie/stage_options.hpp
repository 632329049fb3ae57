#pragma once
// What a stage is told when it starts and when it subscribes: members of GenStage, which inherits
// them. Plain values. Documentation and examples: <coterie/gen_stage.hpp>.

#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include <coterie/process.hpp>

namespace coterie {

template <class T>
class Dispatcher;  // demand (the default), broadcast, partition: <coterie/detail/dispatchers.hpp>

struct StageOptions {
  static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

  /// One consumer's tie to one producer. `pid` is the other side.
  struct Subscription {
    Pid pid;
    Ref tag = Ref::none;
    friend bool operator==(const Subscription&, const Subscription&) = default;
  };

  /// What the end of a producer, or of the subscription, means for the consumer.
  enum class Cancel : std::uint8_t {
    permanent,  // it ends, with the same reason
    transient,  // so, unless the reason is normal, shutdown or {shutdown, Term}
    temporary,  // it lives on
  };

  /// Broadcast only: which events a consumer wants. GenStage::select<T>(function).
  class Selector {
   public:
    Selector() = default;
    template <class T>
    const std::function<bool(const T&)>* get() const noexcept {
      return type_ == &detail::message_type<T>
                 ? static_cast<const std::function<bool(const T&)>*>(function_.get())
                 : nullptr;
    }

   private:
    friend struct StageOptions;
    std::shared_ptr<const void> function_;
    const detail::MessageType* type_ = nullptr;
  };
  template <class T>
  static Selector select(std::function<bool(const T&)> wanted) {
    Selector selector;
    selector.function_ = std::make_shared<const std::function<bool(const T&)>>(std::move(wanted));
    selector.type_ = &detail::message_type<T>;
    return selector;
  }

  struct Subscribe {
    ServerRef to;
    std::size_t max_demand = 1000;            // asked for at most, and first
    std::optional<std::size_t> min_demand{};  // asks again when so many are left; default: half
    Cancel cancel = Cancel::permanent;
    std::optional<std::size_t> partition{};  // with a PartitionDispatcher: which one
    Selector selector{};
  };

  enum class Role : std::uint8_t { producer, consumer };     // of the other side
  enum class Asking : std::uint8_t { automatic, manual };    // manual: the stage calls ask()
  enum class Keep : std::uint8_t { first, last };            // of a buffer that overflows
  enum class Demand : std::uint8_t { forward, accumulate };  // accumulate: until demand(forward)

  /// Why a subscription ended: cancelled by a side, or the other side is gone.
  struct Cancelled {
    bool down = false;
    ExitReason reason;
  };

  template <class T>
  struct ProducerOptions {
    std::unique_ptr<Dispatcher<T>> dispatcher{};  // default: DemandDispatcher
    std::optional<std::size_t> buffer_size{};     // default: 10,000; without bound between stages
    Keep buffer_keep = Keep::last;
    Demand demand = Demand::forward;
  };
};

}  // namespace coterie
