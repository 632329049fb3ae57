#include "examples/contracts/contracts.hpp"

#include "examples/contracts/contract_server.hpp"
#include "examples/contracts/contract_workload.hpp"
#include "examples/contracts/payment_server.hpp"

namespace contracts {

coterie::Application application() {
  coterie::Application application;
  application.name = "contracts";
  application.children = [] { return std::vector<coterie::ChildSpec>{payment_starter()}; };
  application.kinds = {
      {.kind = coterie::kind<ContractServer, coterie::NoArguments>(std::string(contracts_kind)),
       .starting_message = std::string(Start::type_name),
       .restart = coterie::Restart::transient},
      {.kind = coterie::kind<PaymentServer, coterie::NoArguments>(std::string(payments_kind)),
       .restart = coterie::Restart::permanent}};
  application.workloads = {std::make_shared<ContractWorkload>()};
  return application;
}

}  // namespace contracts
