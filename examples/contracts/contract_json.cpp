#include "examples/contracts/contract_json.hpp"

#include <nlohmann/json.hpp>

namespace contracts {
namespace {

using Json = nlohmann::ordered_json;

Json optional_text(const std::optional<std::string>& text) {
  return text ? Json(*text) : Json(nullptr);
}

template <typename T>
void read(const Json& object, const char* key, T& value) {
  const auto found = object.find(key);
  if (found == object.end()) return;
  if constexpr (std::is_integral_v<T>) {
    if (!found->is_number_integer()) throw std::runtime_error(std::string(key) + ": an integer");
    // A JSON integer above the range of int64_t would wrap silently.
    if (found->is_number_unsigned() &&
        found->template get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
      throw std::runtime_error(std::string(key) + ": an integer of 64 bits");
    }
  }
  value = found->template get<T>();
}

void read(const Json& object, const char* key, std::optional<std::string>& value) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return;
  value = found->get<std::string>();
}

void note(std::vector<FieldDifference>& list, std::string field, std::string expected,
          std::string found) {
  if (expected != found) {
    list.push_back({std::move(field), std::move(expected), std::move(found)});
  }
}

std::string text(const std::optional<std::string>& value) { return value ? *value : "null"; }

}  // namespace

std::string to_json_text(const Contract& contract) {
  Json payments = Json::array();
  for (const Payment& payment : contract.payments) {
    payments.push_back({{"amount", payment.amount}, {"timestamp", payment.timestamp}});
  }
  const Json object = {{"contract_id", contract.contract_id},
                       {"customer_id", contract.customer_id},
                       {"asset_cost", contract.asset_cost},
                       {"profit_amount", contract.profit_amount},
                       {"total_amount", contract.total_amount},
                       {"state", to_string(contract.state)},
                       {"approved_at", optional_text(contract.approved_at)},
                       {"disbursed_at", optional_text(contract.disbursed_at)},
                       {"payments", std::move(payments)}};
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::expected<Contract, std::string> contract_from_json(std::string_view text) {
  try {
    const Json object = Json::parse(text);
    if (!object.is_object()) return std::unexpected("a contract is a JSON object");
    Contract contract;
    read(object, "contract_id", contract.contract_id);
    read(object, "customer_id", contract.customer_id);
    read(object, "asset_cost", contract.asset_cost);
    read(object, "profit_amount", contract.profit_amount);
    read(object, "total_amount", contract.total_amount);
    std::string state(to_string(contract.state));
    read(object, "state", state);
    const auto known = state_of(state);
    if (!known) return std::unexpected("no state of a contract is called \"" + state + "\"");
    contract.state = *known;
    read(object, "approved_at", contract.approved_at);
    read(object, "disbursed_at", contract.disbursed_at);
    if (const auto payments = object.find("payments"); payments != object.end()) {
      if (!payments->is_array()) return std::unexpected("payments is a list");
      for (const Json& item : *payments) {
        if (!item.is_object()) return std::unexpected("a payment is a JSON object");
        Payment& payment = contract.payments.emplace_back();
        read(item, "amount", payment.amount);
        read(item, "timestamp", payment.timestamp);
      }
    }
    return contract;
  } catch (const std::exception& error) {
    return std::unexpected(std::string("not a contract: ") + error.what());
  }
}

std::vector<FieldDifference> compare(const Contract& expected, const Contract& found) {
  std::vector<FieldDifference> list;
  note(list, "contract_id", expected.contract_id, found.contract_id);
  note(list, "customer_id", expected.customer_id, found.customer_id);
  note(list, "asset_cost", std::to_string(expected.asset_cost), std::to_string(found.asset_cost));
  note(list, "profit_amount", std::to_string(expected.profit_amount),
       std::to_string(found.profit_amount));
  note(list, "total_amount", std::to_string(expected.total_amount),
       std::to_string(found.total_amount));
  note(list, "state", std::string(to_string(expected.state)), std::string(to_string(found.state)));
  note(list, "approved_at", text(expected.approved_at), text(found.approved_at));
  note(list, "disbursed_at", text(expected.disbursed_at), text(found.disbursed_at));
  note(list, "payments.size", std::to_string(expected.payments.size()),
       std::to_string(found.payments.size()));
  const std::size_t both = std::min(expected.payments.size(), found.payments.size());
  for (std::size_t i = 0; i < both; ++i) {
    const std::string field = "payments[" + std::to_string(i) + "]";
    note(list, field + ".amount", std::to_string(expected.payments[i].amount),
         std::to_string(found.payments[i].amount));
    note(list, field + ".timestamp", expected.payments[i].timestamp, found.payments[i].timestamp);
  }
  return list;
}

}  // namespace contracts
