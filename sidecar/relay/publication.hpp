// A batch of events as commands for Redis. No I/O.
// Of every site (key "radsched:{site}") there are a stream "<key>:events" with the cursor as id of each entry, channels
// "<key>:ch:<family>" and cached aggregates "<key>:cache:<name>". Invariants: the entries of a batch come before its
// messages, so that whoever hears a message finds the entry; and the name of the stream before its entries. A stream
// begins anew in every epoch of the log, under a name with the epoch's mark, because ids of different epochs cannot be
// compared; "<key>:events:now" says which it is.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "redis/resp.hpp"

namespace radscheduler::sidecar::relay {

struct EventRow {
    std::string cursor;
    std::string key;        // of its site: radsched:{MAIN}
    std::string epoch_mark; // empty in the first epoch of a log
    std::string type;
    std::string payload;
};

struct Publication {
    std::vector<redis::Command> entries;  // to be done first
    std::vector<redis::Command> messages; // and then these, with what they make stale
    std::set<std::string> sites;          // keys
};

// How many entries a stream keeps, about.
inline constexpr const char* stream_length = "100000";

Publication make_publication(const std::vector<EventRow>& rows);

// Cached values live as long as nobody would be misled by them if the relay were gone.
redis::Command cache_command(const std::string& key, const std::string& value);
inline constexpr const char* cache_seconds = "60";

} // namespace radscheduler::sidecar::relay
