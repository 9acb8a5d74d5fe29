// Requests and responses as plain values, so that handlers know nothing of sockets or Beast.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "auth/principal.hpp"
#include "http/router.hpp"
#include "obs/payload.hpp"

namespace radscheduler::sidecar::http {

struct Request {
    RouteId route = RouteId::health;
    Payload query;          // what follows the ? of the target, still encoded
    std::string media_type; // of Content-Type, lower case, without parameters; empty when not sent
    std::string accept;     // as sent
    Payload body;
    std::string peer; // address of the other side, without port
    auth::Principal principal;
};

struct Response {
    unsigned status = 200;
    std::string content_type = "application/json";
    Payload body;
    std::vector<std::pair<std::string, std::string>> headers; // further ones
};

} // namespace radscheduler::sidecar::http
