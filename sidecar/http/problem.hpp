// The daemon's own error answers: application/problem+json (RFC 9457), with the fields that the guide's clients look
// for.
#pragma once

#include <chrono>
#include <string_view>

#include "http/message.hpp"
#include "http/router.hpp"

namespace radscheduler::sidecar::http {

// `code` is stable and for machines; `detail` says what is wrong and what to do next.
Response problem(unsigned status, std::string_view code, std::string_view title, std::string_view detail);

Response not_found();
Response bad_path();
Response method_not_allowed(const Match& match);
Response not_acceptable(AnswerKind kind);
Response unsupported_media_type(BodyKind kind);
Response too_large(std::size_t limit);
Response unauthorized(std::string_view detail);
Response forbidden(std::string_view scope);
Response too_many(std::chrono::milliseconds wait, std::string_view detail);
Response unavailable();
Response saturated(); // every connection to the database is busy
Response timed_out();
Response internal_error();

} // namespace radscheduler::sidecar::http
