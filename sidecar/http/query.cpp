#include "http/query.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "obs/text.hpp"

namespace radscheduler::sidecar::http {
namespace {

int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

} // namespace

std::optional<std::string> percent_decode(std::string_view text, bool form) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%') {
            if (text.size() - i < 3 || hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0) {
                return std::nullopt;
            }
            decoded += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
            i += 2;
        } else {
            decoded += form && text[i] == '+' ? ' ' : text[i];
        }
    }
    return decoded;
}

Query read_query(std::string_view text) {
    Query query;
    while (!text.empty()) {
        const auto pair = text.substr(0, text.find('&'));
        text.remove_prefix(std::min(text.size(), pair.size() + 1));
        if (pair.empty()) {
            continue;
        }
        const auto equals = pair.find('=');
        const auto name = percent_decode(pair.substr(0, equals), true);
        const auto value =
            percent_decode(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1), true);
        if (!name || !value) {
            query.problem =
                "The query has a % that is not followed by two hexadecimal digits. Write a percent sign as %25.";
            return query;
        }
        if (!is_storable_text(*name) || !is_storable_text(*value)) {
            query.problem = "The query is not UTF-8 text. Encode every name and value as UTF-8, then as %XX.";
            return query;
        }
        query.parameters[*name].push_back(*value);
    }
    return query;
}

bool Query::repeats() const {
    return std::any_of(parameters.begin(), parameters.end(), [](const auto& one) { return one.second.size() > 1; });
}

nlohmann::json to_object(const Query& query) {
    nlohmann::json object = nlohmann::json::object();
    for (const auto& [name, values] : query.parameters) {
        object[name] = values.size() == 1 ? nlohmann::json(values.front()) : nlohmann::json(values);
    }
    return object;
}

std::string to_json(const Query& query) {
    return to_object(query).dump();
}

} // namespace radscheduler::sidecar::http
