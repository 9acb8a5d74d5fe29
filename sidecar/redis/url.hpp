// REDIS_URL taken apart.
#pragma once

#include <cstdint>
#include <string>

namespace radscheduler::sidecar::redis {

struct Url {
    std::string host = "localhost";
    std::uint16_t port = 6379;
    std::string user;
    std::string password;
    std::uint32_t database = 0;
    bool tls = false;
    std::string problem; // what a good value would be; empty when this one is good
};

// redis://[[user]:password@]host[:port][/database], or rediss:// for TLS
Url read_url(const std::string& text);

} // namespace radscheduler::sidecar::redis
