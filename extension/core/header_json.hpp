// The header object, shared by header_json() and to_json().
#pragma once

#include "radscheduler/header.hpp"
#include "radscheduler/json_writer.hpp"

namespace radscheduler {

void write_header(JsonWriter& json, const MessageHeader& header);

} // namespace radscheduler
