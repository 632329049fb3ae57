#include "registry/voter_codec.hpp"

#include <limits>
#include <type_traits>
#include <utility>

#include "registry/record_codec.hpp"

namespace coterie::voters {
namespace {

constexpr std::uint64_t format_version = 2;

// The fields of a note are listed once, in fields(); the two classes below pass them out or in.
class Writing {
 public:
  template <class... Fields>
  void operator()(Fields&... values) {
    (one(values), ...);
  }
  Bytes take() { return out_.take(); }
  void one(std::uint64_t value) { out_.number(value); }

 private:
  void one(bool value) { out_.number(value ? 1 : 0); }
  void one(VoterIndex value) { out_.number(value); }
  void one(NodeId value) { out_.number(static_cast<std::uint64_t>(value)); }
  void one(Answer::Kind value) { out_.number(static_cast<std::uint64_t>(value)); }
  void one(Duration value) { out_.number(static_cast<std::uint64_t>(value.count())); }
  void one(Time value) { one(value.time_since_epoch()); }
  void one(const std::string& value) { out_.text(value); }
  void one(const Member& value) { write_member(out_, value); }
  void one(const ViewPtr& value) { out_.text(value ? encode_view(*value) : Bytes()); }
  void one(const Ballot& value) { out_.number(value.counter).number(value.voter); }
  void one(const Echo& value) {
    one(value.run);
    one(value.at);
  }
  void one(const std::vector<NodeId>& values) {
    out_.number(values.size());
    for (const NodeId value : values) one(value);
  }
  void one(const std::optional<HeardReport>& value) { write_heard(out_, value); }
  void one(const std::map<std::string, std::uint64_t>& values) {
    out_.number(values.size());
    for (const auto& [name, value] : values) out_.text(name).number(value);
  }

  RecordWriter out_;
};

class Reading {
 public:
  explicit Reading(BytesView bytes) : in_(bytes) {}
  template <class... Fields>
  void operator()(Fields&... values) {
    (one(values), ...);
  }
  bool ok() const noexcept { return ok_ && in_.ok(); }
  void one(std::uint64_t& value) { value = in_.number(); }

 private:
  void one(bool& value) { value = in_.number() != 0; }
  void one(VoterIndex& value) {
    const std::uint64_t number = in_.number();
    ok_ = ok_ && number <= std::numeric_limits<VoterIndex>::max();
    value = static_cast<VoterIndex>(number);
  }
  void one(NodeId& value) { value = NodeId{in_.number()}; }
  void one(Answer::Kind& value) {
    const std::uint64_t number = in_.number();
    ok_ = ok_ && number <= static_cast<std::uint64_t>(Answer::Kind::config_differs);
    value = static_cast<Answer::Kind>(number);
  }
  void one(Duration& value) { value = Duration(static_cast<std::int64_t>(in_.number())); }
  void one(Time& value) { value = Time(Duration(static_cast<std::int64_t>(in_.number()))); }
  void one(std::string& value) { value = in_.text(); }
  void one(Member& value) { value = read_member(in_); }
  void one(ViewPtr& value) {
    const std::string bytes = in_.text();
    if (bytes.empty()) return;
    auto view = decode_view(bytes);
    ok_ = ok_ && view.has_value();
    if (view) value = std::make_shared<const View>(std::move(*view));
  }
  void one(Ballot& value) {
    one(value.counter);
    one(value.voter);
  }
  void one(Echo& value) {
    one(value.run);
    one(value.at);
  }
  void one(std::vector<NodeId>& values) {
    for (std::uint64_t left = in_.count(); left > 0 && ok(); --left) {
      values.push_back(NodeId{in_.number()});
    }
  }
  void one(std::optional<HeardReport>& value) { value = read_heard(in_); }
  void one(std::map<std::string, std::uint64_t>& values) {
    for (std::uint64_t left = in_.count(); left > 0 && ok(); --left) {
      std::string name = in_.text();
      values[std::move(name)] = in_.number();
    }
  }

  RecordReader in_;
  bool ok_ = true;
};

void fields(auto& pass, Renew& r) {
  pass(r.member, r.number, r.echo, r.installed, r.config_digest, r.ready, r.leaving, r.draining,
       r.predecessor_dead, r.heard);
}
void fields(auto& pass, AnswerTo& a) {
  pass(a.to, a.answer.kind, a.answer.number, a.answer.echo, a.answer.length, a.answer.counter,
       a.answer.why, a.answer.newer);
}
void fields(auto& pass, Told& t) { pass(t.view); }
void fields(auto& pass, Ask& a) { pass(a.round, a.candidates, a.dead); }
void fields(auto& pass, Would& w) { pass(w.round, w.expired); }
void fields(auto& pass, Newest& n) { pass(n.ballot, n.asking, n.answering, n.slot_id, n.voters); }
void fields(auto& pass, AdmitMe& a) { pass(a.run); }
void fields(auto& pass, Admit& a) {
  pass(a.run, a.history, a.promised, a.accepted, a.view, a.longest_lease, a.voters);
}
void fields(auto& pass, ViewRegister::Prepare& p) { pass(p.ballot, p.candidates, p.dead); }
void fields(auto& pass, ViewRegister::Promised& p) {
  pass(p.ballot, p.accepted, p.view, p.expired);
}
void fields(auto& pass, ViewRegister::Accept& a) { pass(a.ballot, a.view); }
void fields(auto& pass, ViewRegister::Accepted& a) { pass(a.ballot); }
void fields(auto& pass, ViewRegister::Refused& r) { pass(r.ballot, r.promised, r.retry_after); }
void fields(auto& pass, ViewRegister::Chosen& c) { pass(c.ballot, c.view); }

// What tells of a view has one.
bool whole(const auto& note) {
  if constexpr (requires { note.view; }) {
    return note.view != nullptr;
  } else {
    return true;
  }
}
bool whole(const ViewRegister::Promised&) { return true; }  // of a voter that never voted
bool whole(const Admit&) { return true; }

// The number of a kind in a note is its place here, from 1. Appended only.
template <class... Kinds>
struct KindList {
  template <class Kind>
  static constexpr std::uint64_t number_of() {
    std::uint64_t place = 0, found = 0;
    ((++place, found = std::is_same_v<Kind, Kinds> ? place : found), ...);
    return found;
  }
  static std::optional<Note> read(std::uint64_t number, Reading& pass) {
    std::optional<Note> note;
    std::uint64_t place = 0;
    (void)((++place == number && (read_one<Kinds>(pass, note), true)) || ...);
    return note;
  }
  template <class Kind>
  static void read_one(Reading& pass, std::optional<Note>& note) {
    Kind kind;
    fields(pass, kind);
    if (pass.ok() && whole(kind)) note = Note(std::move(kind));
  }
};
using NoteKinds = KindList<Renew, AnswerTo, Told, Ask, Would, Newest, ViewRegister::Prepare,
                           ViewRegister::Promised, ViewRegister::Accept, ViewRegister::Accepted,
                           ViewRegister::Refused, ViewRegister::Chosen, AdmitMe, Admit>;

void write(Writing& pass, auto& kind) {
  if constexpr (requires { fields(pass, kind); }) {
    pass.one(NoteKinds::number_of<std::remove_reference_t<decltype(kind)>>());
    fields(pass, kind);
  } else {
    std::visit([&](auto& inner) { write(pass, inner); }, kind);
  }
}

}  // namespace

Bytes encode(Note note) {
  Writing pass;
  pass.one(format_version);
  write(pass, note);
  return pass.take();
}

std::optional<Note> decode(BytesView bytes) {
  Reading pass(bytes);
  std::uint64_t version = 0, kind = 0;
  pass.one(version);
  pass.one(kind);
  if (!pass.ok() || version != format_version) return std::nullopt;
  return NoteKinds::read(kind, pass);
}

}  // namespace coterie::voters
