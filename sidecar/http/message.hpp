// Requests and responses as plain values, so that handlers know nothing of sockets or Beast.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "auth/principal.hpp"
#include "http/route.hpp"
#include "obs/payload.hpp"

namespace radscheduler::sidecar::http {

struct Request {
    const Route* route = nullptr;
    std::vector<std::pair<std::string, std::string>> params; // what stands in place of {id}, decoded
    std::string path;                                        // as sent, without the query
    Payload query;                                           // what follows the ? of the target, still encoded
    std::string media_type; // of Content-Type, lower case, without parameters; empty when not sent
    std::string accept;     // as sent, like the next four
    std::string if_match;
    std::string if_none_match;
    std::string prefer;
    std::string idempotency_key;
    std::string trace_id; // 32 hexadecimal digits
    Payload body;
    std::string peer; // address of the other side, without port
    auth::Principal principal;
};

struct Response {
    unsigned status = 200;
    std::string content_type = "application/json"; // empty: no body
    Payload body;
    std::vector<std::pair<std::string, std::string>> headers; // further ones
};

} // namespace radscheduler::sidecar::http
