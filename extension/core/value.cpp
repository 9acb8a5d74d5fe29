// Reading values by path: segment, field, then down to the leaf.
#include "radscheduler/value.hpp"

#include "radscheduler/escape.hpp"
#include "scan.hpp"

namespace radscheduler {

namespace {

constexpr std::uint32_t kFirst = 1;

Value present(std::string_view raw) {
    return {state_of(raw), raw};
}

// MSH-1 and MSH-2 (and their twins in FHS, BHS) are leaves that look like delimiters.
Value header_leaf(std::string_view segment, const Path& path, const Delimiters& delimiters, std::uint32_t repetition) {
    if (repetition > kFirst || path.component > kFirst || path.subcomponent > kFirst) return {};
    if (path.field == 1) return segment.size() > 3 ? present(segment.substr(3, 1)) : Value{};
    std::string_view encoding;
    if (!split_part(segment, delimiters.field, 2, encoding)) return {};
    return present(encoding);
}

// The whole field, all repetitions. False when the segment is shorter.
bool find_field(std::string_view segment, const Path& path, const Delimiters& delimiters, std::string_view& field) {
    const std::size_t shift = is_header_name(path.segment_name()) ? 0 : 1;
    return split_part(segment, delimiters.field, path.field + shift, field);
}

Value leaf_of_repetition(std::string_view repetition, const Path& path, const Delimiters& delimiters) {
    std::string_view part;
    if (!split_part(repetition, delimiters.component, path.component == 0 ? kFirst : path.component, part)) return {};
    if (!split_part(part, delimiters.subcomponent, path.subcomponent == 0 ? kFirst : path.subcomponent, part))
        return {};
    return present(part);
}

bool is_delimiter_field(const Path& path) {
    return path.field <= 2 && is_header_name(path.segment_name());
}

// The value in one given segment; `*` as repetition means the first.
Value value_in(std::string_view segment, const Path& path, const Delimiters& delimiters) {
    const std::uint32_t wanted = path.repetition == Path::kAll ? kFirst : path.repetition;
    if (is_delimiter_field(path)) return header_leaf(segment, path, delimiters, wanted);
    std::string_view field;
    std::string_view repetition;
    if (!find_field(segment, path, delimiters, field)) return {};
    if (!split_part(field, delimiters.repetition, wanted, repetition)) return {};
    return leaf_of_repetition(repetition, path, delimiters);
}

void append_repetitions(std::vector<Value>& values, std::string_view segment, const Path& path,
                        const Delimiters& delimiters) {
    if (is_delimiter_field(path)) {
        values.push_back(header_leaf(segment, path, delimiters, kFirst));
        return;
    }
    std::string_view field;
    if (!find_field(segment, path, delimiters, field) || field.empty()) return;
    while (true) {
        const std::size_t end = field.find(delimiters.repetition);
        values.push_back(leaf_of_repetition(field.substr(0, end), path, delimiters));
        if (end == std::string_view::npos) return;
        field.remove_prefix(end + 1);
    }
}

std::uint32_t first_occurrence(const Path& path) {
    return path.occurrence == Path::kAll ? kFirst : path.occurrence;
}

} // namespace

std::string_view state_name(State state) {
    switch (state) {
    case State::absent:
        return "absent";
    case State::empty:
        return "empty";
    case State::null:
        return "null";
    case State::value:
        return "value";
    }
    return "unknown";
}

State state_of(std::string_view raw) {
    if (raw.empty()) return State::empty;
    return raw == "\"\"" ? State::null : State::value;
}

Value get(const Message& message, const Path& path) {
    const std::string_view segment = message.segment(path.segment_name(), first_occurrence(path));
    if (segment.data() == nullptr) return {};
    return value_in(segment, path, message.delimiters());
}

Value get_raw(const Message& message, const Path& path) {
    const Delimiters& delimiters = message.delimiters();
    const std::string_view segment = message.segment(path.segment_name(), first_occurrence(path));
    if (segment.data() == nullptr) return {};
    if (is_delimiter_field(path) || path.subcomponent != 0) return value_in(segment, path, delimiters);

    std::string_view extent;
    if (!find_field(segment, path, delimiters, extent)) return {};
    const bool whole_field = path.component == 0 && (!path.repetition_given || path.repetition == Path::kAll);
    if (whole_field) return present(extent);
    const std::uint32_t wanted = path.repetition == Path::kAll ? kFirst : path.repetition;
    if (!split_part(extent, delimiters.repetition, wanted, extent)) return {};
    if (path.component != 0 && !split_part(extent, delimiters.component, path.component, extent)) return {};
    return present(extent);
}

std::vector<Value> get_all(const Message& message, const Path& path) {
    std::vector<Value> values;
    const Delimiters& delimiters = message.delimiters();
    const bool every_segment = path.occurrence == Path::kAll;
    const bool every_repetition = path.repetition == Path::kAll;
    if (!every_segment) {
        const std::string_view segment = message.segment(path.segment_name(), path.occurrence);
        if (segment.data() == nullptr) return values;
        if (every_repetition) {
            append_repetitions(values, segment, path, delimiters);
        } else if (const Value value = value_in(segment, path, delimiters); value.state != State::absent) {
            values.push_back(value);
        }
        return values;
    }
    SegmentCursor cursor = message.segments();
    for (Segment segment; cursor.next(segment);) {
        if (segment.name != path.segment_name()) continue;
        if (every_repetition) {
            append_repetitions(values, segment.text, path, delimiters);
        } else {
            values.push_back(value_in(segment.text, path, delimiters));
        }
    }
    return values;
}

void get_many(const Message& message, std::span<const Path> paths, std::span<Value> values) {
    std::vector<std::uint32_t> to_go;
    to_go.reserve(paths.size());
    for (const Path& path : paths)
        to_go.push_back(first_occurrence(path));
    for (Value& value : values)
        value = {};
    const Delimiters& delimiters = message.delimiters();
    std::string_view rest = message.text();
    while (!rest.empty()) {
        const std::size_t end = rest.find('\r');
        const std::string_view line = rest.substr(0, end);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
        for (std::size_t i = 0; i < paths.size(); ++i) {
            const std::string_view name = paths[i].segment_name();
            const bool named =
                line.starts_with(name) && (line.size() == name.size() || line[name.size()] == delimiters.field);
            if (named && --to_go[i] == 0) values[i] = value_in(line, paths[i], delimiters);
        }
    }
}

std::optional<std::string> get_text(const Message& message, const Path& path) {
    const Value value = get(message, path);
    if (value.state != State::value) return std::nullopt;
    return decode(value.raw, message.delimiters());
}

} // namespace radscheduler
