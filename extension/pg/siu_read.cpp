// The typed reading in SQL: hl7_header(), siu_read(), siu_parse(). Bad bytes are values here, never errors.
#include <string>

#include "radscheduler/ack_mode.hpp"
#include "radscheduler/header.hpp"
#include "radscheduler/json_writer.hpp"
#include "radscheduler/siu/reader.hpp"

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

RAD_FUNCTION(rad_siu_read) {
    const struct varlena* bytes = PG_GETARG_VARLENA_PP(0);
    const bool lenient = PG_GETARG_BOOL(1);
    const struct varlena* source = PG_GETARG_VARLENA_PP(2);
    if (view_of(source) != "appointment" && view_of(source) != "service") {
        return failure->set(ERRCODE_INVALID_PARAMETER_VALUE, "start_source must be appointment or service");
    }
    const struct varlena* charset = PG_GETARG_VARLENA_PP(3);
    char* json = nullptr;
    {
        SiuOptions options;
        options.lenient = lenient;
        options.start_source = view_of(source) == "service" ? StartSource::service : StartSource::standard;
        json = copy_out(reading_of(view_of(bytes), options, view_of(charset)));
    }
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
