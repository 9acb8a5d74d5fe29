#include "http/problem.hpp"

#include <nlohmann/json.hpp>

#include "config/values.hpp"
#include "http/negotiation.hpp"

namespace radscheduler::sidecar::http {

Response problem(unsigned status, std::string_view code, std::string_view title, std::string_view detail) {
    nlohmann::ordered_json body;
    body["type"] = "urn:radscheduler:problem:" + std::string(code);
    body["title"] = title;
    body["status"] = status;
    body["detail"] = detail;
    body["code"] = code;
    body["success"] = false;
    body["error"] = detail;
    Response response;
    response.status = status;
    response.content_type = "application/problem+json";
    response.body = Payload(body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
    return response;
}

Response not_found() {
    return problem(
        404, "not_found", "Not found",
        "There is nothing at this path. GET /api/docs describes all there is, GET /api/openapi.json the same for "
        "machines.");
}

Response bad_path() {
    return problem(400, "bad_path", "Bad path",
                   "The path has a % that is not followed by two hexadecimal digits, or is not UTF-8 text.");
}

Response method_not_allowed(const Match& match) {
    auto response = problem(405, "method_not_allowed", "Method not allowed",
                            "This path takes " + match.allow + ". Send the request with that method.");
    response.headers.emplace_back("Allow", match.allow);
    return response;
}

Response not_acceptable(AnswerKind kind) {
    return problem(406, "not_acceptable", "Not acceptable",
                   "This path answers with " + std::string(answer_types(kind)) +
                       ". Leave Accept out, or name one of these.");
}

Response unsupported_media_type(BodyKind kind) {
    return problem(415, "unsupported_media_type", "Unsupported media type",
                   "This path takes a body of type " + std::string(taken_types(kind)) +
                       ", without Content-Encoding. Set the header Content-Type (curl sends a form's type unless -H "
                       "sets another).");
}

Response too_large(std::size_t limit) {
    return problem(413, "body_too_large", "Body too large",
                   "The body is larger than the limit of " + show_size(limit) +
                       ". Send less, or raise RADSCHED_HTTP_MAX_BODY (for HL7: RADSCHED_MLLP_MAX_FRAME).");
}

Response unauthorized(std::string_view detail) {
    auto response = problem(401, "unauthorized", "Not signed in", detail);
    response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"radscheduler\"");
    return response;
}

Response forbidden(std::string_view scope) {
    return problem(403, "forbidden", "Not allowed",
                   "This needs the scope " + std::string(scope) +
                       ", which the credential does not hold. An administrator can give it.");
}

Response too_many(std::chrono::milliseconds wait, std::string_view detail) {
    auto response = problem(429, "too_many_requests", "Too many requests", detail);
    response.headers.emplace_back("Retry-After", std::to_string((wait.count() + 999) / 1000));
    return response;
}

Response unavailable() {
    auto response = problem(
        503, "database_unavailable", "Database unavailable",
        "The database cannot be reached at the moment. Nothing is known to be stored; repeat the request in a few "
        "seconds. Sending the same message twice is safe.");
    response.headers.emplace_back("Retry-After", "5");
    return response;
}

Response saturated() {
    auto response =
        problem(503, "too_busy", "Too busy",
                "Every connection to the database is busy. Nothing was done; repeat the request as "
                "Retry-After says. If this lasts, RADSCHED_DB_CONNECTIONS is too small or a query too slow.");
    response.headers.emplace_back("Retry-After", "1");
    return response;
}

Response timed_out() {
    return problem(504, "timeout", "Took too long",
                   "The database did not finish in RADSCHED_DB_STATEMENT_TIMEOUT, and undid what it had begun. Ask for "
                   "less: a shorter period, a smaller limit.");
}

Response internal_error() {
    return problem(
        500, "internal_error", "Internal error",
        "The database refused the request unexpectedly. The log of radschedulerd names the SQLSTATE at this moment.");
}

} // namespace radscheduler::sidecar::http
