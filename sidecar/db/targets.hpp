// The servers that a DATABASE_URL names. libpq tries several hosts in turn, but without a time limit per host when
// used without blocking, so one dead host would hide the living ones. We split the list and rotate ourselves.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace radscheduler::sidecar {

// Keywords and values for PQconnectStartParams, for exactly one host.
struct Target {
    std::vector<std::pair<std::string, std::string>> parameters;
    std::string name; // "host:port" or "socket folder:port", for the log
};

struct Targets {
    std::vector<Target> list;
    std::string problem; // what a good value would be; empty when the list is good
};

Targets read_targets(const std::string& database_url);

} // namespace radscheduler::sidecar
