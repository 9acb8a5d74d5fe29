// JSON there and back. The first line of the input is a path, the rest a message; the same bytes also make a list of
// tokens that no JSON reader would give.
#include "check.hpp"
#include "json_tokens.hpp"
#include "radscheduler/charset.hpp"
#include "radscheduler/header.hpp"
#include "radscheduler/message_json.hpp"
#include "radscheduler/value.hpp"

#include <cstddef>
#include <cstdint>

using namespace radscheduler;

namespace {

void check_round_trip(const Message& message) {
    const std::string json = message_json(message);
    FUZZ_CHECK(is_valid_utf8(json));
    const JsonTokens tokens(json);
    FUZZ_CHECK(tokens.valid());
    const Result<std::string> again = message_from_json(tokens.list());
    FUZZ_CHECK(again && *again == message.text());
}

void check_extent(const Message& message, const Path& path) {
    JsonWriter writer;
    const bool written = write_extent_json(writer, message, path);
    FUZZ_CHECK(written == (path.selects_many() || get_raw(message, path).state != State::absent));
    const std::string json = writer.take();
    FUZZ_CHECK(written ? JsonTokens(json).valid() : json.empty());
}

void check_message(std::string_view input) {
    const std::size_t line = input.find('\n');
    if (line == std::string_view::npos) return;
    const Result<std::string> bytes = normalize(input.substr(line + 1));
    if (!bytes) return;
    const Result<Message> as_sent = Message::open(*bytes);
    if (!as_sent) return;
    const std::string text = to_utf8(*bytes, header_field(*as_sent, 18)).text;
    const Result<Message> message = Message::open(text);
    if (!message) return;
    check_round_trip(*message);
    if (const Result<Path> path = Path::parse_extent(input.substr(0, line))) check_extent(*message, *path);
}

// "[3][0]", or nothing.
bool is_place(std::string_view path) {
    while (!path.empty()) {
        const std::size_t end = path.find(']');
        if (path[0] != '[' || end == std::string_view::npos || end < 2) return false;
        if (path.substr(1, end - 1).find_first_not_of("0123456789") != std::string_view::npos) return false;
        path.remove_prefix(end + 1);
    }
    return true;
}

// One token per byte below 16; other bytes are the text of the token before them. The list may begin as a message
// does, so that its rest is reached.
std::vector<JsonToken> invented_tokens(std::string_view input) {
    using Kind = JsonToken::Kind;
    std::vector<JsonToken> tokens;
    if (input.starts_with('M')) {
        tokens = {{Kind::begin_array, {}},
                  {Kind::begin_array, {}},
                  {Kind::string, "MSH"},
                  {Kind::string, "|"},
                  {Kind::string, "^~\\&"}};
        input.remove_prefix(1);
    }
    while (!input.empty()) {
        const auto kind = static_cast<unsigned char>(input[0]);
        std::size_t end = 1;
        while (end < input.size() && static_cast<unsigned char>(input[end]) >= 16)
            ++end;
        if (kind < 9) tokens.push_back({static_cast<Kind>(kind), input.substr(1, end - 1)});
        if (kind == 9) tokens.push_back({Kind::key, "text"});
        if (kind == 10) tokens.push_back({Kind::key, "raw"});
        if (kind == 11) tokens.push_back({Kind::string, "\r\n"});
        input.remove_prefix(end);
    }
    return tokens;
}

void check_tokens(std::string_view input) {
    const Result<std::string> text = message_from_json(invented_tokens(input));
    if (!text) {
        FUZZ_CHECK(text.error().code == ErrorCode::bad_json && !text.error().text.empty());
        FUZZ_CHECK(is_place(text.error().path));
        return;
    }
    const Result<std::string> canonical = normalize(*text);
    FUZZ_CHECK(canonical && *canonical == *text);
    const Result<Message> message = Message::open(*text);
    FUZZ_CHECK(message);
    if (is_valid_utf8(*text)) check_round_trip(*message);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    check_message(input);
    check_tokens(input);
    return 0;
}
