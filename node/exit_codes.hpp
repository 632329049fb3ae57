#pragma once
// The exit codes of the program `coterie`, for people, scripts, service managers and the guardian.
// They never change their meaning. 128 + n stands for a node that died by signal n.

namespace coterie::exit_code {

inline constexpr int ok = 0;
inline constexpr int failure = 1;         // anything that has no code of its own
inline constexpr int usage = 2;           // wrong arguments or configuration; never restarted
inline constexpr int refused = 3;         // `call`: the server answered no
inline constexpr int not_executed = 4;    // `call`: certainly did not run
inline constexpr int maybe_executed = 5;  // `call`: may have run
inline constexpr int fenced = 75;         // out of the view for good: start the next incarnation
inline constexpr int name_taken = 76;     // a living node has this name; never restarted

}  // namespace coterie::exit_code
