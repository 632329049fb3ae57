#pragma once
// Workload: how a program's servers are driven from outside and judged. `coterie replay` sends its
// recorded commands, `coterie failover` draws commands from it while nodes die, and both check what
// came back against its model. Implementations are pure and stateless; any thread.

#include <cstdint>
#include <expected>
#include <istream>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <coterie/bytes.hpp>
#include <coterie/server_ref.hpp>
#include <coterie/workload_model.hpp>

namespace coterie {

/// One command, as a workload file holds it.
struct WorkloadOperation {
  std::string key;         // "contract-7": commands of one key keep their order
  std::string word;        // "pay"
  std::string request_id;  // unique; retries repeat it
  Bytes bytes;             // in the workload's own form, as its model reads it
};

/// The request that a command becomes.
struct WorkloadCall {
  ServerRef target;  // LocalName or ViaName: any node may be asked
  std::string type;  // type_name
  Bytes payload;     // MessagePack
};

/// What a reply means. `bytes` is in the workload's own form, as its model reads it.
struct WorkloadAnswer {
  bool accepted = false;  // false: refused by the workload's rules
  Bytes bytes;
};

class Workload {
 public:
  Workload() = default;
  Workload(const Workload&) = delete;
  Workload& operator=(const Workload&) = delete;
  virtual ~Workload() = default;

  virtual std::string_view kind() const noexcept = 0;
  virtual const WorkloadModel& model() const noexcept = 0;
  /// The words of `ops` in a scenario.
  virtual std::vector<std::string> words() const = 0;

  /// A recorded file; the error is one line "FILE:LINE:COLUMN: ...".
  virtual std::expected<std::vector<WorkloadOperation>, std::string> read(
      std::istream& in, std::string_view file) const = 0;
  /// What read() reads back; here each command's bytes on a line of its own.
  virtual void write(std::span<const WorkloadOperation> operations, std::ostream& out) const {
    for (const WorkloadOperation& operation : operations) out << operation.bytes << '\n';
  }

  /// Draws commands by seed. One object per run, used by one thread.
  class Source {
   public:
    virtual ~Source() = default;
    /// What brings key number `index` into being.
    virtual WorkloadOperation start(std::size_t index) = 0;
    /// The next command of a key that was started.
    virtual WorkloadOperation next(std::size_t index) = 0;
  };
  virtual std::unique_ptr<Source> source(
      std::uint64_t seed, const std::map<std::string, std::uint64_t>& weights) const = 0;

  virtual WorkloadCall call(const WorkloadOperation& operation) const = 0;
  /// The error says why the reply cannot be understood.
  virtual std::expected<WorkloadAnswer, std::string> answer(const WorkloadOperation& operation,
                                                            BytesView reply) const = 0;
  /// What it means that no process of that key exists, nor ever did. Nothing: the command is one
  /// that brings it into being, so it is tried again.
  virtual std::optional<WorkloadAnswer> absent(const WorkloadOperation& operation) const {
    static_cast<void>(operation);
    return std::nullopt;
  }
  /// Reads a key at the end; its answer goes to WorkloadModel::effects and to compare().
  virtual WorkloadOperation last_read(const std::string& key) const = 0;

  /// The result of a recorded file, applied in one thread, against the last answers of a run: one
  /// line per difference, field by field.
  virtual std::vector<std::string> compare(
      std::span<const WorkloadOperation> operations,
      const std::map<std::string, Bytes, std::less<>>& last_answers) const = 0;

  /// Further reads at the end (a ledger, for instance) and the lines of what they find wrong.
  /// `unknown`: keys of which a command may have begun and never been told how it ended.
  virtual std::vector<WorkloadCall> audit_calls() const { return {}; }
  virtual std::vector<std::string> audit(
      std::span<const Bytes> replies,
      const std::map<std::string, Bytes, std::less<>>& last_answers,
      const std::set<std::string>& unknown) const {
    static_cast<void>(replies);
    static_cast<void>(last_answers);
    static_cast<void>(unknown);
    return {};
  }
};

}  // namespace coterie
