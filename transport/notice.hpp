#pragma once
// A guardian's word: its node has exited, says the process that waited for it. The guardian draws a
// token at the node's start and keeps it to itself; the node tells everybody the token's key (in
// its hello, and in its member record if the view has room for it). Whoever shows a token that fits
// the key of that incarnation is its guardian, so nobody else says it by accident. Token and key
// are a Curve25519 key pair, which ZeroMQ can make and check. Where nodes have keys the notice also
// takes the key of that node (docs/security.md). Where they have none, a token that was shown can
// be read on the wire; it speaks for a run that is over, so that it is worth nothing then.

#include <string>
#include <string_view>
#include <vector>

#include <coterie/time.hpp>

#include "transport/admission.hpp"
#include "transport/wire.hpp"

namespace coterie {

using wire::DeathNotice;
using wire::NoticeTaken;

struct GuardianSecret {
  std::string token;  // of the guardian alone, 40 characters
  std::string key;    // for everybody, 40 characters
};
/// From the system's source of secrets.
GuardianSecret make_guardian_secret();
/// Whether `token` is the one of `key`. Never true for an empty key.
bool token_fits(std::string_view token, std::string_view key);

/// What a member answers to a notice, from what its record of that incarnation says alone.
NoticeTaken judge_notice(const DeathNotice& notice, std::string_view cluster_id,
                         std::string_view guardian_key);

struct NoticeResult {
  std::string address;
  bool accepted = false;
  std::string text;  // why not
};
/// Tells all client listeners in `addresses` at once and waits for their answers up to `timeout`.
/// Blocks; leaves no thread behind, so the caller may fork afterwards.
/// With `keys` it shows the node's own key, and reaches listeners that have any of theirs.
std::vector<NoticeResult> send_death_notice(const DeathNotice& notice,
                                            const std::vector<std::string>& addresses,
                                            Duration timeout, const Clock& clock,
                                            const ClientKeys& keys = {});

}  // namespace coterie
