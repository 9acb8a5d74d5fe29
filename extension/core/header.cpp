// Reading MSH.
#include "radscheduler/header.hpp"

#include "ascii.hpp"
#include "header_json.hpp"
#include "radscheduler/timestamp.hpp"
#include "scan.hpp"
#include "segment_fields.hpp"

namespace radscheduler {

namespace {

constexpr std::uint32_t kSecurity = 8;
constexpr std::uint32_t kMessageType = 9;
constexpr std::size_t kLongestSequenceNumber = 9;
constexpr int kFirstMessageYear = 1990; // what is older than every other message could never be in its order

// XXX^Xnn, the shape of a message type with its trigger event.
bool is_message_type(std::string_view field, const Delimiters& delimiters) {
    std::string_view code;
    std::string_view event;
    return split_part(field, delimiters.component, 1, code) && split_part(field, delimiters.component, 2, event) &&
           is_segment_name(code) && is_segment_name(event) && is_digit(event[1]) && is_digit(event[2]);
}

// First header segment that is an MSH: a batch begins with FHS or BHS.
std::string_view header_segment(const Message& message) {
    return message.segment("MSH");
}

std::string_view raw_field(const Message& message, std::uint32_t field) {
    std::string_view text;
    const std::string_view segment = header_segment(message);
    if (segment.data() == nullptr) return {};
    return split_part(segment, message.delimiters().field, field, text) ? text : std::string_view{};
}

// Hierarchic designator: the namespace, or the universal id where there is none.
std::string designator(const SegmentFields& header, std::size_t field) {
    std::string name = header.text(field, 1).value;
    return name.empty() ? header.text(field, 2).value : name;
}

} // namespace

std::uint32_t header_shift(const Message& message) {
    const Delimiters& delimiters = message.delimiters();
    const bool in_place = is_message_type(raw_field(message, kMessageType), delimiters);
    return !in_place && is_message_type(raw_field(message, kSecurity), delimiters) ? 1 : 0;
}

std::string_view header_field(const Message& message, std::uint32_t field) {
    const std::uint32_t shift = field >= kSecurity ? header_shift(message) : 0;
    if (shift != 0 && field == kSecurity) return {};
    return raw_field(message, field - shift);
}

MessageHeader read_header(const Message& message, std::vector<Warning>& warnings) {
    const SegmentFields header(header_segment(message), message.delimiters());
    const std::uint32_t shift = header_shift(message);
    const auto shifted = [shift](std::size_t field) { return field - shift; };
    if (shift != 0) {
        warnings.push_back({"REPAIR_MSH8_SHIFT", "MSH-8",
                            "The message type stands in MSH-8; MSH-9 and what follows were read one field early. Ask "
                            "the sender to send MSH-8 (security), empty if need be."});
    }
    MessageHeader result;
    result.sending_application = designator(header, 3);
    result.sending_facility = designator(header, 4);
    result.receiving_application = designator(header, 5);
    result.receiving_facility = designator(header, 6);
    result.message_code = header.text(shifted(9), 1).value;
    result.trigger_event = header.text(shifted(9), 2).value;
    result.structure = header.text(shifted(9), 3).value;
    result.control_id = header.whole(shifted(10)).value;
    result.processing_id = header.text(shifted(11), 1).value;
    result.version = header.text(shifted(12), 1).value;
    if (const std::string time = header.text(7, 1).value; !time.empty()) {
        const Result<Timestamp> stamp = Timestamp::parse(time);
        if (!stamp || !stamp->has_day()) {
            warnings.push_back({"BAD_MESSAGE_TIME", "MSH-7",
                                "MSH-7 is not a date and time; the message counts as sent when it arrived."});
        } else if (stamp->year < kFirstMessageYear) {
            warnings.push_back(
                {"BAD_MESSAGE_TIME", "MSH-7", "MSH-7 lies before 1990; the message counts as sent when it arrived."});
        } else {
            result.message_time = stamp->iso();
        }
    }
    const std::string sequence = header.text(shifted(13), 1).value;
    if (all_digits(sequence) && sequence.size() <= kLongestSequenceNumber) {
        result.sequence_number = digits_value(sequence);
    }
    for (std::size_t i = 1; i <= header.repetitions(shifted(18)); ++i) {
        std::string charset = header.text(shifted(18), 1, i).value;
        if (!charset.empty()) result.charset.push_back(std::move(charset));
    }
    result.accept_ack = header.text(shifted(15), 1).value;
    result.application_ack = header.text(shifted(16), 1).value;
    return result;
}

void write_header(JsonWriter& json, const MessageHeader& header) {
    json.begin_object();
    json.member("sending_application", header.sending_application);
    json.member("sending_facility", header.sending_facility);
    json.member("receiving_application", header.receiving_application);
    json.member("receiving_facility", header.receiving_facility);
    json.member("message_code", header.message_code);
    json.member("trigger_event", header.trigger_event);
    json.member("structure", header.structure);
    json.member("control_id", header.control_id);
    json.member("processing_id", header.processing_id);
    json.member("version", header.version);
    json.member("message_time", header.message_time);
    if (header.sequence_number) {
        json.key("sequence_number");
        json.number(*header.sequence_number);
    }
    if (!header.charset.empty()) {
        json.key("charset");
        json.begin_array();
        for (const std::string& charset : header.charset)
            json.text(charset);
        json.end_array();
    }
    json.member("accept_ack", header.accept_ack);
    json.member("application_ack", header.application_ack);
    json.end_object();
}

std::string header_json(const Message& message) {
    std::vector<Warning> warnings;
    JsonWriter json;
    write_header(json, read_header(message, warnings));
    return json.take();
}

} // namespace radscheduler
