// What a client of live events may send: frames, cursors, filters. No input throws; what is taken is what was meant;
// the protocol survives any order of frames.
#include "check.hpp"
#include "live/protocol.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

using namespace radscheduler::sidecar::live;

namespace {

void check_frame(std::string_view text) {
    const auto op = read_client_frame(text);
    if (const auto* fault = std::get_if<Fault>(&op)) {
        FUZZ_CHECK(!fault->code.empty() && !fault->detail.empty());
        return;
    }
    if (const auto* subscribe = std::get_if<SubscribeOp>(&op)) {
        FUZZ_CHECK(!subscribe->id.empty() && subscribe->id.size() <= 64);
        FUZZ_CHECK(subscribe->id.find_first_of("\"\\ \n") == std::string::npos);
        for (const auto& type : subscribe->filter.types) {
            FUZZ_CHECK(is_type_pattern(type));
        }
        if (subscribe->since) {
            const auto again = read_cursor(to_text(subscribe->since->cursor));
            FUZZ_CHECK(again && *again == subscribe->since->cursor);
        }
    }
}

void check_bound(std::string_view text) {
    Bound bound;
    if (read_bound(text, bound)) {
        FUZZ_CHECK(!std::holds_alternative<std::monostate>(bound));
        FUZZ_CHECK(text.size() >= 10);
    }
}

EventPtr event(std::uint64_t seq) {
    auto made = std::make_shared<Event>();
    made->cursor = {7, seq};
    made->site = 1;
    made->type = "appointment.created";
    made->payload = std::make_shared<const std::string>("{}");
    return made;
}

// The bytes are lines: each is a frame, or with a dot before it something that happens.
void check_session(std::string_view script) {
    ProtocolOptions options;
    options.feed.most_events = 50;
    Protocol protocol(options);
    Moment now{};
    protocol.start(now, false);
    protocol.admitted({1, "key:x", std::nullopt}, {"e1", {7, 0}});
    std::uint64_t seq = 0;
    std::uint64_t last = 0;
    bool closed = false;
    while (!script.empty()) {
        const auto end = std::min(script.find('\n'), script.size());
        const auto line = script.substr(0, end);
        script.remove_prefix(std::min(script.size(), end + 1));
        now += std::chrono::milliseconds(60);
        if (line.substr(0, 1) == ".") {
            protocol.offer(event(++seq));
            protocol.tick(now, {});
        } else {
            protocol.received(line, now);
        }
        for (int steps = 0; steps < 20; ++steps) {
            auto action = protocol.next();
            if (std::holds_alternative<std::monostate>(action)) {
                break;
            }
            FUZZ_CHECK(!closed);
            closed = std::holds_alternative<Protocol::Close>(action);
            if (const auto* locate = std::get_if<Protocol::Locate>(&action)) {
                protocol.located(*locate, Where::ok, 0, {"e1", {7, seq}});
            } else if (const auto* page = std::get_if<Feed::Page>(&action)) {
                protocol.page(*page, {{}, {7, seq}}, true);
            } else if (std::holds_alternative<Protocol::Authenticate>(action)) {
                protocol.admitted({1, "key:x", std::nullopt}, {"e1", {7, seq}});
            } else if (const auto* write = std::get_if<Protocol::Write>(&action)) {
                FUZZ_CHECK(!write->frame.empty() && write->frame.front() == '{' && write->frame.back() == '}');
                ++last;
            }
        }
    }
    FUZZ_CHECK(protocol.backlog() <= 50 + Feed::slots);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check_frame(text);
    check_bound(text);
    check_session(text);
    read_facets(text);
    legacy_form("appointment.created", text);
    return 0;
}
