#include "http/call.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "http/problem.hpp"
#include "http/query.hpp"
#include "obs/text.hpp"

namespace radscheduler::sidecar::http {
namespace {

constexpr std::size_t longest_key = 255;

bool is_token(std::string_view name) {
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    return !name.empty() && name.find_first_not_of(letters) == std::string_view::npos;
}

bool is_one_line(std::string_view value) {
    return std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c != '\x7f'; });
}

// Header values come as bytes; what is no text cannot go into JSON and matches nothing.
std::string text_or_question(std::string_view value) {
    return is_storable_text(value) ? std::string(value) : std::string("?");
}

} // namespace

std::optional<Response> refuse_call(const Request& request) {
    const auto& route = *request.route;
    if (route.needs_key && request.idempotency_key.empty()) {
        return problem(400, "idempotency_key_required", "Idempotency-Key is missing",
                       "This makes something new. Send the header Idempotency-Key with a UUID of your own; sent again "
                       "with the same key, the request is answered again and done once.");
    }
    if (!request.idempotency_key.empty() &&
        (request.idempotency_key.size() > longest_key || !is_one_line(request.idempotency_key) ||
         !is_storable_text(request.idempotency_key))) {
        return problem(400, "invalid_idempotency_key", "Bad Idempotency-Key",
                       "An Idempotency-Key has 1 to 255 characters. Use a UUID for each thing to be done.");
    }
    if (route.needs_version && request.if_match.empty()) {
        return problem(428, "precondition_required", "Which version?",
                       "This changes what somebody else may have changed. Send the header If-Match with the ETag that "
                       "you read (If-Match: * changes it whatever it is).");
    }
    const auto query = read_query(request.query.view());
    if (!query.problem.empty()) {
        return problem(400, "bad_query", "Bad query", query.problem);
    }
    return std::nullopt;
}

std::string call_json(const Request& request) {
    nlohmann::json object = nlohmann::json::object();
    object["path"] = text_or_question(request.path);
    object["scopes"] = request.principal.scopes;
    if (request.principal.kind == auth::Principal::Kind::nobody) {
        object["scopes"] =
            nlohmann::json::array({"*"}); // who gets here without a credential was let in (RADSCHED_AUTH)
    }
    auto params = nlohmann::json::object();
    for (const auto& [name, value] : request.params) {
        params[name] = value;
    }
    object["params"] = std::move(params);
    object["query"] = to_object(read_query(request.query.view()));
    if (!request.if_match.empty()) {
        object["if_match"] = text_or_question(version_of(request.if_match));
    }
    if (!request.if_none_match.empty()) {
        object["if_none_match"] = text_or_question(request.if_none_match);
    }
    if (!request.prefer.empty()) {
        object["prefer"] = text_or_question(request.prefer);
    }
    return object.dump();
}

std::string_view version_of(std::string_view if_match) {
    const auto tag = trim(if_match);
    const bool quoted = tag.size() >= 2 && tag.front() == '"' && tag.back() == '"';
    const auto inner = quoted ? tag.substr(1, tag.size() - 2) : tag;
    return quoted && inner.find('"') == std::string_view::npos ? inner : tag;
}

std::vector<std::pair<std::string, std::string>> read_headers(std::string_view json) {
    std::vector<std::pair<std::string, std::string>> headers;
    const auto object = nlohmann::json::parse(json, nullptr, false);
    if (!object.is_object()) {
        return headers;
    }
    for (const auto& [name, value] : object.items()) {
        if (value.is_string() && is_token(name) && is_one_line(value.get_ref<const std::string&>())) {
            headers.emplace_back(name, value.get<std::string>());
        }
    }
    return headers;
}

} // namespace radscheduler::sidecar::http
