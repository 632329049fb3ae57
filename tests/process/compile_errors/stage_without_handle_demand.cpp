// expect: to be of abstract type
#include <coterie/gen_stage.hpp>

class Numbers final : public coterie::GenStage::Producer<int> {};

auto start() { return coterie::GenServer::start<Numbers>({}); }
