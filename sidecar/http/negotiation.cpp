#include "http/negotiation.hpp"

#include <algorithm>

#include "obs/text.hpp"

namespace radscheduler::sidecar::http {
namespace {

// One item of a list such as "text/html;q=0.5".
struct Item {
    std::string name; // lower case
    bool wanted = true;
};

// True for q=0, q=0.0 and the like.
bool is_zero(std::string_view parameters) {
    while (!parameters.empty()) {
        const auto one = trim(parameters.substr(0, parameters.find(';')));
        parameters.remove_prefix(std::min(parameters.size(), parameters.find(';') == std::string_view::npos
                                                                 ? parameters.size()
                                                                 : parameters.find(';') + 1));
        if (one.size() >= 3 && (one[0] == 'q' || one[0] == 'Q') && one[1] == '=' && one[2] == '0') {
            return one.find_first_not_of("0.", 2) == std::string_view::npos;
        }
    }
    return false;
}

template <typename Visit>
void for_each_item(std::string_view list, Visit visit) {
    while (!list.empty()) {
        const auto comma = std::min(list.find(','), list.size());
        const auto item = list.substr(0, comma);
        list.remove_prefix(std::min(list.size(), comma + 1));
        const auto semicolon = std::min(item.find(';'), item.size());
        Item read{lower_ascii(trim(item.substr(0, semicolon)))};
        if (read.name.empty()) {
            continue;
        }
        read.wanted = semicolon == item.size() || !is_zero(item.substr(semicolon + 1));
        visit(read);
    }
}

} // namespace

bool accepts(std::string_view accept, std::string_view type) {
    if (trim(accept).empty()) {
        return true;
    }
    const std::string family = std::string(type.substr(0, type.find('/'))) + "/*";
    // The most exact of what fits decides.
    int exactness = 0;
    bool wanted = false;
    for_each_item(accept, [&](const Item& item) {
        const int fits = item.name == type                        ? 3
                         : item.name == family                    ? 2
                         : item.name == "*/*" || item.name == "*" ? 1
                                                                  : 0;
        if (fits > exactness || (fits == exactness && fits > 0 && item.wanted)) {
            exactness = fits;
            wanted = item.wanted;
        }
    });
    return exactness > 0 && wanted;
}

bool accepts_answer(std::string_view accept, AnswerKind kind) {
    switch (kind) {
    case AnswerKind::hl7_or_json:
        return accepts(accept, "application/json") || accepts(accept, "application/hl7-v2") ||
               accepts(accept, "x-application/hl7-v2+er7") || accepts(accept, "text/plain");
    case AnswerKind::text:
        return accepts(accept, "text/plain") || accepts(accept, "application/openmetrics-text");
    case AnswerKind::yaml:
        return accepts(accept, "application/yaml");
    case AnswerKind::html:
        return accepts(accept, "text/html");
    case AnswerKind::events:
        return accepts(accept, "text/event-stream");
    case AnswerKind::json:
        break;
    }
    return accepts(accept, "application/json") || accepts(accept, "application/problem+json");
}

std::string_view answer_types(AnswerKind kind) {
    switch (kind) {
    case AnswerKind::hl7_or_json:
        return "application/json or application/hl7-v2";
    case AnswerKind::text:
        return "text/plain";
    case AnswerKind::yaml:
        return "application/yaml";
    case AnswerKind::html:
        return "text/html";
    case AnswerKind::events:
        return "text/event-stream";
    case AnswerKind::json:
        break;
    }
    return "application/json";
}

bool accepts_gzip(std::string_view accept_encoding) {
    bool gzip = false;
    bool any = false;
    bool named = false;
    for_each_item(accept_encoding, [&](const Item& item) {
        if (item.name == "gzip" || item.name == "x-gzip") {
            named = true;
            gzip = item.wanted;
        } else if (item.name == "*") {
            any = item.wanted;
        }
    });
    return named ? gzip : any;
}

} // namespace radscheduler::sidecar::http
