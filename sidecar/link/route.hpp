// Where the messages of a link go and what counts as taken, as claim_tasks() tells it with each task.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/asio.hpp"

namespace radscheduler::sidecar::link {

struct Route {
    std::string name;
    std::string host;
    std::uint16_t port = 0;
    bool tls = false;
    bool verify = true;
    std::string server_name; // empty: the host
    // Names of files in RADSCHED_LINK_TLS_DIR; empty: none
    std::string ca;
    std::string certificate;
    std::string key;
    Milliseconds connect_time{10'000};
    Milliseconds answer_time{30'000};
    std::vector<std::string> accept_codes;
    bool retries_refused = false;

    bool operator==(const Route&) const = default;
};

// Nothing when the text is no row of radscheduler.link with an address.
std::optional<Route> read_route(std::string_view json);

// A file of the folder; nothing when the name could lead out of it.
std::optional<std::string> file_in(const std::string& folder, const std::string& name);

} // namespace radscheduler::sidecar::link
