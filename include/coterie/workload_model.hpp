#pragma once
// What a workload brings so that its recorded history can be judged: its rules, one key at a time,
// over opaque bytes. Failover tests check against it that each key behaved as if one thread had
// applied its operations in some order that fits their times (linearizability, Herlihy and Wing
// 1990), and that what was acknowledged is there at the end, once.
// Implementations are pure: no state, any thread, the same answer each time.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <coterie/bytes.hpp>

namespace coterie {

class WorkloadModel {
 public:
  WorkloadModel() = default;
  WorkloadModel(const WorkloadModel&) = delete;
  WorkloadModel& operator=(const WorkloadModel&) = delete;
  virtual ~WorkloadModel() = default;

  /// The state of a key before its first operation. Equal states have equal bytes.
  virtual Bytes initial(std::string_view key) const = 0;

  /// The state after `operation` if in `state` it could have answered `answer`, else nothing.
  /// Without an answer nobody saw one: the state after whatever it does there.
  virtual std::optional<Bytes> step(BytesView state, BytesView operation,
                                    const std::optional<Bytes>& answer) const = 0;

  /// Whether an operation that answered so leaves every state as it is: reads and refusals. They
  /// are checked faster, and not at all where a clock beyond its bound lets an owner answer from
  /// what it knows. False is always right, and checks most.
  virtual bool keeps_state(BytesView operation, BytesView answer) const = 0;

  /// What `operation` would answer in `state`, for people.
  virtual std::string expected(BytesView state, BytesView operation) const = 0;

  /// The trace that `operation` leaves for ever once it is accepted; nothing if it leaves none.
  virtual std::optional<Bytes> effect(BytesView operation) const = 0;

  /// The traces in the answer of a read at the end, as often as each is there.
  virtual std::vector<Bytes> effects(BytesView last_answer) const = 0;
};

}  // namespace coterie
