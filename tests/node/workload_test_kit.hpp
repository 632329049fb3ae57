#pragma once
// A workload of counters for tests of the driver: `add` adds one, `read` reads, both "refused"
// while the counter is shut. Operations and answers are their words.

#include <coterie/workload.hpp>

namespace coterie::test {

class CounterModel final : public WorkloadModel {
 public:
  Bytes initial(std::string_view) const override { return "0"; }
  std::optional<Bytes> step(BytesView state, BytesView,
                            const std::optional<Bytes>&) const override {
    return Bytes(state);
  }
  bool keeps_state(BytesView, BytesView) const override { return false; }
  std::string expected(BytesView, BytesView) const override { return {}; }
  std::optional<Bytes> effect(BytesView) const override { return std::nullopt; }
  std::vector<Bytes> effects(BytesView) const override { return {}; }
};

class CounterWorkload final : public Workload {
 public:
  std::string_view kind() const noexcept override { return "counters"; }
  const WorkloadModel& model() const noexcept override { return model_; }
  std::vector<std::string> words() const override { return {"add", "read"}; }
  std::expected<std::vector<WorkloadOperation>, std::string> read(std::istream&,
                                                                  std::string_view) const override {
    return std::unexpected("no files");
  }
  std::unique_ptr<Source> source(std::uint64_t,
                                 const std::map<std::string, std::uint64_t>&) const override {
    return std::make_unique<CounterSource>();
  }
  WorkloadCall call(const WorkloadOperation& operation) const override {
    return {via("counters", operation.key), operation.word, operation.bytes};
  }
  std::expected<WorkloadAnswer, std::string> answer(const WorkloadOperation&,
                                                    BytesView reply) const override {
    if (reply == "garbage") return std::unexpected("garbage");
    return WorkloadAnswer{reply != "shut", Bytes(reply)};
  }
  std::optional<WorkloadAnswer> absent(const WorkloadOperation& operation) const override {
    if (operation.word == "start") return std::nullopt;
    return WorkloadAnswer{false, "absent"};
  }
  WorkloadOperation last_read(const std::string& key) const override {
    return {key, "read", "last-" + key, "read"};
  }
  std::vector<std::string> compare(
      std::span<const WorkloadOperation>,
      const std::map<std::string, Bytes, std::less<>>&) const override {
    return {};
  }

 private:
  class CounterSource final : public Source {
   public:
    WorkloadOperation start(std::size_t index) override { return make(index, "start"); }
    WorkloadOperation next(std::size_t index) override { return make(index, "add"); }

   private:
    WorkloadOperation make(std::size_t index, std::string word) {
      return {"counter-" + std::to_string(index), word, "r-" + std::to_string(++made_), word};
    }
    int made_ = 0;
  };
  CounterModel model_;
};

}  // namespace coterie::test
