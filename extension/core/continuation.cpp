// Joining fragments: segments are copied one after the other; DSC and ADD are acted on.
#include "radscheduler/continuation.hpp"

#include "radscheduler/message.hpp"
#include "radscheduler/path.hpp"
#include "radscheduler/value.hpp"
#include "scan.hpp"
#include "segment_group.hpp"

#include <optional>

namespace radscheduler {

namespace {

constexpr std::uint32_t kSendingApplication = 3;
constexpr std::uint32_t kSendingFacility = 4;
constexpr std::uint32_t kMessageType = 9;
constexpr std::uint32_t kContinuationPointer = 14;

std::string_view field_of(std::string_view segment, char separator, std::uint32_t part) {
    std::string_view text;
    return split_part(segment, separator, part, text) ? text : std::string_view{};
}

std::string_view last_segment(std::string_view text) {
    if (text.ends_with('\r')) text.remove_suffix(1);
    const std::size_t before = text.rfind('\r');
    return before == std::string_view::npos ? text : text.substr(before + 1);
}

class Joiner {
public:
    std::optional<Error> add(std::string_view fragment, bool last) {
        ++number_;
        const Result<Message> message = Message::open(fragment);
        if (!message) return message.error();
        separator_ = message->delimiters().field;
        std::string_view rest = fragment;
        const std::string_view header = take_line(rest);
        if (std::optional<Error> error = check_header(header, message->delimiters())) return error;
        if (number_ == 1) append(header);

        const std::string_view dsc = last_segment(fragment);
        const bool goes_on = is_named(dsc, separator_, "DSC") && !field_of(dsc, separator_, 2).empty();
        if (goes_on && field_of(dsc, separator_, 3) == "I") {
            return fail("DSC-2", "The message is continued on request only (DSC-2 is I); ask the sender for the rest.");
        }
        if (goes_on && last) {
            return fail("DSC-1", "The last fragment says that another one follows; give that one too.");
        }
        if (!goes_on && !last) {
            return fail("DSC", "The fragment does not say that it goes on (DSC), yet another one follows.");
        }
        pointer_ = goes_on ? field_of(dsc, separator_, 2) : std::string_view{};
        return append_segments(rest);
    }

    std::optional<Error> finish() const {
        if (cut_) return fail("ADD", "A segment is cut (ADD) and its rest is missing; give the next fragment too.");
        return std::nullopt;
    }

    std::string take() { return std::move(out_); }

private:
    std::optional<Error> check_header(std::string_view header, const Delimiters& delimiters) {
        if (number_ == 1) {
            first_header_ = header;
            delimiters_ = delimiters;
            return std::nullopt;
        }
        if (!(delimiters == delimiters_)) {
            return fail("MSH-2", "The fragment has other delimiters than the first.");
        }
        for (const std::uint32_t field : {kSendingApplication, kSendingFacility, kMessageType}) {
            if (field_of(header, separator_, field) != field_of(first_header_, separator_, field)) {
                return fail("MSH-" + std::to_string(field),
                            "The fragment has another sender or message type than the first.");
            }
        }
        if (field_of(header, separator_, kContinuationPointer) != pointer_) {
            return fail("MSH-14", "The continuation pointer is not the one at the end of the fragment before (DSC-1); "
                                  "give the fragments in order.");
        }
        return std::nullopt;
    }

    std::optional<Error> append_segments(std::string_view rest) {
        bool first = number_ > 1;
        while (!rest.empty()) {
            const std::string_view line = take_line(rest);
            if (is_named(line, separator_, "DSC")) continue;
            if (!is_named(line, separator_, "ADD")) {
                if (cut_) return fail("ADD", "A segment is cut (ADD) and what follows does not go on with it.");
                append(line);
                first = false;
                continue;
            }
            // A bare ADD says that the segment before it goes on; ADD with fields is what it goes on with.
            const bool bare = line.size() <= 4;
            if (bare && !cut_ && !first) {
                cut_ = true;
                continue;
            }
            if (segments_ < 2) return fail("ADD", "There is no segment that ADD could go on with.");
            out_.pop_back();
            out_ += line.substr(std::min<std::size_t>(4, line.size()));
            out_.push_back('\r');
            cut_ = false;
            first = false;
        }
        return std::nullopt;
    }

    void append(std::string_view line) {
        out_ += line;
        out_.push_back('\r');
        ++segments_;
    }

    Error fail(std::string path, std::string text) const {
        return {ErrorCode::bad_fragment, number_, std::move(path),
                "Fragment " + std::to_string(number_) + ": " + std::move(text)};
    }

    std::size_t number_ = 0;
    std::size_t segments_ = 0;
    char separator_ = '|';
    Delimiters delimiters_;
    std::string_view first_header_;
    std::string_view pointer_;
    bool cut_ = false;
    std::string out_;
};

} // namespace

Result<std::string> join_continuation(std::span<const std::string_view> fragments) {
    if (fragments.empty()) return Error{ErrorCode::bad_fragment, 0, "", "There is no fragment to join."};
    Joiner joiner;
    for (std::size_t i = 0; i < fragments.size(); ++i) {
        if (std::optional<Error> error = joiner.add(fragments[i], i + 1 == fragments.size())) return *std::move(error);
    }
    if (std::optional<Error> error = joiner.finish()) return *std::move(error);
    return joiner.take();
}

bool continues(std::string_view canonical) {
    const Result<Message> message = Message::open(canonical);
    if (!message) return false;
    const std::string_view dsc = last_segment(canonical);
    const char separator = message->delimiters().field;
    return is_named(dsc, separator, "DSC") && !field_of(dsc, separator, 2).empty();
}

} // namespace radscheduler
