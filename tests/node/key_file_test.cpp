// Files with private keys: who may read them, and what they may hold.

#include "node/key_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace coterie {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class KeyFileTest : public testing::Test {
 protected:
  KeyFileTest() {
    std::string name = (fs::temp_directory_path() / "coterie-key-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
  }
  ~KeyFileTest() override { fs::remove_all(root_); }
  std::string path(const std::string& name) const { return (root_ / name).string(); }
  std::string text(const std::string& name) const {
    std::ifstream file(path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string refusal(const std::string& name) const {
    const auto keys = read_key_file(path(name));
    return keys ? "read" : keys.error();
  }
  fs::path root_;
};

TEST_F(KeyFileTest, IsReadByItsOwnerAloneAndNeverOverwritten) {
  // Goal: a key is written once, for nobody else's eyes, and read back as it was.
  const mode_t before = ::umask(0);
  const auto made = make_key_file(path("a.key"));
  ::umask(before);
  ASSERT_TRUE(made) << made.error();
  struct stat file {};
  ASSERT_EQ(::stat(path("a.key").c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777u, 0600u);
  const auto read = read_key_file(path("a.key"));
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->public_key, made->public_key);
  EXPECT_EQ(read->secret_key, made->secret_key);
  const std::string kept = text("a.key");
  const auto again = make_key_file(path("a.key"));
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error(), HasSubstr("never overwritten"));
  EXPECT_EQ(text("a.key"), kept);
  // Nor through a link that somebody put there.
  fs::create_symlink(path("elsewhere"), path("link.key"));
  EXPECT_FALSE(make_key_file(path("link.key")));
  EXPECT_FALSE(fs::exists(path("elsewhere")));
}

TEST_F(KeyFileTest, RefusesWhatOthersMayRead) {
  // Goal: whatever the group or others may do with a key ends its use.
  ASSERT_TRUE(make_key_file(path("a.key")));
  for (const mode_t open : {0640u, 0604u, 0620u, 0602u, 0610u, 0666u}) {
    ASSERT_EQ(::chmod(path("a.key").c_str(), open), 0);
    EXPECT_THAT(refusal("a.key"), HasSubstr("its owner alone can read (mode 0600), found mode 06"));
  }
  for (const mode_t own : {0600u, 0400u, 0700u}) {
    ASSERT_EQ(::chmod(path("a.key").c_str(), own), 0);
    EXPECT_EQ(refusal("a.key"), "read");
  }
}

TEST_F(KeyFileTest, SaysWhatIsWrong) {
  // Goal: a file that is no key is told by name with what to do.
  EXPECT_THAT(refusal("none"), HasSubstr("make one with `coterie keygen"));
  EXPECT_THAT(refusal("."), HasSubstr("expected a file, found something else"));
  const auto error_of = [](const std::string& text) {
    const auto keys = parse_key_file(text);
    return keys ? "read" : keys.error();
  };
  const CurveKeys one = make_curve_keys(), two = make_curve_keys();
  const auto file = [](const std::string& public_key, const std::string& secret_key) {
    return "# note\npublic = \"" + public_key + "\"\n\nsecret = \"" + secret_key + "\"\n";
  };
  EXPECT_EQ(error_of(file(one.public_key, one.secret_key)), "read");
  EXPECT_THAT(error_of(file(two.public_key, one.secret_key)), HasSubstr("damaged"));
  EXPECT_THAT(error_of("public = \"" + one.public_key + "\"\n"), HasSubstr("found no secret one"));
  EXPECT_THAT(error_of(""), HasSubstr("found no secret one"));
  EXPECT_THAT(error_of("secret = \"short\"\n"), HasSubstr("expected the lines"));
  EXPECT_THAT(error_of(file(one.public_key, std::string(40, '"'))), HasSubstr("damaged"));
}

TEST(CurveKeysTest, PublicKeysAreNoOptionsOfAProgram) {
  // Of all keys one in 85 begins with a hyphen.
  for (int i = 0; i < 1000; ++i) ASSERT_NE(make_curve_keys().public_key.front(), '-');
}

}  // namespace
}  // namespace coterie
