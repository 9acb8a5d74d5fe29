// Reading the query of a URL.
// Invariant: every value that comes out is UTF-8 without NUL, so it fits into jsonb.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace radscheduler::sidecar::http {

// %XX to bytes; with `form`, + to a blank. Nothing when a % is not followed by two hexadecimal digits.
std::optional<std::string> percent_decode(std::string_view text, bool form);

struct Query {
    std::map<std::string, std::vector<std::string>> parameters; // values in the order given
    std::string problem; // a sentence that never quotes a value; empty when the query is good

    bool repeats() const; // whether a parameter is given more than once
};

Query read_query(std::string_view text);

// {"name":"value","repeated":["value","value"],...}
nlohmann::json to_object(const Query& query);
std::string to_json(const Query& query);

} // namespace radscheduler::sidecar::http
