// Editing: the first line of the input is a path, the second a value, the rest a message.
#include "check.hpp"
#include "radscheduler/charset.hpp"
#include "radscheduler/edit.hpp"
#include "radscheduler/escape.hpp"
#include "radscheduler/value.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

using namespace radscheduler;

namespace {

std::string_view take_text(std::string_view& input) {
    const std::size_t end = input.find('\n');
    const std::string_view line = input.substr(0, end);
    input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
    return line;
}

// Far indexes with `*` make a result of many megabytes out of a few bytes.
bool is_near(const Path& path) {
    constexpr std::uint32_t far = 300;
    return std::max({path.field, path.repetition, path.component, path.subcomponent}) < far;
}

// What every change leaves behind: a canonical message with the same delimiters. A framing byte that the message held
// all along is taken for the end of the message once its segment is the last.
void check_result(const std::string& result, const Message& before) {
    const Result<Message> after = Message::open(result);
    FUZZ_CHECK(after && after->delimiters() == before.delimiters());
    if (before.text().find_first_of("\x0B\x1C") != std::string_view::npos) return;
    const Result<std::string> canonical = normalize(result);
    FUZZ_CHECK(canonical && *canonical == result);
}

void check_set(const Message& message, const Path& path, std::string_view encoded) {
    const Result<std::string> set = set_encoded(message.text(), path, encoded);
    if (!set) {
        FUZZ_CHECK(set.error().code == ErrorCode::bad_edit && !set.error().text.empty());
        return;
    }
    check_result(*set, message);
    const Message after = *Message::open(*set);
    const Value value = get_raw(after, path);
    FUZZ_CHECK(path.selects_many() || (value.state != State::absent && value.raw == encoded));
    for (const Value& each : get_all_raw(after, path))
        FUZZ_CHECK(each.raw == encoded);
    const Result<std::string> twice = set_encoded(*set, path, encoded);
    FUZZ_CHECK(twice && *twice == *set);
}

void check_text(const Message& message, const Path& path, std::string_view text) {
    const bool plain = is_valid_utf8(text) && text.find('\0') == std::string_view::npos;
    const Result<std::string> set = set_text(message.text(), path, text);
    if (!set || path.selects_many() || !plain || message.delimiters().escape == '\0') return;
    const Message after = *Message::open(*set);
    const Value value = get(after, path);
    FUZZ_CHECK(value.state == state_of(text));
    if (value.state == State::value) FUZZ_CHECK(decode(value.raw, after.delimiters()) == text);
}

void check_removed(const Message& message, const Path& path) {
    const Result<std::string> removed = remove_place(message.text(), path);
    if (!removed) {
        FUZZ_CHECK(removed.error().code == ErrorCode::bad_edit && !removed.error().text.empty());
        return;
    }
    check_result(*removed, message);
    FUZZ_CHECK(removed->size() <= message.text().size());
    if (get_raw(message, path).state == State::absent && !path.selects_many()) {
        FUZZ_CHECK(*removed == message.text());
    }
    const bool moves_up = path.field == 0 || (path.repetition_given && path.component == 0);
    if (moves_up) return;
    for (const Value& left : get_all_raw(*Message::open(*removed), path))
        FUZZ_CHECK(left.state == State::empty);
    const Result<std::string> twice = remove_place(*removed, path);
    FUZZ_CHECK(twice && *twice == *removed);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input(reinterpret_cast<const char*>(data), size);
    const Result<Path> path = Path::parse_extent(take_text(input));
    const std::string_view value = take_text(input);
    if (!path || !is_near(*path)) return 0;
    const Result<std::string> canonical = normalize(input);
    if (!canonical) return 0;
    const Result<Message> message = Message::open(*canonical);
    if (!message) return 0;
    check_set(*message, *path, value);
    check_text(*message, *path, value);
    check_removed(*message, *path);
    return 0;
}
