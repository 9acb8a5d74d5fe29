// Who a request turned out to be. What the database is told of it: the site it is confined to, and the actor that the
// audit log names.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace radscheduler::sidecar::auth {

struct Principal {
    enum class Kind { nobody, user, api_key };

    Kind kind = Kind::nobody;
    std::string name;    // user:<login> or key:<id>; empty for nobody
    std::string login;   // of a user whose token was signed here: the database looks whether it still counts
    std::string version; // of that token
    std::string site;    // code; empty: every site the daemon's role may use
    std::vector<std::string> scopes;                 // as granted
    std::optional<std::chrono::sys_seconds> expires; // of its token
};

} // namespace radscheduler::sidecar::auth
