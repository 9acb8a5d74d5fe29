// A request as radscheduler.api_call() takes it, and what can be refused before the database is asked. No I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "http/message.hpp"

namespace radscheduler::sidecar::http {

// What the header and the query alone decide: a missing Idempotency-Key or If-Match, an unreadable query.
std::optional<Response> refuse_call(const Request& request);

// {"params", "query", "path", "scopes", "if_match", "if_none_match", "prefer"}; absent ones are left out.
std::string call_json(const Request& request);

// The version of an entity tag: "3" in quotes to 3, * to *, anything else as it is (it will match nothing).
std::string_view version_of(std::string_view if_match);

// The header fields of an answer made in SQL: a JSON object of texts. What could break out of its line is left out.
std::vector<std::pair<std::string, std::string>> read_headers(std::string_view json);

} // namespace radscheduler::sidecar::http
