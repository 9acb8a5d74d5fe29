// Changing a message: the text is cut at the place, the place is rewritten, the rest is copied.
#include "radscheduler/edit.hpp"

#include "ascii.hpp"
#include "radscheduler/escape.hpp"
#include "radscheduler/message.hpp"
#include "radscheduler/value.hpp"
#include "scan.hpp"
#include "segment_group.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <vector>

namespace radscheduler {

namespace {

// By so much more than one value a change may make a message grow: `*` multiplies values and padding.
constexpr std::size_t kMaxGrowth = std::size_t{64} * 1024 * 1024;

Error refuse(const Path& path, std::string text) {
    return {ErrorCode::bad_edit, 0, path.to_string(), std::move(text)};
}

// A place below the segment, as the index of the part at each level: field, repetition, component, subcomponent. Levels
// that the path does not reach are not in `depth`.
struct Step {
    char separator;
    std::size_t index; // from 1
    bool all;
};

struct Steps {
    Step step[4];
    std::size_t depth;
};

Steps steps_of(const Path& path, const Delimiters& delimiters) {
    Steps steps{};
    const std::size_t shift = is_header_name(path.segment_name()) ? 0 : 1; // part 1 of a segment is its name
    steps.step[steps.depth++] = {delimiters.field, path.field + shift, false};
    if (path.repetition_given || path.component != 0) {
        steps.step[steps.depth++] = {delimiters.repetition, path.repetition, path.repetition == Path::kAll};
    }
    if (path.component != 0) steps.step[steps.depth++] = {delimiters.component, path.component, false};
    if (path.subcomponent != 0) steps.step[steps.depth++] = {delimiters.subcomponent, path.subcomponent, false};
    return steps;
}

// Writes `whole` to `out` with the part at `step` and below replaced.
void write_with(std::string& out, std::string_view whole, const Steps& steps, std::size_t level,
                std::string_view encoded) {
    if (level == steps.depth) {
        out += encoded;
        return;
    }
    const Step& step = steps.step[level];
    std::size_t index = 1;
    while (true) {
        const std::size_t end = step.separator == '\0' ? std::string_view::npos : whole.find(step.separator);
        const std::string_view part = whole.substr(0, end);
        if (step.all || index == step.index) {
            write_with(out, part, steps, level + 1, encoded);
        } else {
            out += part;
        }
        if (end == std::string_view::npos) break;
        out.push_back(step.separator);
        whole.remove_prefix(end + 1);
        ++index;
    }
    if (step.all || index >= step.index) return;
    out.append(step.index - index, step.separator);
    write_with(out, {}, steps, level + 1, encoded);
}

// The same with the place emptied, or taken out when `take_out`; where it was the last, the empty places that are then
// at the end of each level are cut.
// False, with nothing changed, when the place is not there.
bool write_without(std::string& out, std::string_view whole, const Steps& steps, std::size_t level, bool take_out) {
    const Step& step = steps.step[level];
    const std::size_t begin = out.size();
    const bool last_level = level + 1 == steps.depth;
    std::size_t index = 1;
    bool first = true;
    bool there = false;
    bool changed_last = false;
    while (true) {
        const std::size_t end = step.separator == '\0' ? std::string_view::npos : whole.find(step.separator);
        const std::string_view part = whole.substr(0, end);
        const bool here = step.all || index == step.index;
        if (!here || !last_level || !take_out) {
            if (!first) out.push_back(step.separator);
            first = false;
            if (!here) out += part;
            if (here) changed_last = last_level || write_without(out, part, steps, level + 1, take_out);
        } else {
            changed_last = true;
        }
        if (!here) changed_last = false;
        there = there || changed_last;
        if (end == std::string_view::npos) break;
        whole.remove_prefix(end + 1);
        ++index;
    }
    while (changed_last && out.size() > begin && out.back() == step.separator)
        out.pop_back();
    return there;
}

// The parts of the text that the path names: lines without their CR, in order.
class Lines {
public:
    Lines(const Message& message, const Path& path) : message_(message) {
        scope_ = message.scope(path);
        if (scope_.data() == nullptr) return;
        std::string_view rest = scope_;
        while (!rest.empty()) {
            const std::string_view line = take_line(rest);
            if (!is_named(line, message.delimiters().field, path.segment_name())) continue;
            ++count_;
            if (path.occurrence == Path::kAll || path.occurrence == count_) found_.push_back(line);
        }
    }

    bool has_scope() const { return scope_.data() != nullptr; }
    std::size_t count() const { return count_; }
    const std::vector<std::string_view>& found() const { return found_; }

    // The text with every found line rewritten. `rewrite` appends the new line with its CR, or nothing.
    std::string rewritten(const std::function<void(std::string&, std::string_view)>& rewrite) const {
        const std::string_view text = message_.text();
        std::string out;
        out.reserve(text.size() + 64);
        std::size_t copied = 0;
        for (const std::string_view line : found_) {
            const auto offset = static_cast<std::size_t>(line.data() - text.data());
            out += text.substr(copied, offset - copied);
            rewrite(out, line);
            copied = std::min(text.size(), offset + line.size() + 1);
        }
        out += text.substr(copied);
        return out;
    }

    // The text with a line added where the group ends.
    std::string appended(const std::function<void(std::string&)>& write) const {
        const std::string_view text = message_.text();
        const auto end = static_cast<std::size_t>(scope_.data() + scope_.size() - text.data());
        std::string out(text.substr(0, end));
        write(out);
        out += text.substr(end);
        return out;
    }

private:
    const Message& message_;
    std::string_view scope_;
    std::size_t count_ = 0;
    std::vector<std::string_view> found_;
};

std::optional<Error> unusable_place(const Path& path) {
    for (std::uint32_t i = 0; i < path.group_count; ++i) {
        if (path.groups[i].occurrence == Path::kAll) {
            return refuse(path,
                          "A change names one group, for example RGS[2]/AIL-3; * may stand behind the last slash.");
        }
    }
    if (is_header_name(path.segment_name()) && (path.field == 1 || path.field == 2)) {
        return refuse(path, "The delimiters of a message cannot be changed; build a new message with hl7_build().");
    }
    return std::nullopt;
}

// A separator in the text would make more than the one part that the path names.
std::optional<Error> unusable_text(const Path& path, const Delimiters& delimiters, std::string_view encoded) {
    const bool within_subcomponent = path.subcomponent != 0;
    const bool within_component = within_subcomponent || path.component != 0;
    const bool within_repetition = within_component || path.repetition_given;
    for (const char c : encoded) {
        // The transport would take a framing byte for the end of the message.
        const bool never = c == '\r' || c == '\n' || c == '\0' || is_framing(c) || c == delimiters.field;
        if (never || (within_repetition && c == delimiters.repetition) ||
            (within_component && c == delimiters.component) || (within_subcomponent && c == delimiters.subcomponent)) {
            return refuse(path, "The encoded text holds a separator, line end or framing byte that reaches beyond this "
                                "place; escape it, or name a larger place.");
        }
    }
    return std::nullopt;
}

// The levels that the path needs but the message has no separator for.
std::optional<Error> undeclared_level(const Path& path, const Delimiters& delimiters) {
    const bool component = path.component > 1 && delimiters.component == '\0';
    const bool repetition = path.repetition > 1 && delimiters.repetition == '\0';
    const bool subcomponent = path.subcomponent > 1 && delimiters.subcomponent == '\0';
    if (component || repetition || subcomponent) {
        return refuse(path, "MSH-2 of the message declares no separator for this level.");
    }
    return std::nullopt;
}

// `*` means the repetitions that exist: none in a field that is empty or not there.
bool has_no_repetition(std::string_view line, const Steps& steps) {
    std::string_view field;
    return !split_part(line, steps.step[0].separator, steps.step[0].index, field) || field.empty();
}

Error no_such_segment(const Path& path, const Lines& lines) {
    const std::string name(path.segment_name());
    if (!lines.has_scope()) return refuse(path, "The message has no such group.");
    return refuse(path, "There are " + std::to_string(lines.count()) + " " + name +
                            " segments here; only the next one, " + name + "[" + std::to_string(lines.count() + 1) +
                            "], can be added.");
}

} // namespace

Result<std::string> set_encoded(std::string_view canonical, const Path& path, std::string_view encoded) {
    const Result<Message> message = Message::open(canonical);
    if (!message) return message.error();
    const Delimiters& delimiters = message->delimiters();
    if (path.field == 0) return refuse(path, "A value is set at a field, for example PID-5.1.");
    if (std::optional<Error> error = unusable_place(path)) return *std::move(error);
    if (std::optional<Error> error = undeclared_level(path, delimiters)) return *std::move(error);
    if (std::optional<Error> error = unusable_text(path, delimiters, encoded)) return *std::move(error);

    const Steps steps = steps_of(path, delimiters);
    const Lines lines(*message, path);
    if (!lines.found().empty() || (path.selects_many() && lines.has_scope())) {
        const std::size_t most = canonical.size() + encoded.size() + kMaxGrowth;
        bool fits = true;
        std::string changed = lines.rewritten([&](std::string& out, std::string_view line) {
            if (path.repetition == Path::kAll && has_no_repetition(line, steps)) {
                out += line;
            } else if (fits) {
                write_with(out, line, steps, 0, encoded);
            }
            out.push_back('\r');
            fits = fits && out.size() <= most;
        });
        if (!fits) return refuse(path, "The message would grow by more than 64 MB; change fewer places at once.");
        return changed;
    }
    if (!lines.has_scope() || path.occurrence != lines.count() + 1) return no_such_segment(path, lines);
    if (is_header_name(path.segment_name())) return refuse(path, "A header segment cannot be added to a message.");
    std::string changed = lines.appended([&](std::string& out) {
        write_with(out, path.segment_name(), steps, 0, encoded);
        out.push_back('\r');
    });
    if (path.group_count != 0 && get_raw(*Message::open(changed), path).state == State::absent) {
        return refuse(path, "A segment of this name ends the group, so that none can be added to it.");
    }
    return changed;
}

Result<std::string> set_text(std::string_view canonical, const Path& path, std::string_view text) {
    const Result<Message> message = Message::open(canonical);
    if (!message) return message.error();
    if (text == "\"\"") return set_encoded(canonical, path, text);
    return set_encoded(canonical, path, escape(text, message->delimiters()));
}

Result<std::string> remove_place(std::string_view canonical, const Path& path) {
    const Result<Message> message = Message::open(canonical);
    if (!message) return message.error();
    if (std::optional<Error> error = unusable_place(path)) return *std::move(error);
    const Lines lines(*message, path);
    if (lines.found().empty()) return std::string(canonical);
    if (path.field == 0) {
        if (lines.found().front().data() == canonical.data()) {
            return refuse(path, "The first segment declares the delimiters and cannot be removed.");
        }
        return lines.rewritten([](std::string&, std::string_view) {});
    }
    const Steps steps = steps_of(path, message->delimiters());
    const bool take_out = path.repetition_given && path.component == 0;
    return lines.rewritten([&](std::string& out, std::string_view line) {
        const std::size_t begin = out.size();
        write_without(out, line, steps, 0, take_out);
        // A header never shrinks below its delimiters.
        if (is_header_name(path.segment_name()) && out.size() - begin < 4) out += line.substr(out.size() - begin);
        out.push_back('\r');
    });
}

} // namespace radscheduler
