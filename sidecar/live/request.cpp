#include "live/request.hpp"

#include <algorithm>

namespace radscheduler::sidecar::live {
namespace {

std::vector<std::string> split(const std::vector<std::string>& values) {
    std::vector<std::string> words;
    for (const auto& value : values) {
        for (std::size_t at = 0; at <= value.size();) {
            const auto comma = std::min(value.find(',', at), value.size());
            words.push_back(value.substr(at, comma - at));
            at = comma + 1;
        }
    }
    return words;
}

bool is_yes(const std::string& value) {
    return value == "1" || value == "true" || value == "yes";
}

bool is_no(const std::string& value) {
    return value == "0" || value == "false" || value == "no";
}

} // namespace

StreamRequest read_stream_request(const http::Query& query, std::string_view last_event_id) {
    StreamRequest request;
    request.problem = query.problem;
    const auto read_flag = [&](const std::string& name, const std::string& value, bool& flag) {
        flag = is_yes(value);
        if (!flag && !is_no(value)) {
            request.problem = name + " is 1 or 0.";
        }
    };
    for (const auto& [name, values] : query.parameters) {
        const auto& value = values.front();
        if (name == "types" || name == "modality" || name == "resource" || name == "location") {
            auto problem = add_to_filter(request.filter, name, split(values));
            request.problem = problem.empty() ? request.problem : problem;
            continue;
        }
        if (values.size() > 1) {
            request.problem = "Only types, modality, resource and location can be given more than once.";
        } else if (name == "from" || name == "to") {
            auto problem = add_to_filter(request.filter, name, values);
            request.problem = problem.empty() ? request.problem : problem;
        } else if (name == "since") {
            request.since = read_place(value);
            if (!request.since) {
                request.problem = "since is the cursor of the last event that was seen, as it was received.";
            }
        } else if (name == "ticket") {
            request.ticket = value;
        } else if (name == "expand") {
            read_flag(name, value, request.expand);
        } else if (name == "heartbeat") {
            read_flag(name, value, request.heartbeat);
        } else if (name == "format") {
            request.legacy = value == "legacy";
            if (!request.legacy && value != "cloudevents") {
                request.problem = "format is cloudevents or legacy.";
            }
        } else {
            request.problem =
                "Known parameters are types, modality, resource, location, from, to, since, format, expand, "
                "heartbeat and ticket. A token does not belong into a URL: get a ticket by POST "
                "/api/v1/stream-tickets.";
        }
    }
    if (!last_event_id.empty()) {
        // What somebody else's id says is not worth refusing a browser that will ask again with it for ever.
        if (const auto place = read_place(last_event_id)) {
            request.since = place;
        }
    }
    return request;
}

bool may_connect(std::string_view origin, std::string_view host, const std::vector<std::string>& listed) {
    const auto authority = origin.substr(std::min(origin.find("://"), origin.size()));
    return origin.empty() || (authority.size() > 3 && authority.substr(3) == host) ||
           std::find(listed.begin(), listed.end(), origin) != listed.end();
}

} // namespace radscheduler::sidecar::live
