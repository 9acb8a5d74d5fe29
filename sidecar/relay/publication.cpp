#include "relay/publication.hpp"

namespace radscheduler::sidecar::relay {
namespace {

std::string stream_of(const EventRow& row) {
    return row.key + ":events" + (row.epoch_mark.empty() ? "" : ":" + row.epoch_mark);
}

} // namespace

Publication make_publication(const std::vector<EventRow>& rows) {
    Publication made;
    for (const auto& row : rows) {
        const auto stream = stream_of(row);
        if (made.sites.insert(row.key).second) {
            made.entries.push_back({"SET", row.key + ":events:now", stream});
        }
        made.entries.push_back({"XADD", stream, "MAXLEN", "~", stream_length, row.cursor, "id", row.cursor, "type",
                                row.type, "data", row.payload});
        made.messages.push_back({"PUBLISH", row.key + ":ch:" + row.type.substr(0, row.type.find('.')), row.payload});
    }
    for (const auto& site : made.sites) {
        made.messages.push_back({"DEL", site + ":cache:dashboard"});
    }
    return made;
}

redis::Command cache_command(const std::string& key, const std::string& value) {
    return {"SET", key, value, "EX", cache_seconds};
}

} // namespace radscheduler::sidecar::relay
