// Redis' replies: any stream, in any pieces, gives the same replies, and an exchange or a lookup over it the same end.
// Whatever is found, figures made of it are an object, and no older than a minute.
#include "check.hpp"
#include "http/cached_figures.hpp"
#include "redis/exchange.hpp"
#include "redis/lookup.hpp"
#include "redis/resp.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using namespace radscheduler::sidecar::redis;

namespace {

std::string text_of(const Reply& reply) {
    std::string text = std::to_string(static_cast<int>(reply.kind)) + reply.text + std::to_string(reply.number) + "(";
    for (const auto& element : reply.elements) {
        text += text_of(element);
    }
    return text + ")";
}

void take(RespReader& reader, std::string_view bytes, std::vector<std::string>& seen) {
    reader.feed(bytes);
    while (const auto reply = reader.next()) {
        FUZZ_CHECK(reply->kind == Reply::Kind::error || reply->error_word().empty());
        seen.push_back(text_of(*reply));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view stream(reinterpret_cast<const char*>(data), size);
    RespReader whole;
    std::vector<std::string> at_once;
    take(whole, stream, at_once);

    RespReader pieces;
    std::vector<std::string> in_pieces;
    Exchange exchange({{"XADD", "s", "1-1", "a", "b"}, {"PUBLISH", "c", "d"}, {"PING"}});
    Lookup lookup({"a", "b"});
    bool was_done = false;
    for (std::size_t at = 0; at < size;) {
        const std::size_t step = std::min<std::size_t>(size - at, 1 + data[at] % 7);
        take(pieces, stream.substr(at, step), in_pieces);
        exchange.feed(stream.substr(at, step));
        lookup.feed(stream.substr(at, step));
        FUZZ_CHECK(!was_done || exchange.done());
        was_done = exchange.done();
        at += step;
    }
    FUZZ_CHECK(at_once == in_pieces);
    FUZZ_CHECK(whole.broken() == pieces.broken());
    FUZZ_CHECK(exchange.done() == (exchange.failed() || at_once.size() >= 3));
    FUZZ_CHECK(exchange.repeated() <= 3);
    FUZZ_CHECK(lookup.done() == (lookup.failed() || at_once.size() >= 2));
    FUZZ_CHECK(lookup.found().size() == std::min<std::size_t>(at_once.size(), 2));

    const radscheduler::sidecar::http::CachePlace place{"key", "mark-of-mine", 1000};
    const auto figures = radscheduler::sidecar::http::read_cached_figures(stream, place);
    FUZZ_CHECK(!figures || (figures->age >= 0 && figures->age <= 60 && figures->body.front() == '{'));

    // What a command is encoded as is an array of strings to a reader.
    const Command command{"XADD", std::string(stream.substr(0, size / 2)), std::string(stream.substr(size / 2))};
    RespReader reader;
    reader.feed(encode(command));
    const auto read = reader.next();
    FUZZ_CHECK(read && read->kind == Reply::Kind::array && read->elements.size() == command.size());
    for (std::size_t i = 0; i < command.size(); ++i) {
        FUZZ_CHECK(read->elements[i].text == command[i]);
    }
    return 0;
}
