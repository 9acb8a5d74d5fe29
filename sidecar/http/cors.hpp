// Which web pages of other origins may ask (CORS, the Fetch standard): those of a list, exactly.
// Invariant: without an entry for its origin a page is answered as if it had none, and its browser keeps the answer
// from it. Credentials of the browser (cookies) are never asked for; a page sends its bearer token itself.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace radscheduler::sidecar::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

// A list such as "https://console.example.org,http://localhost:5173", or what is wrong with it.
struct Origins {
    std::vector<std::string> list;
    std::string problem;
};
Origins read_origins(std::string_view text);

// For any answer: what the page may read. `origin` as sent; empty when there is none.
Headers cors_headers(const std::vector<std::string>& origins, std::string_view origin);

// For the answer to a preflight (OPTIONS with Access-Control-Request-Method), besides those above.
Headers preflight_headers(const std::vector<std::string>& origins, std::string_view origin, std::string_view allow);

} // namespace radscheduler::sidecar::http
