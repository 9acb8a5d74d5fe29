// Joining fragments: segments are copied one after the other; DSC and ADD are acted on.
#include "radscheduler/continuation.hpp"

#include "radscheduler/header.hpp"
#include "radscheduler/message.hpp"
#include "radscheduler/value.hpp"
#include "scan.hpp"
#include "segment_group.hpp"

#include <algorithm>
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

// A pointer that is empty or the HL7 null says that there is no more.
bool has_pointer(std::string_view dsc, char separator) {
    return is_named(dsc, separator, "DSC") && state_of(field_of(dsc, separator, 2)) == State::value;
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
        if (!is_named(header, separator_, "MSH")) {
            return fail("MSH", "A fragment begins with MSH; cut a batch into its messages first.");
        }
        if (std::optional<Error> error = check_header(*message)) return error;
        if (number_ == 1) append(header);

        const std::string_view dsc = last_segment(fragment);
        const bool goes_on = has_pointer(dsc, separator_);
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
    std::optional<Error> check_header(const Message& message) {
        if (number_ == 1) {
            first_ = message;
            if (state_of(header_field(message, kContinuationPointer)) == State::value) {
                return fail("MSH-14", "The first fragment goes on with another one (MSH-14); give the fragments in "
                                      "order, from the first.");
            }
            return std::nullopt;
        }
        if (message.delimiters() != first_->delimiters()) {
            return fail("MSH-2", "The fragment has other delimiters than the first.");
        }
        for (const std::uint32_t field : {kSendingApplication, kSendingFacility, kMessageType}) {
            if (header_field(message, field) != header_field(*first_, field)) {
                return fail("MSH-" + std::to_string(field),
                            "The fragment has another sender or message type than the first.");
            }
        }
        if (header_field(message, kContinuationPointer) != pointer_) {
            return fail("MSH-14", "The continuation pointer is not the one at the end of the fragment before (DSC-1); "
                                  "give the fragments in order.");
        }
        return std::nullopt;
    }

    std::optional<Error> append_segments(std::string_view rest) {
        bool first = number_ > 1;
        while (!rest.empty()) {
            const std::string_view line = take_line(rest);
            if (is_named(line, separator_, "MSH")) {
                return fail("MSH[2]", "The fragment holds a second message; cut it into its messages first.");
            }
            if (is_named(line, separator_, "DSC")) {
                if (rest.empty()) continue;
                return fail("DSC", "Segments follow DSC, which ends a fragment.");
            }
            if (!is_named(line, separator_, "ADD")) {
                if (cut_) return fail("ADD", "A segment is cut (ADD) and what follows does not go on with it.");
                append(line);
                first = false;
                continue;
            }
            // A bare ADD says that the segment before it goes on; ADD with fields is
            // what it goes on with.
            const bool bare = line.size() <= 4;
            if (bare && !cut_ && !first) {
                cut_ = true;
                continue;
            }
            if (segments_ < 2) return fail("ADD", "There is no segment that ADD could go on with.");
            out_.pop_back();
            out_ += line.substr(std::min<std::size_t>(4, line.size()));
            if (would_be_acted_on(std::string_view(out_).substr(last_start_))) {
                return fail("ADD",
                            "The segment that was cut would have the name MSH, ADD or DSC; that is no rest of it.");
            }
            out_.push_back('\r');
            cut_ = false;
            first = false;
        }
        return std::nullopt;
    }

    bool would_be_acted_on(std::string_view line) const {
        return is_named(line, separator_, "MSH") || is_named(line, separator_, "ADD") ||
               is_named(line, separator_, "DSC");
    }

    void append(std::string_view line) {
        last_start_ = out_.size();
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
    std::optional<Message> first_;
    std::string_view pointer_;
    bool cut_ = false;
    std::string out_;
    std::size_t last_start_ = 0; // of the last segment in out_
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
    return has_pointer(dsc, separator);
}

} // namespace radscheduler
