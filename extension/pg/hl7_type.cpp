// Input, output and casts of the type hl7.
#include <algorithm>
#include <stdexcept>
#include <string>

#include "radscheduler/charset.hpp"

#include "received.hpp"
#include "settings.hpp"
#include "stored_message.hpp"

namespace radscheduler::pg {

bool store_message(std::string_view text, Datum* result, Failure* failure) {
    if (text.size() > static_cast<std::size_t>(max_message_bytes)) {
        return failure->set(ERRCODE_PROGRAM_LIMIT_EXCEEDED,
                            "a message of " + std::to_string(text.size()) +
                                " bytes is larger than radscheduler.max_message_bytes (" +
                                std::to_string(max_message_bytes) + ")",
                            {}, "Raise the setting, or split the message.");
    }
    const Result<std::string> canonical = normalize(text);
    if (!canonical) {
        const Error& error = canonical.error();
        return failure->set(ERRCODE_INVALID_TEXT_REPRESENTATION, "not an HL7 v2 message: " + error.text,
                            "At byte " + std::to_string(error.offset) + (error.path.empty() ? "" : ", " + error.path) +
                                ".",
                            "A message starts with MSH and its delimiters, for example MSH|^~\\&|.");
    }
    if (const Result<Message> message = Message::open(*canonical); !message) {
        return failure->set(ERRCODE_INVALID_TEXT_REPRESENTATION, "not an HL7 v2 message: " + message.error().text,
                            message.error().path.empty() ? "" : "At " + message.error().path + ".");
    }
    constexpr std::size_t head = VARHDRSZ + sizeof kStoredVersion;
    auto* stored = reinterpret_cast<struct varlena*>(copy_out(*canonical, head));
    SET_VARSIZE(stored, head + canonical->size());
    *VARDATA(stored) = kStoredVersion;
    *result = PointerGetDatum(stored);
    return true;
}

std::string_view stored_text(const struct varlena* value) {
    const std::string_view stored = view_of(value);
    if (stored.empty() || stored.front() != kStoredVersion) {
        throw std::runtime_error(
            "a stored hl7 value has a form this version does not know; the database is newer than the library");
    }
    return stored.substr(1);
}

Message open_stored(const struct varlena* value) {
    Result<Message> message = Message::open(stored_text(value));
    if (!message) throw std::runtime_error("a stored hl7 value cannot be opened: " + message.error().text);
    return *message;
}

namespace {

// Enough for nearly every header; what is longer is fetched whole.
constexpr int kHeaderBytes = 2000;

bool in_header(const Path& path) {
    return path.group_count == 0 && path.occurrence == 1 && path.segment_name() == "MSH";
}

} // namespace

const struct varlena* fetch_stored(FunctionCallInfo fcinfo, int argument, std::span<const Path> paths) {
    auto* datum = reinterpret_cast<struct varlena*>(PG_GETARG_POINTER(argument));
    if (!VARATT_IS_EXTERNAL(datum) && !VARATT_IS_COMPRESSED(datum)) return datum;
    if (!std::all_of(paths.begin(), paths.end(), in_header)) return PG_DETOAST_DATUM_PACKED(PointerGetDatum(datum));
    const struct varlena* head = PG_DETOAST_DATUM_SLICE(PointerGetDatum(datum), 0, kHeaderBytes);
    const std::string_view text = view_of(head);
    // A batch begins with FHS or BHS, and the MSH stands behind that.
    if (text.substr(1, 3) == "MSH" && text.find('\r') != std::string_view::npos) return head;
    return PG_DETOAST_DATUM_PACKED(PointerGetDatum(datum));
}

RAD_FUNCTION(rad_hl7_in) {
    const char* text = PG_GETARG_CSTRING(0);
    return store_message(text, result, failure);
}

RAD_FUNCTION(rad_hl7_out) {
    const struct varlena* value = PG_GETARG_VARLENA_PP(0);
    *result = CStringGetDatum(copy_out(stored_text(value)));
    return true;
}

RAD_FUNCTION(rad_hl7_recv) {
    auto* buffer = reinterpret_cast<StringInfo>(PG_GETARG_POINTER(0));
    int size = 0;
    const char* text = pq_getmsgtext(buffer, buffer->len - buffer->cursor, &size);
    return store_message({text, static_cast<std::size_t>(size)}, result, failure);
}

RAD_FUNCTION(rad_hl7_send) {
    const struct varlena* value = PG_GETARG_VARLENA_PP(0);
    const std::string_view text = stored_text(value);
    StringInfoData buffer;
    pq_begintypsend(&buffer);
    pq_sendtext(&buffer, text.data(), static_cast<int>(text.size()));
    *result = PointerGetDatum(pq_endtypsend(&buffer));
    return true;
}

RAD_FUNCTION(rad_hl7_from_text) {
    const struct varlena* value = PG_GETARG_VARLENA_PP(0);
    return store_message(view_of(value), result, failure);
}

namespace {

bool store_bytes(std::string_view bytes, std::string_view charset, Datum* result, Failure* failure) {
    if (!charset.empty() && iconv_name(charset).empty()) {
        return failure->set(ERRCODE_INVALID_PARAMETER_VALUE,
                            "\"" + std::string(utf8_prefix(charset, 60)) + "\" is no charset that HL7 messages come in",
                            {}, "Use a name of HL7 table 0211 (8859/1, ISO IR87, GB 18030-2000) or of iconv.");
    }
    const Received received = receive(bytes, charset);
    if (!received.error) return store_message(received.text, result, failure);
    // What is no message is refused with the same words as text.
    return failure->set(ERRCODE_INVALID_TEXT_REPRESENTATION, "not an HL7 v2 message: " + received.error->text,
                        "At " + received.error->path + ".",
                        "A message starts with MSH and its delimiters, for example MSH|^~\\&|.");
}

} // namespace

RAD_FUNCTION(rad_hl7_from_bytea) {
    const struct varlena* bytes = PG_GETARG_VARLENA_PP(0);
    return store_bytes(view_of(bytes), {}, result, failure);
}

RAD_FUNCTION(rad_hl7_from_bytea_as) {
    const struct varlena* bytes = PG_GETARG_VARLENA_PP(0);
    const struct varlena* charset = PG_GETARG_VARLENA_PP(1);
    return store_bytes(view_of(bytes), view_of(charset), result, failure);
}

RAD_FUNCTION(rad_hl7_charset) {
    const std::string_view encoding = iconv_name(view_of(PG_GETARG_VARLENA_PP(0)));
    fcinfo->isnull = encoding.empty();
    if (!encoding.empty()) *result = PointerGetDatum(varlena_of(encoding));
    return true;
}

RAD_FUNCTION(rad_hl7_try) {
    const struct varlena* value = PG_GETARG_VARLENA_PP(0);
    Failure reason;
    if (store_message(view_of(value), result, &reason)) return true;
    // What is too large depends on a setting, and NULL must not.
    if (reason.sqlstate == ERRCODE_PROGRAM_LIMIT_EXCEEDED) {
        *failure = reason;
        return false;
    }
    fcinfo->isnull = true;
    return true;
}

RAD_FUNCTION(rad_hl7_to_text) {
    const struct varlena* value = PG_GETARG_VARLENA_PP(0);
    *result = PointerGetDatum(varlena_of(stored_text(value)));
    return true;
}

} // namespace radscheduler::pg
