// Members of the JSON of a reading: what was not sent is left out, the HL7 null is null.
#pragma once

#include "radscheduler/json_writer.hpp"
#include "radscheduler/siu/reading.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace radscheduler::siu {

void member(JsonWriter& json, std::string_view name, const Text& text);
void member(JsonWriter& json, std::string_view name, const std::optional<int>& number);
void member(JsonWriter& json, std::string_view name, const CodedText& coded);
void member(JsonWriter& json, std::string_view name, const std::vector<std::string>& list);

// "identifiers": [{value, authority, type}], an empty list too.
void write_identifiers(JsonWriter& json, const std::vector<SiuIdentifier>& identifiers);

// "request": {windows: [{path, from, until}], times, resources, locations, overrides: [{name, value}],
// spacing_minutes}.
void write_request(JsonWriter& json, const SiuRequest& request);

// "merges": [{into, from}], "orders": [{path, control, …}].
void write_merges(JsonWriter& json, const std::vector<SiuMerge>& merges);
void write_orders(JsonWriter& json, const std::vector<SiuOrder>& orders);

} // namespace radscheduler::siu
