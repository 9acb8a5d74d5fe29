// Building: each value is set in a message of two segments, the header and the one it belongs to.
#include "radscheduler/build.hpp"

#include "radscheduler/delimiters.hpp"
#include "radscheduler/edit.hpp"

#include <algorithm>

namespace radscheduler {

namespace {

Error refuse(const Path& path, std::string text) {
    return {ErrorCode::bad_edit, 0, path.to_string(), std::move(text)};
}

} // namespace

Result<MessageBuilder> MessageBuilder::start(std::string_view separator, std::string_view encoding) {
    std::string header = "MSH";
    header += separator;
    header += encoding;
    header += '\r';
    const Result<Delimiters> delimiters = Delimiters::read(header);
    if (!delimiters) return delimiters.error();
    // Delimiters::read() stops at a separator or line end; neither may stand in what was given.
    const bool clean = separator.size() == 1 && encoding.find_first_of("\r\n") == std::string_view::npos &&
                       encoding.find(separator) == std::string_view::npos;
    if (!clean) {
        return Error{ErrorCode::bad_delimiters, 0, separator.size() == 1 ? "MSH-2" : "MSH-1",
                     "MSH-1 is one character, and MSH-2 two to five others, usually | and ^~\\&."};
    }
    return MessageBuilder(std::move(header));
}

Result<bool> MessageBuilder::set(const Path& path, std::string_view text) {
    if (path.group_count != 0 || path.occurrence == Path::kAll || path.repetition == Path::kAll) {
        return refuse(path, "A new message is built segment by segment; name one place, for example AIL[2]-3.");
    }
    const std::string_view name = path.segment_name();
    if (name == "MSH" && path.occurrence == 1) {
        Result<std::string> edited = set_text(segments_.front(), path, text);
        if (!edited) return edited.error();
        segments_.front() = *std::move(edited);
        return true;
    }
    const auto known = std::find(names_.begin(), names_.end(), name);
    const auto kind = static_cast<std::size_t>(known - names_.begin());
    const std::size_t count = known == names_.end() ? 0 : places_[kind].size();
    if (path.occurrence > count + 1) {
        return refuse(path, "There are " + std::to_string(count) + " " + std::string(name) +
                                " segments so far; only the next one, " + std::string(name) + "[" +
                                std::to_string(count + 1) + "], can be added.");
    }
    const bool is_new = path.occurrence == count + 1;
    Path alone = path;
    alone.occurrence = 1;
    Result<std::string> edited =
        set_text(is_new ? header_ : header_ + segments_[places_[kind][path.occurrence - 1]], alone, text);
    if (!edited) return refuse(path, edited.error().text);
    std::string segment = edited->substr(header_.size());
    if (!is_new) {
        segments_[places_[kind][path.occurrence - 1]] = std::move(segment);
        return true;
    }
    if (known == names_.end()) {
        names_.emplace_back(name);
        places_.emplace_back();
    }
    places_[kind].push_back(segments_.size());
    segments_.push_back(std::move(segment));
    return true;
}

std::string MessageBuilder::text() const {
    std::string text;
    for (const std::string& segment : segments_)
        text += segment;
    return text;
}

} // namespace radscheduler
