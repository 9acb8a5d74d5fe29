// A batch of events as commands for Redis: names, ids, order.
#include "relay/publication.hpp"

#include <gtest/gtest.h>

namespace {

using namespace radscheduler::sidecar::relay;
using radscheduler::sidecar::redis::Command;

EventRow event(std::string cursor, std::string site, std::string type, std::string mark = "") {
    EventRow row;
    row.cursor = std::move(cursor);
    row.key = "radsched:{" + site + "}";
    row.epoch_mark = std::move(mark);
    row.type = std::move(type);
    row.payload = "{}";
    return row;
}

TEST(Publication, PutsEntriesWithTheCursorAsIdBeforeMessages) {
    const auto made =
        make_publication({event("7-1", "MAIN", "appointment.created"), event("7-2", "MAIN", "hl7.processed")});
    EXPECT_EQ(made.entries, (std::vector<Command>{
                                {"SET", "radsched:{MAIN}:events:now", "radsched:{MAIN}:events"},
                                {"XADD", "radsched:{MAIN}:events", "MAXLEN", "~", "100000", "7-1", "id", "7-1", "type",
                                 "appointment.created", "data", "{}"},
                                {"XADD", "radsched:{MAIN}:events", "MAXLEN", "~", "100000", "7-2", "id", "7-2", "type",
                                 "hl7.processed", "data", "{}"},
                            }));
    EXPECT_EQ(made.messages, (std::vector<Command>{
                                 {"PUBLISH", "radsched:{MAIN}:ch:appointment", "{}"},
                                 {"PUBLISH", "radsched:{MAIN}:ch:hl7", "{}"},
                                 {"DEL", "radsched:{MAIN}:cache:dashboard"},
                             }));
}

TEST(Publication, KeepsSitesApart) {
    const auto made = make_publication({event("7-1", "MAIN", "hl7.processed"), event("7-2", "SOUTH", "hl7.processed"),
                                        event("8-3", "MAIN", "hl7.processed")});
    EXPECT_EQ(made.sites, (std::set<std::string>{"radsched:{MAIN}", "radsched:{SOUTH}"}));
    EXPECT_EQ(made.entries.size(), 5U);
    EXPECT_EQ(made.entries[2][1], "radsched:{SOUTH}:events:now");
    EXPECT_EQ(made.entries[4][1], "radsched:{MAIN}:events");
}

TEST(Publication, BeginsAStreamAnewInAnotherEpoch) {
    const auto made = make_publication({event("3-9", "MAIN", "hl7.processed", "2-1")});
    EXPECT_EQ(made.entries[0], (Command{"SET", "radsched:{MAIN}:events:now", "radsched:{MAIN}:events:2-1"}));
    EXPECT_EQ(made.entries[1][1], "radsched:{MAIN}:events:2-1");
    EXPECT_EQ(made.messages[0][1], "radsched:{MAIN}:ch:hl7");
}

TEST(Publication, LetsCachedValuesEnd) {
    EXPECT_EQ(cache_command("radsched:{MAIN}:cache:dashboard", "{}"),
              (Command{"SET", "radsched:{MAIN}:cache:dashboard", "{}", "EX", "60"}));
}

} // namespace
