// Events for the tests of live/.
#pragma once

#include "live/event.hpp"

namespace live_test {

using namespace radscheduler::sidecar::live;

inline EventPtr event(std::uint64_t seq, std::string type = "appointment.created", int site = 1,
                      std::size_t bytes = 0) {
    auto made = std::make_shared<Event>();
    made->cursor = {7, seq};
    made->site = site;
    made->type = std::move(type);
    made->appointment = "12";
    const auto payload = R"({"type":")" + made->type + R"(","time":"2031-05-05T10:00:00Z","data":{"n":)" +
                         std::to_string(seq) + (bytes > 0 ? ",\"pad\":\"" + std::string(bytes, 'x') + "\"" : "") + "}}";
    made->payload = std::make_shared<const std::string>(payload);
    made->legacy = legacy_form(made->type, payload);
    return made;
}

} // namespace live_test
