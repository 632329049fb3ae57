// A voter's file, cut at every write and sync: what is read afterwards is what was answered last,
// or what was being written; and damage is mended, or refused in words.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <random>

#include "process/crc32c.hpp"
#include "registry/voter_disk.hpp"
#include "registry/voter_file.hpp"

namespace coterie::testing {
namespace {

// A disk whose unsynced writes are lost in part when the power goes. The power goes at operation
// `cut`, and every operation from then on fails.
class CutDisk final : public VoterDisk {
 public:
  StorageResult<Bytes> read() override { return stable_; }
  StorageResult<void> create(BytesView content) override {
    if (operation_gone()) {  // none or all of it
      if (random_() % 2 == 0) stable_ = Bytes(content);
      return gone();
    }
    stable_ = Bytes(content);
    return {};
  }
  StorageResult<void> write(std::size_t offset, BytesView bytes) override {
    unsynced_.emplace_back(offset, Bytes(bytes));
    if (!operation_gone()) return {};
    lose();
    return gone();
  }
  StorageResult<void> sync() override {
    if (operation_gone()) {
      lose();
      return gone();
    }
    for (const auto& [offset, bytes] : unsynced_) stable_.replace(offset, bytes.size(), bytes);
    unsynced_.clear();
    return {};
  }

  /// The machine has power again, and loses it at the operation `at` from now on.
  void power(std::uint64_t at, std::uint64_t seed) {
    unsynced_.clear();
    operations = 0;
    cut_ = at;
    random_.seed(seed);
  }
  Bytes& stable() { return stable_; }
  std::uint64_t operations = 0;

 private:
  bool operation_gone() { return operations++ >= cut_; }
  // Of each sector nothing, all, or the first bytes have arrived.
  void lose() {
    constexpr std::size_t sector = 64;  // smaller than real ones, so that there are several
    for (const auto& [offset, bytes] : unsynced_) {
      for (std::size_t at = 0; at < bytes.size(); at += sector) {
        std::size_t size = std::min(sector, bytes.size() - at);
        const auto fate = random_() % 3;
        if (fate == 0) continue;
        if (fate == 1) size = random_() % (size + 1);
        stable_.replace(offset + at, size, bytes, at, size);
      }
    }
    unsynced_.clear();
  }
  static std::unexpected<StorageError> gone() {
    return std::unexpected(StorageError{.message = "no power"});
  }

  Bytes stable_;
  std::vector<std::pair<std::size_t, Bytes>> unsynced_;
  std::uint64_t cut_ = ~std::uint64_t{0};
  std::mt19937_64 random_;
};

VoterState state_after(VoterState state, std::uint64_t step) {
  state.voters = {{"a", state.slot_id}, {"b", 7}};
  state.record.promised = {step, 1};
  state.record.longest_lease = std::chrono::seconds(2);
  View view;
  view.number = step;
  for (std::uint64_t i = 0; i <= step % 7; ++i) {
    Member& member = view.members["node-" + std::to_string(i)];
    member.name = "node-" + std::to_string(i);
    member.incarnation = {step, NodeId{step * 100 + i}};
    member.address = "host-" + std::to_string(i) + ".example:4000";
  }
  if (step % 3 != 0) {
    state.record.accepted = {step, 0};
    state.record.view = std::make_shared<const View>(std::move(view));
  }
  return state;
}

constexpr std::uint64_t steps = 12;

struct Workload {
  VoterState answered;  // the last that save() or open() said is on disk
  VoterState written;   // under way when the power went
};

// Makes the file if it is not there and saves `steps` states, until the power goes.
Workload work(CutDisk& disk, std::uint64_t first) {
  Workload done;
  auto file = VoterFile::open(disk, "shop", 42);
  if (!file) return done;
  done.answered = done.written = file->state();
  for (std::uint64_t step = first; step < first + steps; ++step) {
    done.written = state_after(file->state(), step);
    if (!file->save(done.written)) return done;
    done.answered = done.written;
  }
  return done;
}

// Power lost at every operation, 100 times each with other bytes lost: nothing answered is
// forgotten, nothing is half there, and the file is as good as before.
TEST(VoterFile, forgets_nothing_answered_wherever_power_is_lost) {
  CutDisk whole;
  (void)work(whole, 1);
  const std::uint64_t operations = whole.operations;
  ASSERT_EQ(operations, 1 + steps * 4) << "a write and a sync for each copy";
  std::uint64_t cuts = 0, lost_writes = 0;
  for (std::uint64_t cut = 0; cut < operations; ++cut) {
    for (std::uint64_t seed = 0; seed < 100; ++seed, ++cuts) {
      CutDisk disk;
      disk.power(cut, seed);
      const Workload before = work(disk, 1);
      // The next start may lose its power too, while it mends.
      disk.power(seed % 3, seed + 1);
      (void)VoterFile::open(disk, "shop", 42);
      disk.power(~std::uint64_t{0}, seed);
      const auto file = VoterFile::open(disk, "shop", 42);
      ASSERT_TRUE(file) << "cut " << cut << " seed " << seed << ": " << file.error().message;
      if (cut == 0) continue;
      const bool kept = file->state() == before.answered;
      ASSERT_TRUE(kept || file->state() == before.written) << "cut " << cut << " seed " << seed;
      lost_writes += kept && before.answered != before.written ? 1 : 0;
      const Workload after = work(disk, 100);
      ASSERT_EQ(after.answered.record.promised.counter, 100 + steps - 1);
    }
  }
  EXPECT_GE(cuts, 4'800u);
  EXPECT_GT(lost_writes, 500u) << "power was lost where it matters";
}

// Any damaged byte of one copy is noticed and mended by the other; of both, refused.
TEST(VoterFile, mends_one_damaged_copy_and_refuses_two) {
  CutDisk disk;
  const Workload done = work(disk, 1);
  const Bytes good = disk.stable();
  // Behind the payload there may be rests of a longer one.
  const std::size_t used = 16 + static_cast<std::uint8_t>(good[12]) +
                           256 * static_cast<std::size_t>(static_cast<std::uint8_t>(good[13]));
  for (std::size_t byte = 0; byte < used; ++byte) {
    for (const std::size_t copy : {0, 1}) {
      disk.stable() = good;
      disk.stable()[copy * VoterFile::copy_bytes + byte] ^= 0x10;
      const auto file = VoterFile::open(disk, "shop", 42);
      ASSERT_TRUE(file) << byte;
      ASSERT_EQ(file->state(), done.answered) << byte;
      ASSERT_FALSE(file->remark().empty());
      ASSERT_EQ(disk.stable(), good) << "mended";
    }
  }
  disk.stable()[20] ^= 0x10;
  disk.stable()[VoterFile::copy_bytes + 30] ^= 0x10;
  const auto refused = VoterFile::open(disk, "shop", 42);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, StorageError::Code::corrupt);
  EXPECT_NE(refused.error().message.find("does not vote"), std::string::npos);
}

// A file cut short, emptied, of another cluster or of a later version is refused in words.
TEST(VoterFile, refuses_what_it_cannot_trust) {
  CutDisk disk;
  (void)work(disk, 1);
  const Bytes good = disk.stable();
  EXPECT_EQ(VoterFile::open(disk, "other", 42).error().code, StorageError::Code::misuse);
  for (const std::size_t size : {std::size_t{1}, VoterFile::copy_bytes / 2}) {
    disk.stable() = Bytes(size, '\0');
    EXPECT_EQ(VoterFile::open(disk, "shop", 42).error().code, StorageError::Code::corrupt);
  }
  disk.stable() = good;
  const auto file = VoterFile::open(disk, "shop", 42);
  ASSERT_TRUE(file);
  EXPECT_FALSE(file->created());
  EXPECT_EQ(file->state().slot_id, 42u);
}

// After an error nobody knows what is on disk, so nothing is said to be written any more.
TEST(VoterFile, ends_with_its_first_failed_sync) {
  CutDisk disk;
  auto file = VoterFile::open(disk, "shop", 42);
  ASSERT_TRUE(file);
  const VoterState next = state_after(file->state(), 1);
  disk.power(1, 3);
  EXPECT_FALSE(file->save(next));
  disk.power(~std::uint64_t{0}, 3);
  const auto again = file->save(next);
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().message.find("failed before"), std::string::npos);
}

// A view that does not fit is refused before anything is touched.
TEST(VoterFile, refuses_a_view_that_does_not_fit) {
  CutDisk disk;
  auto file = VoterFile::open(disk, "shop", 42);
  VoterState big = state_after(file->state(), 1);
  View view = *big.record.view;
  for (int i = 0; i < 3'000; ++i) {
    Member& member = view.members["m" + std::to_string(i)];
    member.address = std::string(100, 'x');
  }
  big.record.view = std::make_shared<const View>(std::move(view));
  EXPECT_EQ(file->save(big).error().code, StorageError::Code::misuse);
  EXPECT_TRUE(file->save(state_after(file->state(), 2)));
}

// The same on a real file: its state outlives the object, and it cannot be made where none may be.
TEST(VoterFile, lives_on_a_real_file) {
  std::string path = (std::filesystem::temp_directory_path() / "voter-XXXXXX").string();
  ASSERT_NE(mkdtemp(path.data()), nullptr);
  VoterState state;
  {
    FileVoterDisk disk(path);
    auto file = VoterFile::open(disk, "shop", 42);
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_TRUE(file->created());
    for (std::uint64_t step = 1; step < 4; ++step) {
      state = state_after(file->state(), step);
      ASSERT_TRUE(file->save(state));
    }
  }
  {
    FileVoterDisk disk(path);
    const auto file = VoterFile::open(disk, "shop", 43);
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_FALSE(file->created());
    EXPECT_EQ(file->state(), state);
  }
  std::filesystem::resize_file(path + "/voter", 0);
  FileVoterDisk emptied(path);
  EXPECT_EQ(VoterFile::open(emptied, "shop", 44).error().code, StorageError::Code::corrupt);
  FileVoterDisk nowhere(path + "/missing");
  const auto refused = VoterFile::open(nowhere, "shop", 45);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("cannot make"), std::string::npos);
  std::filesystem::remove_all(path);
}

// The checksum is the one that everybody else means by its name.
TEST(VoterFile, checksum_is_crc32c) { EXPECT_EQ(crc32c("123456789"), 0xE3069283u); }

}  // namespace
}  // namespace coterie::testing
