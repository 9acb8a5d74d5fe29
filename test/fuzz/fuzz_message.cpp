// Bytes to values: the first line of the input is a path, the rest a message.
#include "check.hpp"
#include "radscheduler/charset.hpp"
#include "radscheduler/escape.hpp"
#include "radscheduler/header.hpp"
#include "radscheduler/value.hpp"

#include <cstddef>
#include <cstdint>

using namespace radscheduler;

namespace {

bool lies_within(std::string_view part, std::string_view whole) {
    return part.data() == nullptr ||
           (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_value(const Message& message, const Value& value) {
    FUZZ_CHECK(lies_within(value.raw, message.text()));
    FUZZ_CHECK(value.state != State::absent || value.raw.empty());
    const std::string text = decode(value.raw, message.delimiters());
    if (is_valid_utf8(value.raw)) {
        FUZZ_CHECK(is_valid_utf8(text));
        FUZZ_CHECK(text.find('\0') == std::string::npos);
        FUZZ_CHECK(is_valid_utf8(decode(value.raw, message.delimiters(), {.formatting = Formatting::rendered})));
        if (message.delimiters().escape != '\0') {
            FUZZ_CHECK(decode(escape(text, message.delimiters()), message.delimiters()) == text);
        }
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t line = input.find('\n');
    if (line == std::string_view::npos) return 0;
    const Result<Path> path = Path::parse(input.substr(0, line));
    if (path) {
        const Result<Path> again = Path::parse(path->to_string());
        FUZZ_CHECK(again && again->to_string() == path->to_string());
    } else {
        FUZZ_CHECK(path.error().offset <= line);
    }

    const Result<std::string> canonical = normalize(input.substr(line + 1));
    if (!canonical) return 0;
    FUZZ_CHECK(canonical->ends_with('\r'));
    const Result<std::string> twice = normalize(*canonical);
    FUZZ_CHECK(twice && *twice == *canonical);

    const Result<Message> message = Message::open(*canonical);
    if (!message) return 0;
    SegmentCursor cursor = message->segments();
    std::size_t covered = 0;
    for (Segment segment; cursor.next(segment);) {
        FUZZ_CHECK(segment.offset == covered);
        covered += segment.text.size() + 1;
    }
    FUZZ_CHECK(covered == canonical->size());
    (void)header_json(*message);

    if (!path) return 0;
    const Value value = get(*message, *path);
    check_value(*message, value);
    check_value(*message, get_raw(*message, *path));
    for (const Value& each : get_all(*message, *path))
        check_value(*message, each);
    Value many;
    get_many(*message, {&*path, 1}, {&many, 1});
    FUZZ_CHECK(many.state == value.state && many.raw == value.raw);
    return 0;
}
