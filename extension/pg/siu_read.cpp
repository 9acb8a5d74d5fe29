// The typed reading in SQL: hl7_header(), siu_read(), siu_parse(). Bad bytes are values here, never errors.
#include <string>

#include "radscheduler/ack_mode.hpp"
#include "radscheduler/header.hpp"
#include "radscheduler/json_writer.hpp"
#include "radscheduler/siu/reader.hpp"

#include "reading_profile.hpp"
#include "received.hpp"
#include "stored_message.hpp"

namespace radscheduler::pg {

namespace {

// {"error": {…}} for bytes that are no message.
std::string refusal(const SiuError& error) {
    JsonWriter json;
    json.begin_object();
    json.key("error");
    json.begin_object();
    json.member("code", error.code);
    json.member("path", error.path);
    json.member("text", error.text);
    json.end_object();
    json.end_object();
    return json.take();
}

std::string header_of(std::string_view bytes) {
    const Received received = receive(bytes);
    if (received.error) return refusal(*received.error);
    const Result<Message> message = Message::open(received.text);
    return "{\"header\":" + header_json(*message) + "}";
}

std::string reading_of(std::string_view bytes, const SiuOptions& options, std::string_view charset) {
    const Received received = receive(bytes, charset);
    if (received.error) return refusal(*received.error);
    const Result<Message> message = Message::open(received.text);
    SiuReading reading = read_siu(*message, options);
    for (Warning& warning : ack_due(*message, AckCode::accept).warnings)
        reading.warnings.push_back(std::move(warning));
    if (received.warning) reading.warnings.push_back(*received.warning);
    return to_json(reading);
}

} // namespace

RAD_FUNCTION(rad_hl7_header) {
    const struct varlena* bytes = PG_GETARG_VARLENA_PP(0);
    char* json = copy_out(header_of(view_of(bytes)));
    *result = DirectFunctionCall1(jsonb_in, CStringGetDatum(json));
    return true;
}

// siu_read(bytes, profile). Versions 0.1 and 0.2 declare siu_read(bytes, lenient, start_source, charset) on this
// symbol, and a database may be upgraded long after the library was.
RAD_FUNCTION(rad_siu_read) {
    const struct varlena* bytes = PG_GETARG_VARLENA_PP(0);
    ReadingProfile profile;
    if (PG_NARGS() == 2) {
        profile = read_profile(PG_GETARG_JSONB_P(1));
    } else {
        const std::string_view source = view_of(PG_GETARG_VARLENA_PP(2));
        if (source != "appointment" && source != "service") {
            return failure->set(ERRCODE_INVALID_PARAMETER_VALUE, "start_source must be appointment or service");
        }
        profile.strict = !PG_GETARG_BOOL(1);
        profile.start_by_service = source == "service";
        profile.charset = view_of(PG_GETARG_VARLENA_PP(3));
    }
    char* json = copy_out(reading_of(view_of(bytes), profile.options(), profile.charset));
    *result = DirectFunctionCall1(jsonb_in, CStringGetDatum(json));
    return true;
}

RAD_FUNCTION(rad_siu_parse) {
    const struct varlena* value = PG_GETARG_VARLENA_PP(0);
    char* json = copy_out(to_json(read_siu(open_stored(value))));
    *result = DirectFunctionCall1(jsonb_in, CStringGetDatum(json));
    return true;
}

} // namespace radscheduler::pg
