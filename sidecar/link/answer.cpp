#include "link/answer.hpp"

#include <algorithm>

#include "radscheduler/ack.hpp"
#include "radscheduler/ack_mode.hpp"
#include "radscheduler/header.hpp"
#include "radscheduler/message.hpp"
#include "radscheduler/path.hpp"
#include "radscheduler/value.hpp"

namespace radscheduler::sidecar::link {
namespace {

constexpr std::size_t longest_code = 10;
constexpr std::size_t longest_place = 40;

// Blanks around a code or an id mean nothing.
std::string_view trim(std::string_view text) {
    const auto from = text.find_first_not_of(' ');
    return from == std::string_view::npos ? std::string_view()
                                          : text.substr(from, text.find_last_not_of(' ') + 1 - from);
}

bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

std::string_view field(const Message& message, const char* path) {
    const auto parsed = Path::parse(path);
    return parsed ? trim(get_raw(message, *parsed).raw) : std::string_view();
}

// A code of table 0357: digits. Senders put words of their own there, too; those are left out.
std::string error_code(const Message& message) {
    for (const char* path : {"ERR-3.1", "ERR-1.4.1"}) {
        const auto code = field(message, path);
        if (!code.empty() && code.size() <= longest_code && std::all_of(code.begin(), code.end(), &is_digit)) {
            return std::string(code);
        }
    }
    return {};
}

// A place as PID^1^3: a segment's name, then numbers.
std::string error_place(const Message& message) {
    const auto place = field(message, "ERR-2");
    const auto is_part = [](char c) { return is_digit(c) || c == '^' || c == '&'; };
    const bool good = place.size() >= 3 && place.size() <= longest_place && is_upper(place[0]) &&
                      (is_upper(place[1]) || is_digit(place[1])) && (is_upper(place[2]) || is_digit(place[2])) &&
                      (place.size() == 3 || place[3] == '^') && std::all_of(place.begin() + 3, place.end(), is_part);
    return good ? std::string(place) : std::string();
}

// The header alone, so that large messages are not copied. Empty without one.
std::string header_of(std::string_view message) {
    const auto start = message.find("MSH");
    const auto end = start == std::string_view::npos ? start : message.find_first_of("\r\n", start);
    auto header = normalize(message.substr(0, end));
    return header ? std::move(header).value() : std::string();
}

} // namespace

Verdict judge(std::string_view answer, std::string_view control_id, const std::vector<std::string>& accept_codes) {
    const auto text = normalize(answer);
    if (!text) {
        return {Verdict::Kind::no_answer, "the answer is no HL7 message"};
    }
    const auto message = Message::open(*text);
    if (!message || message->segment("MSA").data() == nullptr) {
        return {Verdict::Kind::no_answer, "the answer has no MSA segment"};
    }
    if (field(*message, "MSA-2") != control_id) {
        return {Verdict::Kind::of_another, "the answer is for another message (MSA-2)"};
    }
    const auto code = field(*message, "MSA-1");
    if (std::find(accept_codes.begin(), accept_codes.end(), code) != accept_codes.end()) {
        return {Verdict::Kind::accepted, std::string(code)};
    }
    std::string note = ack_code_named(code) ? std::string(code) : "an unknown code in MSA-1";
    for (const auto& detail : {error_code(*message), error_place(*message)}) {
        if (!detail.empty()) {
            note += " " + detail;
        }
    }
    return {Verdict::Kind::refused, std::move(note)};
}

std::string control_id_of(std::string_view message) {
    const auto header = header_of(message);
    const auto opened = Message::open(header);
    return opened ? std::string(trim(header_field(*opened, 10))) : std::string();
}

bool asks_for_answer(std::string_view message) {
    const auto header = header_of(message);
    const auto opened = Message::open(header);
    if (!opened) {
        return true;
    }
    // Whatever becomes of it: a receiver that answers only errors is waited for, too.
    for (const auto outcome : {AckCode::accept, AckCode::error, AckCode::reject}) {
        const auto due = ack_due(*opened, outcome);
        if (due.accept || due.application) {
            return true;
        }
    }
    return false;
}

} // namespace radscheduler::sidecar::link
