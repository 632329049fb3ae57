// Runs a fuzz target without libFuzzer, which g++ has not: each kept input as it is, then seeded
// mutations of them. replay CORPUS [MUTATIONS [SEED]]. An input that ends the program is printed
// in hexadecimal: keep it in the corpus once its cause is found (docs/house.md).

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "process/seeded_random.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::string current;  // what is being run, for the handler

void tell(int signal) {
  static constexpr char digits[] = "0123456789abcdef";
  const auto out = [](const char* text, std::size_t size) {
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, size);
  };
  out("\ninput: ", 8);
  for (const char c : current) {
    const auto byte = static_cast<unsigned char>(c);
    const char pair[2] = {digits[byte >> 4], digits[byte & 15]};
    out(pair, 2);
  }
  out("\n", 1);
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

void run(std::string input) {
  current = std::move(input);
  // A copy of its own size, so that a sanitizer sees the first byte behind it.
  const std::vector<std::uint8_t> bytes(current.begin(), current.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

std::string mutated(const std::vector<std::string>& corpus, coterie::SeededRandom& random) {
  std::string input = corpus[random.below(corpus.size())];
  for (std::uint64_t hits = 1 + random.below(6); hits > 0; --hits) {
    const std::size_t at = random.below(input.size() + 1);
    switch (random.below(7)) {
      case 0:
        if (at < input.size()) input[at] = static_cast<char>(random.next());
        break;
      case 1:
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << random.below(8)));
        break;
      case 2:
        input.resize(at);
        break;
      case 3:
        input.insert(at, 1, static_cast<char>(random.next()));
        break;
      case 4:  // lengths at their limits
        if (at < input.size()) input[at] = "\x00\x7f\x80\xff"[random.below(4)];
        break;
      case 5:
        input.erase(at, random.below(8));
        break;
      default: {  // the end of another
        const std::string& other = corpus[random.below(corpus.size())];
        input = input.substr(0, at) + other.substr(random.below(other.size() + 1));
      }
    }
  }
  return input;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: %s CORPUS [MUTATIONS [SEED]]\n", arguments[0]);
    return 2;
  }
  for (const int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGTRAP}) {
    ::signal(signal, tell);
  }
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(arguments[1])) {
    paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  std::vector<std::string> corpus;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    run(corpus.back());
  }
  if (corpus.empty()) {
    std::fprintf(stderr, "%s holds no input\n", arguments[1]);
    return 2;
  }
  const long mutations = count > 2 ? std::atol(arguments[2]) : 5000;
  coterie::SeededRandom random(count > 3 ? std::strtoull(arguments[3], nullptr, 10) : 1);
  for (long i = 0; i < mutations; ++i) run(mutated(corpus, random));
  std::printf("%zu kept inputs and %ld mutations of them\n", corpus.size(), mutations);
  return 0;
}
