// Reading values by path: segment, field, then down to the leaf.
#include "radscheduler/value.hpp"

#include "radscheduler/escape.hpp"
#include "scan.hpp"
#include "segment_group.hpp"

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

template <class Visit>
void for_each_repetition(std::string_view field, const Delimiters& delimiters, Visit visit) {
    while (true) {
        const std::size_t end = field.find(delimiters.repetition);
        visit(field.substr(0, end));
        if (end == std::string_view::npos) return;
        field.remove_prefix(end + 1);
    }
}

void append_repetitions(std::vector<Value>& values, std::string_view segment, const Path& path,
                        const Delimiters& delimiters) {
    if (is_delimiter_field(path)) {
        values.push_back(header_leaf(segment, path, delimiters, kFirst));
        return;
    }
    std::string_view field;
    if (!find_field(segment, path, delimiters, field) || field.empty()) return;
    for_each_repetition(field, delimiters, [&](std::string_view repetition) {
        values.push_back(leaf_of_repetition(repetition, path, delimiters));
    });
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

namespace {

// The segment that a path names; `*` stands for the first.
std::string_view segment_at(const Message& message, const Path& path) {
    const std::string_view scope = path.group_count == 0 ? message.text() : message.scope(path);
    return find_segment(scope, message.delimiters().field, path.segment_name(), first_occurrence(path));
}

// The groups of one level within their parents, in order.
std::vector<std::string_view> groups_within(const std::vector<std::string_view>& parents, const Path::Group& step,
                                            char field_separator) {
    std::vector<std::string_view> groups;
    for (std::string_view rest : parents) {
        if (step.occurrence != Path::kAll) {
            rest = group_of(rest, field_separator, step.segment_name(), step.occurrence);
            if (rest.data() != nullptr) groups.push_back(rest);
            continue;
        }
        // A group ends where the next of its kind opens, so that each search goes on behind the last group.
        while (true) {
            const std::string_view group = group_of(rest, field_separator, step.segment_name(), kFirst);
            if (group.data() == nullptr) break;
            groups.push_back(group);
            rest.remove_prefix(static_cast<std::size_t>(group.data() + group.size() - rest.data()));
        }
    }
    return groups;
}

// The texts in which the path's occurrences count: every group it names, or the whole message.
std::vector<std::string_view> scopes_of(const Message& message, const Path& path) {
    std::vector<std::string_view> scopes{message.text()};
    for (std::uint32_t i = 0; i < path.group_count; ++i)
        scopes = groups_within(scopes, path.groups[i], message.delimiters().field);
    return scopes;
}

// What the path names within one repetition: all of it, a component, a subcomponent.
Value part_of_repetition(std::string_view repetition, const Path& path, const Delimiters& delimiters) {
    if (path.subcomponent != 0) return leaf_of_repetition(repetition, path, delimiters);
    if (path.component != 0 && !split_part(repetition, delimiters.component, path.component, repetition)) return {};
    return present(repetition);
}

// The extent in one given segment; `*` as repetition means the first, or the whole field when there is no component.
Value raw_in(std::string_view segment, const Path& path, const Delimiters& delimiters) {
    if (path.field == 0) return present(segment);
    if (is_delimiter_field(path) || path.subcomponent != 0) return value_in(segment, path, delimiters);

    std::string_view extent;
    if (!find_field(segment, path, delimiters, extent)) return {};
    const bool whole_field = path.component == 0 && (!path.repetition_given || path.repetition == Path::kAll);
    if (whole_field) return present(extent);
    const std::uint32_t wanted = path.repetition == Path::kAll ? kFirst : path.repetition;
    if (!split_part(extent, delimiters.repetition, wanted, extent)) return {};
    return part_of_repetition(extent, path, delimiters);
}

// Every segment that the path names, in order.
std::vector<std::string_view> segments_at(const Message& message, const Path& path) {
    const char separator = message.delimiters().field;
    std::vector<std::string_view> segments;
    for (std::string_view scope : scopes_of(message, path)) {
        if (path.occurrence != Path::kAll) {
            const std::string_view segment = find_segment(scope, separator, path.segment_name(), path.occurrence);
            if (segment.data() != nullptr) segments.push_back(segment);
            continue;
        }
        while (!scope.empty()) {
            const std::string_view line = take_line(scope);
            if (is_named(line, separator, path.segment_name())) segments.push_back(line);
        }
    }
    return segments;
}

void append_values(std::vector<Value>& values, std::string_view segment, const Path& path,
                   const Delimiters& delimiters) {
    if (path.repetition == Path::kAll) {
        append_repetitions(values, segment, path, delimiters);
    } else {
        values.push_back(value_in(segment, path, delimiters));
    }
}

} // namespace

Value get(const Message& message, const Path& path) {
    const std::string_view segment = segment_at(message, path);
    if (segment.data() == nullptr) return {};
    return value_in(segment, path, message.delimiters());
}

Value get_raw(const Message& message, const Path& path) {
    const std::string_view segment = segment_at(message, path);
    if (segment.data() == nullptr) return {};
    return raw_in(segment, path, message.delimiters());
}

std::vector<Value> get_all(const Message& message, const Path& path) {
    std::vector<Value> values;
    const Delimiters& delimiters = message.delimiters();
    const bool one = !path.selects_many();
    for (std::string_view scope : scopes_of(message, path)) {
        if (path.occurrence != Path::kAll) {
            const std::string_view segment =
                find_segment(scope, delimiters.field, path.segment_name(), path.occurrence);
            if (segment.data() != nullptr) {
                append_values(values, segment, path, delimiters);
            } else if (path.group_count != 0 && !one && path.repetition != Path::kAll) {
                values.emplace_back();
            }
            continue;
        }
        while (!scope.empty()) {
            const std::string_view line = take_line(scope);
            if (is_named(line, delimiters.field, path.segment_name())) append_values(values, line, path, delimiters);
        }
    }
    if (one && !values.empty() && values.front().state == State::absent) values.clear();
    return values;
}

std::vector<Value> get_all_raw(const Message& message, const Path& path) {
    const Delimiters& delimiters = message.delimiters();
    const bool each_repetition = path.repetition == Path::kAll && path.field != 0 && !is_delimiter_field(path);
    std::vector<Value> values;
    const auto add = [&values](const Value& value) {
        if (value.state != State::absent) values.push_back(value);
    };
    for (const std::string_view segment : segments_at(message, path)) {
        if (!each_repetition) {
            add(raw_in(segment, path, delimiters));
            continue;
        }
        std::string_view field;
        if (!find_field(segment, path, delimiters, field) || field.empty()) continue;
        for_each_repetition(field, delimiters, [&](std::string_view repetition) {
            add(part_of_repetition(repetition, path, delimiters));
        });
    }
    return values;
}

void get_many(const Message& message, std::span<const Path> paths, std::span<Value> values) {
    const Delimiters& delimiters = message.delimiters();
    for (std::size_t i = 0; i < paths.size(); ++i)
        values[i] = paths[i].group_count == 0 ? Value{} : get(message, paths[i]);
    std::vector<std::uint32_t> to_go;
    to_go.reserve(paths.size());
    for (const Path& path : paths)
        to_go.push_back(path.group_count == 0 ? first_occurrence(path) : 0);
    std::string_view rest = message.text();
    while (!rest.empty()) {
        const std::string_view line = take_line(rest);
        for (std::size_t i = 0; i < paths.size(); ++i) {
            if (to_go[i] == 0 || !is_named(line, delimiters.field, paths[i].segment_name())) continue;
            if (--to_go[i] == 0) values[i] = value_in(line, paths[i], delimiters);
        }
    }
}

std::optional<std::string> get_text(const Message& message, const Path& path) {
    const Value value = get(message, path);
    if (value.state != State::value) return std::nullopt;
    return decode(value.raw, message.delimiters());
}

} // namespace radscheduler
