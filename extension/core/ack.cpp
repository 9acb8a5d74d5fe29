// Building acknowledgements.
#include "radscheduler/ack.hpp"

#include "ascii.hpp"
#include "radscheduler/charset.hpp"
#include "radscheduler/escape.hpp"
#include "radscheduler/header.hpp"
#include "radscheduler/path.hpp"
#include "scan.hpp"
#include "segment_text.hpp"

#include <algorithm>

namespace radscheduler {

namespace {

// Versions as major * 100 + minor; an unreadable one counts as 2.5.
constexpr int kVersion24 = 204;
constexpr int kVersion25 = 205;
constexpr int kVersion27 = 207;
constexpr std::size_t kLongestEcho = 60; // of a header field, once the acknowledgement would be too long

int version_number(std::string_view text) {
    if (text.size() < 3 || !is_digit(text[0]) || text[1] != '.' || !is_digit(text[2])) return kVersion25;
    return digits_value(text.substr(0, 1)) * 100 + digits_value(text.substr(2, 1));
}

bool accepts(AckCode code) {
    return code == AckCode::accept || code == AckCode::commit_accept;
}

std::string_view severity_name(Severity severity) {
    switch (severity) {
    case Severity::error:
        return "E";
    case Severity::warning:
        return "W";
    case Severity::information:
        return "I";
    }
    return "E";
}

// Raw text of the sender, without the bytes that would break an MLLP frame.
std::string echo(std::string_view raw) {
    std::string text(raw);
    std::erase_if(text, [](char c) { return c == '\x0B' || c == '\x1C'; });
    return text;
}

// Raw text cut to a limit, not inside a character or an escape.
std::string cut_raw(std::string_view raw, std::size_t limit, char escape_character) {
    std::string_view kept = utf8_prefix(raw, limit);
    if (escape_character != '\0' && std::count(kept.begin(), kept.end(), escape_character) % 2 != 0) {
        kept = kept.substr(0, kept.rfind(escape_character));
    }
    return std::string(kept);
}

// Escaped text of at most `limit` bytes.
std::string escaped_within(std::string_view text, std::size_t limit, const Delimiters& delimiters) {
    std::string_view kept = utf8_prefix(text, limit);
    std::string escaped = escape(kept, delimiters);
    while (escaped.size() > limit) {
        kept = utf8_prefix(kept, kept.size() - 1);
        escaped = escape(kept, delimiters);
    }
    return escaped;
}

// The encoding characters as the first segment declares them; in a batch that is FHS or BHS, not MSH.
std::string_view declared_encoding(const Message& message) {
    const std::string_view head = message.text().substr(0, message.text().find('\r'));
    std::string_view encoding;
    split_part(head, message.delimiters().field, 2, encoding);
    return encoding;
}

// What the acknowledgement takes over from the message it answers.
struct Echoes {
    Delimiters delimiters;
    std::string encoding = "^~\\&";
    std::string application, facility, their_application, their_facility;
    std::string event;
    std::string control_id;
    std::string processing_id = "P";
    std::string version = "2.5";
    std::string charset;
    int version_number = kVersion25;
};

Echoes echoes_of(const AckRequest& request) {
    Echoes result;
    if (request.original == nullptr) {
        result.application = escape(request.application, result.delimiters);
        return result;
    }
    const Message& original = *request.original;
    const auto field = [&](std::uint32_t number) { return header_field(original, number); };
    result.delimiters = original.delimiters();
    result.encoding = declared_encoding(original);
    result.application = echo(field(5));
    result.facility = echo(field(6));
    result.their_application = echo(field(3));
    result.their_facility = echo(field(4));
    std::string_view event;
    if (split_part(field(9), result.delimiters.component, 2, event) && is_segment_name(event)) result.event = event;
    result.control_id = echo(field(10));
    if (!field(11).empty()) result.processing_id = echo(field(11));
    if (!field(12).empty()) result.version = echo(field(12));
    result.charset = echo(field(18));
    result.version_number = version_number(result.version);
    return result;
}

// MSH and the fixed part of MSA, without MSA's closing CR.
std::string head(const AckRequest& request, const Echoes& echoes) {
    const char f = echoes.delimiters.field;
    const char c = echoes.delimiters.component;
    std::string out = "MSH";
    const auto add = [&](std::string_view text) {
        out.push_back(f);
        out.append(text);
    };
    add(echoes.encoding);
    add(echoes.application);
    add(echoes.facility);
    add(echoes.their_application);
    add(echoes.their_facility);
    add(request.timestamp);
    add("");
    std::string type = request.message_code;
    if (!echoes.event.empty() && echoes.version_number >= kVersion24) {
        type = type + c + echoes.event + c + request.structure;
    } else if (!echoes.event.empty() && request.message_code != "ACK") {
        type = type + c + echoes.event;
    }
    add(type);
    add(escape(request.control_id, echoes.delimiters));
    add(echoes.processing_id);
    add(echoes.version);
    if (!echoes.charset.empty()) {
        for (int i = 0; i < 5; ++i)
            add("");
        add(echoes.charset);
    }
    out += "\rMSA";
    add(ack_code_name(request.code));
    add(echoes.control_id);
    return out;
}

void shorten(Echoes& echoes) {
    for (std::string* text : {&echoes.application, &echoes.facility, &echoes.their_application, &echoes.their_facility,
                              &echoes.processing_id, &echoes.version, &echoes.charset}) {
        *text = cut_raw(*text, kLongestEcho, echoes.delimiters.escape);
    }
}

// SEG^sequence^field[^repetition^component[^subcomponent]], or SEG^sequence for a path that names a segment only.
std::string location(const std::string& path, char c, bool with_component) {
    Result<Path> parsed = Path::parse(path);
    const bool segment_only = !parsed;
    if (segment_only) parsed = Path::parse(path + "-1");
    if (!parsed) return {};
    const Path& place = *parsed;
    std::string text(place.segment_name());
    text += c + std::to_string(std::max<std::uint32_t>(place.occurrence, 1));
    if (segment_only) return text;
    text += c + std::to_string(place.field);
    if (!with_component || (!place.repetition_given && place.component == 0)) return text;
    text += c + std::to_string(std::max<std::uint32_t>(place.repetition, 1));
    if (place.component != 0) text += c + std::to_string(place.component);
    if (place.subcomponent != 0) text += c + std::to_string(place.subcomponent);
    return text;
}

// ERR without its closing CR, form of 2.5 and later; texts within the limit.
std::string modern_err(const AckIssue& issue, std::size_t limit, const Delimiters& delimiters) {
    const char f = delimiters.field;
    const char c = delimiters.component;
    std::string out = std::string("ERR") + f + f + location(issue.path, c, true) + f + escape(issue.code, delimiters);
    out += c + escape(hl7_error_text(issue.code), delimiters) + c + "HL70357" + f;
    out += severity_name(issue.severity);
    if (issue.user_message.empty() && issue.diagnostic.empty()) return out;
    out += std::string(3, f);
    const std::size_t room = limit > out.size() + 2 ? limit - out.size() - 2 : 0;
    const std::string message = escaped_within(issue.user_message, room, delimiters);
    out += escaped_within(issue.diagnostic, room - message.size(), delimiters) + f + message;
    return out;
}

// ERR of 2.4 and earlier: ERR-1 is SEG^sequence^field^code&text.
std::string old_err(const AckIssue& issue, std::size_t limit, const Delimiters& delimiters) {
    const char c = delimiters.component;
    std::string place = location(issue.path, c, false);
    for (auto separators = std::count(place.begin(), place.end(), c); separators < 2; ++separators)
        place += c;
    std::string out = std::string("ERR") + delimiters.field + place + c + escape(issue.code, delimiters);
    const std::string_view text = issue.user_message.empty() ? hl7_error_text(issue.code) : issue.user_message;
    if (delimiters.subcomponent == '\0' || text.empty()) return out;
    out.push_back(delimiters.subcomponent);
    return out + escaped_within(text, limit > out.size() ? limit - out.size() : 0, delimiters);
}

// The issues that this version can carry; a text that has no MSA-3 to stand in becomes one.
std::vector<AckIssue> issues_for(const AckRequest& request, int version) {
    const bool accepted = accepts(request.code);
    if (version < kVersion25 && accepted) return {};
    std::vector<AckIssue> issues = request.issues;
    if (version >= kVersion27 && issues.empty() && !request.text.empty()) {
        issues.push_back(
            {accepted ? "0" : "207", "", accepted ? Severity::information : Severity::error, request.text, ""});
    }
    return issues;
}

} // namespace

std::string_view ack_code_name(AckCode code) {
    switch (code) {
    case AckCode::accept:
        return "AA";
    case AckCode::error:
        return "AE";
    case AckCode::reject:
        return "AR";
    case AckCode::commit_accept:
        return "CA";
    case AckCode::commit_error:
        return "CE";
    case AckCode::commit_reject:
        return "CR";
    }
    return "AE";
}

std::optional<AckCode> ack_code_named(std::string_view name) {
    for (const AckCode code : {AckCode::accept, AckCode::error, AckCode::reject, AckCode::commit_accept,
                               AckCode::commit_error, AckCode::commit_reject}) {
        if (ack_code_name(code) == name) return code;
    }
    return std::nullopt;
}

std::string_view hl7_error_text(std::string_view code) {
    struct Entry {
        std::string_view code, text;
    };
    static constexpr Entry kTable0357[] = {
        {"0", "Message accepted"},
        {"100", "Segment sequence error"},
        {"101", "Required field missing"},
        {"102", "Data type error"},
        {"103", "Table value not found"},
        {"104", "Value too long"},
        {"200", "Unsupported message type"},
        {"201", "Unsupported event code"},
        {"202", "Unsupported processing id"},
        {"203", "Unsupported version id"},
        {"204", "Unknown key identifier"},
        {"205", "Duplicate key identifier"},
        {"206", "Application record locked"},
        {"207", "Application internal error"},
    };
    for (const Entry& entry : kTable0357) {
        if (entry.code == code) return entry.text;
    }
    return {};
}

std::string build_ack(const AckRequest& request) {
    Echoes echoes = echoes_of(request);
    const Delimiters& delimiters = echoes.delimiters;
    std::string out = head(request, echoes);
    if (out.size() >= kMaxAckBytes) {
        shorten(echoes);
        out = head(request, echoes);
    }
    const std::vector<AckIssue> issues = issues_for(request, echoes.version_number);
    const auto room = [&out] { return out.size() + 1 < kMaxAckBytes ? kMaxAckBytes - out.size() - 1 : 0; };

    if (!request.text.empty() && echoes.version_number < kVersion27 && room() > 1) {
        const std::size_t share = issues.empty() ? room() - 1 : (room() - 1) / 2;
        out.push_back(delimiters.field);
        out += escaped_within(request.text, share, delimiters);
    }
    out.push_back('\r');
    for (std::size_t i = 0; i < issues.size(); ++i) {
        const std::size_t share = room() / (issues.size() - i);
        const std::string err = echoes.version_number >= kVersion25 ? modern_err(issues[i], share, delimiters)
                                                                    : old_err(issues[i], share, delimiters);
        if (err.size() > room()) break;
        out += err;
        out.push_back('\r');
    }
    for (const std::string& segment : request.segments) {
        out += in_delimiters(segment, delimiters);
        out.push_back('\r');
    }
    return out;
}

} // namespace radscheduler
