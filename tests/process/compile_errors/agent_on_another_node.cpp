// expect: Agent(coterie::RemoteName) [with State = int]
#include <coterie/agent.hpp>

coterie::Agent<int> elsewhere() { return coterie::Agent<int>(coterie::at("hits", "b")); }
