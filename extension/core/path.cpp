// Parsing of SEG[n]-F[r].C.S.
#include "radscheduler/path.hpp"

#include "ascii.hpp"
#include "radscheduler/message.hpp"

#include <optional>

namespace radscheduler {

namespace {

// A cursor over the path text; every refusal points at the character where it stands.
class PathReader {
public:
    explicit PathReader(std::string_view text) : text_(text) {}

    bool at_end() const { return position_ == text_.size(); }
    char peek() const { return at_end() ? '\0' : text_[position_]; }
    void skip(std::size_t count) { position_ += count; }
    std::string_view rest() const { return text_.substr(position_); }

    Error fail(const std::string& sentence) const {
        return {ErrorCode::bad_path, position_, std::string(text_),
                sentence + " A path reads SEG[n]-F[r].C.S, for example PID-3[2].1 or RGS[2]/AIL-3."};
    }

    // A number from 1 to kMaxIndex.
    Result<std::uint32_t> number(const char* what) {
        std::uint32_t value = 0;
        std::size_t length = 0;
        for (; position_ + length < text_.size() && is_digit(text_[position_ + length]); ++length) {
            value = value * 10 + static_cast<std::uint32_t>(text_[position_ + length] - '0');
            if (value > Path::kMaxIndex) {
                return fail(std::string("The ") + what + " number is larger than 99999.");
            }
        }
        if (length == 0) return fail(std::string("A ") + what + " number is expected here.");
        if (value == 0) return fail(std::string("A ") + what + " number starts at 1.");
        position_ += length;
        return value;
    }

    // "[n]" or "[*]"; the caller has seen the bracket.
    Result<std::uint32_t> index(const char* what) {
        skip(1);
        std::uint32_t value = Path::kAll;
        if (peek() == '*') {
            skip(1);
        } else {
            Result<std::uint32_t> parsed = number(what);
            if (!parsed) return parsed;
            value = *parsed;
        }
        if (peek() != ']') return fail("A closing bracket is expected here.");
        skip(1);
        return value;
    }

private:
    std::string_view text_;
    std::size_t position_ = 0;
};

} // namespace

namespace {

using Step = Path::Group;

// SEG or SEG[n].
Result<Step> read_step(PathReader& reader) {
    if (!is_segment_name(reader.rest().substr(0, 3))) {
        return reader.fail("A segment name of three capitals or digits is expected here.");
    }
    Step step;
    for (std::size_t i = 0; i < step.segment.size(); ++i)
        step.segment[i] = reader.rest()[i];
    reader.skip(step.segment.size());
    if (reader.peek() == '[') {
        Result<std::uint32_t> occurrence = reader.index("segment");
        if (!occurrence) return occurrence.error();
        step.occurrence = *occurrence;
    }
    return step;
}

// F[r].C.S, up to the end of the text.
std::optional<Error> read_field(PathReader& reader, Path& path) {
    Result<std::uint32_t> field = reader.number("field");
    if (!field) return field.error();
    path.field = *field;

    if (reader.peek() == '[') {
        Result<std::uint32_t> repetition = reader.index("repetition");
        if (!repetition) return repetition.error();
        path.repetition = *repetition;
        path.repetition_given = true;
    }
    if (reader.peek() == '.') {
        reader.skip(1);
        Result<std::uint32_t> component = reader.number("component");
        if (!component) return component.error();
        path.component = *component;
        if (reader.peek() == '.') {
            reader.skip(1);
            Result<std::uint32_t> subcomponent = reader.number("subcomponent");
            if (!subcomponent) return subcomponent.error();
            path.subcomponent = *subcomponent;
        }
    }
    if (!reader.at_end()) return reader.fail("The path goes on where it should end.");
    return std::nullopt;
}

Result<Path> read_path(std::string_view text, bool segment_alone) {
    PathReader reader(text);
    Path path;
    Result<Step> step = read_step(reader);
    if (!step) return step.error();
    while (reader.peek() == '/') {
        if (path.group_count == Path::kMaxGroups) return reader.fail("A path goes through three groups at most.");
        path.groups[path.group_count++] = *step;
        reader.skip(1);
        step = read_step(reader);
        if (!step) return step.error();
    }
    path.segment = step->segment;
    path.occurrence = step->occurrence;
    if (segment_alone && reader.at_end()) {
        path.field = 0;
        return path;
    }
    if (reader.peek() != '-' && reader.peek() != '.') {
        return reader.fail("A dash and a field number are expected here.");
    }
    reader.skip(1);
    if (std::optional<Error> error = read_field(reader, path)) return *std::move(error);
    return path;
}

std::string shown_index(std::uint32_t value) {
    return value == Path::kAll ? std::string("*") : std::to_string(value);
}

std::string shown_step(const Step& step) {
    std::string text(step.segment_name());
    if (step.occurrence != 1) text += "[" + shown_index(step.occurrence) + "]";
    return text;
}

} // namespace

Result<Path> Path::parse(std::string_view text) {
    return read_path(text, false);
}

Result<Path> Path::parse_extent(std::string_view text) {
    return read_path(text, true);
}

bool Path::selects_many() const {
    for (std::uint32_t i = 0; i < group_count; ++i) {
        if (groups[i].occurrence == kAll) return true;
    }
    return occurrence == kAll || repetition == kAll;
}

std::string Path::to_string() const {
    std::string text;
    for (std::uint32_t i = 0; i < group_count; ++i)
        text += shown_step(groups[i]) + "/";
    text += shown_step({segment, occurrence});
    if (field == 0) return text;
    text += "-" + std::to_string(field);
    if (repetition_given) text += "[" + shown_index(repetition) + "]";
    if (component != 0) text += "." + std::to_string(component);
    if (subcomponent != 0) text += "." + std::to_string(subcomponent);
    return text;
}

} // namespace radscheduler
