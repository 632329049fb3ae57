#pragma once
// The range that Task::async_stream returns. Included by <coterie/task.hpp>.

#include <cstddef>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <coterie/task.hpp>

namespace coterie::detail {

/// Which tasks run, which have ended, whose turn it is. Belongs to the process that reads.
class StreamTasks {
 public:
  struct Ended {
    std::size_t position = 0;
    TaskAnswer answer;
  };

  StreamTasks(const StreamOptions& options, TaskStarter starter);
  StreamTasks(StreamTasks&&) noexcept = default;
  /// Ends what still runs, without a wait.
  ~StreamTasks();

  bool has_room() const noexcept { return running_.size() < max_; }
  bool idle() const noexcept { return running_.empty(); }
  void start(TaskWork work, const std::type_info& function);
  /// The next in turn, if it has ended.
  std::optional<Ended> take();
  /// Waits for the end of one more task.
  void wait();

 private:
  struct Running {
    std::size_t position = 0;
    Pid pid;
    Time deadline;
    MessagePtr reply;
    bool timed_out = false;
  };
  using Entry = std::map<Ref, Running>::iterator;

  void ended(Entry task, const ExitReason& reason);
  void stop_late_ones();
  void end_with(const ExitReason& reason);

  StreamOptions options_;
  TaskStarter starter_;
  std::size_t max_ = 1;
  std::size_t started_ = 0;
  std::size_t ended_ = 0;
  std::size_t taken_ = 0;
  std::map<Ref, Running> running_;
  std::map<std::size_t, Ended> done_;  // by whose turn it is
};

template <class Inputs, class F>
class TaskStream {
  using Input = std::remove_cvref_t<decltype(*std::begin(std::declval<Inputs&>()))>;
  using Begin = decltype(std::begin(std::declval<Inputs&>()));
  using End = decltype(std::end(std::declval<Inputs&>()));
  static constexpr bool takes_input = std::is_invocable_v<const F&, Input>;
  template <class G, bool>
  struct ValueOf {
    using type = Nothing;
  };
  template <class G>
  struct ValueOf<G, true> {
    using type = TaskValue<const G, Input>;
  };
  using T = typename ValueOf<F, takes_input>::type;
  using Result = StreamResult<T, Input>;

 public:
  TaskStream(Inputs&& inputs, F work, const StreamOptions& options, TaskStarter starter)
      : inputs_(std::forward<Inputs>(inputs)),
        work_(std::make_shared<const F>(std::move(work))),
        zip_(options.zip_input_on_exit),
        tasks_(options, std::move(starter)) {}

  class iterator {
   public:
    using value_type = Result;
    using difference_type = std::ptrdiff_t;
    iterator() = default;
    explicit iterator(TaskStream& stream) : stream_(&stream) {}
    Result& operator*() const { return *stream_->current_; }
    Result* operator->() const { return &*stream_->current_; }
    iterator& operator++() {
      stream_->advance();
      return *this;
    }
    void operator++(int) { stream_->advance(); }
    bool operator==(std::default_sentinel_t) const { return !stream_->current_; }

   private:
    TaskStream* stream_ = nullptr;
  };
  /// Starts the first tasks; the calling process is their owner.
  iterator begin() {
    if (!next_) {
      next_.emplace(std::begin(inputs_));
      advance();
    }
    return iterator(*this);
  }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  void advance() {
    current_.reset();
    for (;;) {
      if (auto ended = tasks_.take()) {
        deliver(std::move(*ended));
        return;
      }
      while (tasks_.has_room() && *next_ != End(std::end(inputs_))) {
        start(**next_);
        ++*next_;
      }
      if (tasks_.idle()) return;
      tasks_.wait();
    }
  }

  void start(Input input) {
    if constexpr (!takes_input) {
      this_function_does_not_take_the_inputs_of_this_stream_as_const<F, Input>();
    } else {
      if constexpr (std::is_copy_constructible_v<Input>) {
        if (zip_) zipped_.emplace(started_, input);
      }
      ++started_;
      tasks_.start(task_work<Task::Reply>([work = work_, input = std::move(input)]() mutable {
                     return (*work)(std::move(input));
                   }),
                   typeid(F));
    }
  }

  void deliver(StreamTasks::Ended ended) {
    if (ended.answer.reply) {
      current_.emplace(std::move(ended.answer.reply->template as<Task::Reply<T>>()->value));
    } else {
      current_.emplace(std::unexpected(std::move(*ended.answer.exit)));
    }
    const auto zipped = zipped_.find(ended.position);
    if (zipped == zipped_.end()) return;
    if (!*current_) current_->input.emplace(std::move(zipped->second));
    zipped_.erase(zipped);
  }

  Inputs inputs_;  // a reference if it was not a temporary
  std::shared_ptr<const F> work_;
  const bool zip_;
  std::optional<Begin> next_;
  std::optional<Result> current_;
  std::map<std::size_t, Input> zipped_;  // by position
  std::size_t started_ = 0;
  StreamTasks tasks_;
};

}  // namespace coterie::detail
