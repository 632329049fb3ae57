// expect: no matching function for call to ‘send_after(int, coterie::Pid&, Tick)’
#include <coterie/process.hpp>

struct Tick {};

auto later(coterie::Pid pid) { return coterie::send_after(5000, pid, Tick{}); }
