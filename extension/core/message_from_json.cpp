// Reading the JSON form back: one pass over the tokens, no tree.
#include "radscheduler/message_json.hpp"

#include "ascii.hpp"
#include "radscheduler/escape.hpp"

#include <array>
#include <optional>
#include <string>

namespace radscheduler {

namespace {

using Kind = JsonToken::Kind;

// Depth of the array whose elements are being read.
enum Depth : std::size_t { kOutside, kSegments, kFields, kRepetitions, kComponents, kSubcomponents };

class Reader {
public:
    explicit Reader(std::span<const JsonToken> tokens) : tokens_(tokens) {}

    Result<std::string> read() {
        while (next_ < tokens_.size()) {
            if (std::optional<Error> error = take(tokens_[next_++])) return *std::move(error);
        }
        if (depth_ != kOutside || !closed_) return fail("The JSON ends too early.");
        if (out_.empty()) return fail("The array holds no segment.");
        if (is_framing(out_[out_.size() - 2])) {
            return fail("The last segment ends in a framing byte (0x0B or 0x1C), which the transport would take away.");
        }
        return std::move(out_);
    }

private:
    std::optional<Error> take(const JsonToken& token) {
        if (closed_) return fail("Something follows the array of segments.");
        switch (token.kind) {
        case Kind::begin_array:
            return begin_array();
        case Kind::end_array:
            return end_array();
        case Kind::begin_object:
            return spelled_leaf();
        case Kind::string:
        case Kind::number:
            return leaf(token.text, std::nullopt);
        case Kind::null:
            return leaf({}, "\"\"");
        case Kind::boolean:
            return fail("A leaf is a string, a number, null or an object, not true or false.");
        case Kind::key:
        case Kind::end_object:
            break;
        }
        return fail("The JSON is out of order here.");
    }

    std::optional<Error> begin_array() {
        if (depth_ == kSubcomponents) return fail("A subcomponent cannot hold an array.");
        if (depth_ == kFields && in_head()) return fail("A segment begins with its name, a string.");
        if (depth_ >= kFields) {
            if (std::optional<Error> error = begin_part()) return error;
        } else if (depth_ == kSegments) {
            ++index_[kSegments];
            header_ = false;
        }
        ++depth_;
        index_[depth_] = 0;
        return std::nullopt;
    }

    std::optional<Error> end_array() {
        if (depth_ == kOutside) return fail("The JSON is out of order here.");
        if (depth_ == kFields) {
            if (index_[kFields] == 0) return fail("A segment begins with its name, a string.");
            const bool delimiters_needed = header_ && (index_[kSegments] == 1 || index_[kFields] > 1);
            if (delimiters_needed && index_[kFields] < 3) {
                return fail("A header segment has its field separator at 1 and its encoding characters at 2.");
            }
            if (is_blank_segment()) return fail("A segment cannot be blank.");
            out_.push_back('\r');
        }
        closed_ = depth_ == kSegments;
        --depth_;
        return std::nullopt;
    }

    // normalize() would drop it.
    bool is_blank_segment() const {
        std::string_view rest = out_;
        while (!rest.empty() && (is_blank(rest.back()) || is_framing(rest.back())))
            rest.remove_suffix(1);
        return rest.empty() || rest.back() == '\r';
    }

    // Whether the next element of a segment is its name or, in a header, the delimiters.
    bool in_head() const { return index_[kFields] == 0 || (header_ && index_[kFields] < 3); }

    // Separator before the next element of the array being read.
    std::optional<Error> begin_part() {
        const std::size_t place = index_[depth_]++;
        if (place == 0) return std::nullopt;
        const std::array<char, 6> separators = {
            '\0', '\0', delimiters_.field, delimiters_.repetition, delimiters_.component, delimiters_.subcomponent};
        if (separators[depth_] == '\0') return fail("MSH-2 declares no separator for this level.");
        out_.push_back(separators[depth_]);
        return std::nullopt;
    }

    std::optional<Error> leaf(std::string_view text, std::optional<std::string_view> raw) {
        if (depth_ < kFields) return fail("A message is an array of segments, each an array.");
        if (depth_ == kFields && in_head()) return head(raw ? *raw : text);
        if (std::optional<Error> error = begin_part()) return error;
        if (!raw) {
            out_ += escape(text, delimiters_);
            return std::nullopt;
        }
        for (const char c : *raw) {
            const bool separates = c != delimiters_.escape && delimiters_.separates(c);
            if (separates || c == '\r' || c == '\n' || c == '\0') {
                return fail("\"raw\" holds a separator of the message or a line end; leave it out and give \"text\".");
            }
        }
        out_ += *raw;
        return std::nullopt;
    }

    // Name of a segment, or element 1 or 2 of a header: verbatim.
    std::optional<Error> head(std::string_view text) {
        const std::size_t place = index_[kFields]++;
        const bool first_segment = index_[kSegments] == 1;
        if (text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
            return fail("A segment name or delimiter cannot hold a line end.");
        }
        if (place == 0) {
            header_ = is_header_name(text);
            if (first_segment && !header_) return fail("The first segment must be MSH, FHS or BHS.");
            if (!first_segment && text.find(delimiters_.field) != std::string_view::npos) {
                return fail("A segment name cannot hold the field separator.");
            }
        } else if (place == 1 && text.size() != 1) {
            return fail("Element 1 of a header segment is the field separator, one character.");
        } else if (place == 1 && !first_segment && text[0] != delimiters_.field) {
            return fail("All header segments of a message have the same field separator.");
        } else if (place == 2 && text.find(first_segment ? out_.back() : delimiters_.field) != std::string_view::npos) {
            return fail("The encoding characters cannot hold the field separator.");
        }
        out_ += text;
        if (place != 2 || !first_segment) return std::nullopt;
        const Result<Delimiters> delimiters = Delimiters::read(out_);
        if (!delimiters) return fail(delimiters.error().text);
        delimiters_ = *delimiters;
        return std::nullopt;
    }

    // {"text": …, "raw": …}
    std::optional<Error> spelled_leaf() {
        std::optional<std::string_view> text;
        std::optional<std::string_view> raw;
        while (next_ < tokens_.size() && tokens_[next_].kind == Kind::key) {
            const std::string_view name = tokens_[next_++].text;
            if (next_ == tokens_.size() || tokens_[next_].kind != Kind::string || (name != "text" && name != "raw")) {
                return fail("An object has the members \"text\" and \"raw\", both strings.");
            }
            (name == "text" ? text : raw) = tokens_[next_++].text;
        }
        if (next_ == tokens_.size() || tokens_[next_].kind != Kind::end_object || (!text && !raw)) {
            return fail("An object has the members \"text\" and \"raw\", both strings.");
        }
        ++next_;
        if (text && raw && depth_ >= kFields && !in_head() && decode(*raw, delimiters_) != *text) {
            return fail("\"text\" is not what \"raw\" decodes to; give only the one that is meant.");
        }
        return leaf(text.value_or(std::string_view{}), raw);
    }

    Error fail(std::string text) const {
        std::string place;
        for (std::size_t depth = kSegments; depth <= depth_; ++depth)
            place += "[" + std::to_string(index_[depth] - (depth < depth_ && index_[depth] > 0 ? 1 : 0)) + "]";
        return {ErrorCode::bad_json, 0, std::move(place), std::move(text)};
    }

    std::span<const JsonToken> tokens_;
    std::size_t next_ = 0;
    Delimiters delimiters_;
    std::string out_;
    std::array<std::size_t, 7> index_{}; // elements begun, by depth
    std::size_t depth_ = kOutside;
    bool header_ = false;
    bool closed_ = false;
};

} // namespace

Result<std::string> message_from_json(std::span<const JsonToken> tokens) {
    return Reader(tokens).read();
}

} // namespace radscheduler
