// Acknowledgements in SQL: hl7_answer() and hl7_response() for bytes as received, hl7_ack() for a stored message.
#include <algorithm>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include "radscheduler/ack.hpp"
#include "radscheduler/ack_mode.hpp"
#include "radscheduler/charset.hpp"
#include "radscheduler/declared_charset.hpp"
#include "radscheduler/header.hpp"

#include "iconv_charset.hpp"
#include "received.hpp"
#include "stored_message.hpp"
#include "value_text.hpp"

namespace radscheduler::pg {

namespace {

bool ack_code(std::string_view text, AckCode* code, Failure* failure) {
    const std::optional<AckCode> named = ack_code_named(text);
    if (!named) {
        return failure->set(ERRCODE_INVALID_PARAMETER_VALUE,
                            "an acknowledgement code is AA, AE, AR, CA, CE or CR (HL7 table 0008)");
    }
    *code = *named;
    return true;
}

// Digits of base 36, the last `width` of them.
std::string base36(std::uint64_t value, std::size_t width) {
    std::string digits(width, '0');
    for (std::size_t i = width; i-- > 0; value /= 36)
        digits[i] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[value % 36];
    return digits;
}

// Twenty characters, the length of MSH-10 before 2.7: second, process and number within the process.
std::string own_control_id(pg_time_t now, unsigned long serial) {
    return "RA" + base36(static_cast<std::uint64_t>(now), 7) + base36(static_cast<std::uint64_t>(MyProcPid), 5) +
           base36(serial, 6);
}

// What goes back over the connection that the message came by: the accept acknowledgement where the sender asks for
// one, else the application acknowledgement. Two answers to one message would be taken for the answer to the next. An
// acceptance says nothing of what became of the message, so that it carries no text and no ERR.
bool choose_answer(const Message& message, AckRequest& request) {
    const AckDue due = ack_due(message, request.code);
    if (!due.accept && !due.application) return false;
    request.code = due.accept ? *due.accept : *due.application;
    if (due.accept) {
        request.message_code = request.structure = "ACK";
        request.segments.clear();
    }
    if (request.code == AckCode::commit_accept) {
        request.text.clear();
        request.issues.clear();
    }
    return true;
}

// The names are constants, so that plain views of them may leave.
void due_codes(const Message& message, AckCode outcome, std::string_view (&codes)[2]) {
    const AckDue due = ack_due(message, outcome);
    if (due.accept) codes[0] = ack_code_name(*due.accept);
    if (due.application) codes[1] = ack_code_name(*due.application);
}

// Bytes in ASCII alone tell nothing of the encoding that texts of ours should have: what the sender declares does.
std::string encoding_for(const Message& raw, std::string_view charset, const Utf8Text& text) {
    const bool plain = std::all_of(raw.text().begin(), raw.text().end(), [](char c) { return (c & 0x80) == 0; });
    if (!plain) return text.encoding;
    const std::string_view declared =
        declared_encoding(charset.empty() ? header_field(raw, 18) : charset, raw.delimiters().repetition, raw.text());
    return declared.empty() ? text.encoding : std::string(declared);
}

// Echoes stay in the sender's bytes. Where a byte of a character may look like a delimiter, and where the answer holds
// texts of our own, it is built in UTF-8 and handed back in the sender's encoding, whose texts come back as they were.
std::string answer_to(std::string_view bytes, std::string_view charset, AckRequest& request) {
    const Result<std::string> canonical = normalize(bytes);
    const Result<Message> raw = canonical ? Message::open(*canonical) : Result<Message>(canonical.error());
    if (!raw) return build_ack(request);
    const Utf8Text text = converted(*raw, charset);
    const bool hidden = hides_delimiters(text.encoding) || !request.segments.empty();
    const Result<Message> message = hidden ? Message::open(text.text) : raw;
    if (!message) return build_ack(request);
    request.original = &*message;
    if (!choose_answer(*message, request)) return {};
    std::string answer = build_ack(request);
    if (!hidden) return answer;
    return iconv_from_utf8(encoding_for(*raw, charset, text), answer).value_or(std::move(answer));
}

std::string_view text_or_empty(const struct varlena* value) {
    return value == nullptr ? std::string_view{} : view_of(value);
}

std::string stamp_utc(pg_time_t seconds) {
    const auto now = static_cast<std::time_t>(seconds);
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[32];
    const std::size_t size = std::strftime(text, sizeof text, "%Y%m%d%H%M%S+0000", &parts);
    return {text, size};
}

} // namespace

namespace {

// What hl7_answer() and hl7_response() take alike: plain views, fetched before anything is built.
struct AnswerArguments {
    const struct varlena *bytes, *code, *control_id, *stamp, *note, *charset;
    SqlTexts codes, paths, severities, sentences;
};

const struct varlena* argument_or_null(FunctionCallInfo fcinfo, int argument) {
    return PG_ARGISNULL(argument) ? nullptr : PG_GETARG_VARLENA_PP(argument);
}

AnswerArguments answer_arguments(FunctionCallInfo fcinfo) {
    return {argument_or_null(fcinfo, 0), argument_or_null(fcinfo, 1), argument_or_null(fcinfo, 2),
            argument_or_null(fcinfo, 3), argument_or_null(fcinfo, 4), argument_or_null(fcinfo, 9),
            texts_of(fcinfo, 5),         texts_of(fcinfo, 6),         texts_of(fcinfo, 7),
            texts_of(fcinfo, 8)};
}

bool fill(const AnswerArguments& given, AckRequest& request, Failure* failure) {
    const int count = given.codes.count;
    if (given.paths.count != count || given.severities.count != count || given.sentences.count != count) {
        return failure->set(ERRCODE_ARRAY_SUBSCRIPT_ERROR, "the four error arrays of an answer must be of one length");
    }
    if (!ack_code(text_or_empty(given.code), &request.code, failure)) return false;
    request.control_id = text_or_empty(given.control_id);
    request.timestamp = text_or_empty(given.stamp);
    request.text = text_or_empty(given.note);
    for (int i = 0; i < count; ++i) {
        const Severity severity = given.severities.at(i) == "W"   ? Severity::warning
                                  : given.severities.at(i) == "I" ? Severity::information
                                                                  : Severity::error;
        request.issues.push_back({std::string(given.codes.at(i)),
                                  std::string(given.paths.at(i)),
                                  severity,
                                  std::string(given.sentences.at(i)),
                                  {}});
    }
    return true;
}

} // namespace

RAD_FUNCTION(rad_hl7_answer) {
    const AnswerArguments given = answer_arguments(fcinfo);
    AckRequest request;
    if (!fill(given, request, failure)) return false;
    *result = PointerGetDatum(varlena_of(answer_to(text_or_empty(given.bytes), text_or_empty(given.charset), request)));
    return true;
}

// hl7_answer() as a response of its own: message code, structure, segments.
RAD_FUNCTION(rad_hl7_response) {
    const AnswerArguments given = answer_arguments(fcinfo);
    const struct varlena* message_code = argument_or_null(fcinfo, 10);
    const struct varlena* structure = argument_or_null(fcinfo, 11);
    const SqlTexts segments = texts_of(fcinfo, 12);
    AckRequest request;
    if (!fill(given, request, failure)) return false;
    request.message_code = text_or_empty(message_code);
    request.structure = text_or_empty(structure);
    for (int i = 0; i < segments.count; ++i)
        request.segments.emplace_back(segments.at(i));
    *result = PointerGetDatum(varlena_of(answer_to(text_or_empty(given.bytes), text_or_empty(given.charset), request)));
    return true;
}

RAD_FUNCTION(rad_hl7_ack) {
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1)) {
        fcinfo->isnull = true;
        return true;
    }
    const struct varlena* value = PG_GETARG_VARLENA_PP(0);
    const struct varlena* code = PG_GETARG_VARLENA_PP(1);
    const struct varlena* note = PG_ARGISNULL(2) ? nullptr : PG_GETARG_VARLENA_PP(2);
    const auto now = static_cast<pg_time_t>(std::time(nullptr));
    static unsigned long serial = 0;
    AckRequest request;
    if (!ack_code(view_of(code), &request.code, failure)) return false;
    const Message message = open_stored(value);
    request.original = &message;
    request.timestamp = stamp_utc(now);
    request.control_id = own_control_id(now, ++serial);
    request.text = text_or_empty(note);
    return store_message(build_ack(request), result, failure);
}

// (accept text, application text): see hl7_ack_due().
RAD_FUNCTION(rad_hl7_ack_due) {
    const struct varlena* value = PG_GETARG_VARLENA_PP(0);
    const struct varlena* code = PG_GETARG_VARLENA_PP(1);
    AckCode outcome{};
    if (!ack_code(view_of(code), &outcome, failure)) return false;
    std::string_view codes[2];
    due_codes(open_stored(value), outcome, codes);
    TupleDesc shape = nullptr;
    if (get_call_result_type(fcinfo, nullptr, &shape) != TYPEFUNC_COMPOSITE) elog(ERROR, "hl7_ack_due() returns a row");
    Datum values[2] = {};
    bool nulls[2] = {};
    for (int i = 0; i < 2; ++i) {
        nulls[i] = codes[i].empty();
        if (!nulls[i]) {
            values[i] = PointerGetDatum(cstring_to_text_with_len(codes[i].data(), static_cast<int>(codes[i].size())));
        }
    }
    *result = HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(shape), values, nulls));
    return true;
}

} // namespace radscheduler::pg
