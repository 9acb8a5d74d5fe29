// One event as all who follow share it, and what filters ask about. No I/O.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "live/cursor.hpp"

namespace radscheduler::sidecar::live {

// One side of what happened: an appointment as it is, or was; a resource that was blocked (radscheduler.live_facet()).
struct Facet {
    std::vector<std::string> modality;  // its names, upper case
    std::vector<std::string> resources; // names and numbers, upper case
    std::vector<std::string> locations; // of those, upper case
    std::optional<std::int64_t> from;   // milliseconds since 1970; without an end: open
    std::optional<std::int64_t> to;
    std::string first_day; // YYYY-MM-DD at the site
    std::string last_day;
};

struct Event {
    Cursor cursor;
    int site = 0;
    std::string type;
    std::string appointment;                    // id as text; empty when there is none
    std::string conflict;                       // id as text
    std::shared_ptr<const std::string> payload; // CloudEvents 1.0, JSON
    std::shared_ptr<const std::string> legacy;  // {type, timestamp, data}; empty when the guide has no name for it
    std::vector<Facet> facets;
};
using EventPtr = std::shared_ptr<const Event>;

// What radscheduler.live_facets() says; empty for anything else.
std::vector<Facet> read_facets(std::string_view json);

// The guide's form of a CloudEvent; empty when the guide has no name for it.
std::shared_ptr<const std::string> legacy_form(std::string_view type, std::string_view payload);

// The payload with what a follower may see in its data; `extra` is a JSON value.
std::shared_ptr<const std::string> with_data(std::string_view payload, std::string_view key, std::string_view extra);

} // namespace radscheduler::sidecar::live
