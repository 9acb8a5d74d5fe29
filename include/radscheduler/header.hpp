// Purpose: the MSH segment as a typed record, read leniently.
//
// Some senders leave MSH-8 out, so that the message type stands in MSH-8 and all that follows one field early.
// header_shift() finds that (MSH-9 is no type, MSH-8 is one) and every reader here and the acknowledgement apply it.
// Texts are decoded. An absent, empty or null field is an empty string.
// Source: HL7 v2.5 chapter 2.15.9.
#pragma once

#include "radscheduler/message.hpp"
#include "radscheduler/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace radscheduler {

struct MessageHeader {
    std::string sending_application; // HD: namespace id, or universal id where there is no namespace
    std::string sending_facility;
    std::string receiving_application;
    std::string receiving_facility;
    std::string message_code;
    std::string trigger_event;
    std::string structure;
    std::string control_id;
    std::string processing_id;
    std::string version;
    std::string message_time; // ISO text; empty when MSH-7 is absent or unreadable (then BAD_MESSAGE_TIME)
    std::optional<std::int64_t> sequence_number;
    std::vector<std::string> charset;
    std::string accept_ack;
    std::string application_ack;
};

// 1 when MSH-9 and what follows stand one field early, else 0.
std::uint32_t header_shift(const Message& message);

// Field of MSH as raw text, with the shift applied; empty when absent.
std::string_view header_field(const Message& message, std::uint32_t field);

// Appends REPAIR_MSH8_SHIFT, BAD_MESSAGE_TIME and the like to warnings.
MessageHeader read_header(const Message& message, std::vector<Warning>& warnings);

// {"sending_application": ..., ...}: keys of empty texts are left out.
std::string header_json(const Message& message);

} // namespace radscheduler
