// Writing: one pass over the separators of the message.
#include "radscheduler/message_json.hpp"

#include "radscheduler/delimiter_index.hpp"
#include "radscheduler/escape.hpp"
#include "radscheduler/value.hpp"

#include <array>
#include <vector>

namespace radscheduler {

namespace {

using Offsets = std::span<const std::size_t>;

// The levels within a field, outermost first.
enum Level : std::size_t { kRepetitions, kComponents, kSubcomponents, kLeaf };

class ExtentWriter {
public:
    ExtentWriter(JsonWriter& writer, const char* base, const Delimiters& delimiters)
        : writer_(writer), base_(base),
          delimiters_(delimiters), separators_{delimiters.repetition, delimiters.component, delimiters.subcomponent} {}

    // The part [begin, end) of the text at a level; `inner` are the separators within it.
    void part(std::size_t level, std::size_t begin, std::size_t end, Offsets inner) {
        if (inner.empty()) return leaf({base_ + begin, end - begin});
        writer_.begin_array();
        if (level < kLeaf) {
            while (true) {
                std::size_t taken = 0;
                while (taken < inner.size() && base_[inner[taken]] != separators_[level])
                    ++taken;
                const bool last = taken == inner.size();
                part(level + 1, begin, last ? end : inner[taken], inner.first(taken));
                if (last) break;
                begin = inner[taken] + 1;
                inner = inner.subspan(taken + 1);
            }
        }
        writer_.end_array();
    }

private:
    void leaf(std::string_view raw) {
        if (state_of(raw) == State::null) return writer_.null();
        const bool plain = raw.find(delimiters_.escape) == std::string_view::npos && is_plain(raw);
        if (plain) return writer_.text(raw);
        const std::string text = decode(raw, delimiters_);
        if (escape(text, delimiters_) == raw) return writer_.text(text);
        writer_.begin_object();
        writer_.key("text");
        writer_.text(text);
        writer_.key("raw");
        writer_.text(raw);
        writer_.end_object();
    }

    // Whether escape() would leave the text as it is; the separators are known not to be in it.
    bool is_plain(std::string_view raw) const {
        for (const char c : raw) {
            if (static_cast<unsigned char>(c) < 0x20 && c != '\t') return false;
            if (c == delimiters_.truncation && c != '\0') return false;
        }
        return true;
    }

    JsonWriter& writer_;
    const char* base_;
    const Delimiters& delimiters_;
    std::array<char, kLeaf> separators_;
};

// Walks one segment after the other, field by field.
class MessageWriter {
public:
    MessageWriter(JsonWriter& writer, std::string_view text, const Delimiters& delimiters)
        : writer_(writer), text_(text), delimiters_(delimiters), cursor_(text, delimiters),
          extents_(writer, text.data(), delimiters) {}

    void all_segments() {
        writer_.begin_array();
        while (position_ < text_.size())
            segment();
        writer_.end_array();
    }

    void segment() {
        writer_.begin_array();
        std::size_t end = next_field_end();
        const std::string_view name = text_.substr(position_, end - position_);
        writer_.text(name);
        if (is_header_name(name) && ends_field(end)) {
            writer_.text(text_.substr(end, 1));
            position_ = end + 1;
            end = next_field_end();
            writer_.text(text_.substr(position_, end - position_));
        }
        while (ends_field(end)) {
            position_ = end + 1;
            end = next_field_end();
            extents_.part(kRepetitions, position_, end, inner_);
        }
        position_ = end + 1;
        writer_.end_array();
    }

private:
    bool ends_field(std::size_t offset) const { return offset < text_.size() && text_[offset] == delimiters_.field; }

    // Offset of the field separator or CR that ends what begins at position_; gathers the separators before it.
    std::size_t next_field_end() {
        inner_.clear();
        while (true) {
            const std::size_t offset = cursor_.next();
            if (offset == text_.size() || text_[offset] == '\r' || text_[offset] == delimiters_.field) return offset;
            inner_.push_back(offset);
        }
    }

    JsonWriter& writer_;
    std::string_view text_;
    const Delimiters& delimiters_;
    DelimiterCursor cursor_;
    ExtentWriter extents_;
    std::vector<std::size_t> inner_;
    std::size_t position_ = 0;
};

std::size_t level_of(const Path& path) {
    if (path.subcomponent != 0) return kLeaf;
    if (path.component != 0) return kSubcomponents;
    return path.repetition_given ? kComponents : kRepetitions;
}

void write_extent(JsonWriter& writer, std::string_view raw, const Path& path, const Delimiters& delimiters) {
    if (path.field == 0) {
        MessageWriter(writer, raw, delimiters).segment();
        return;
    }
    if (path.field <= 2 && is_header_name(path.segment_name())) {
        writer.text(raw);
        return;
    }
    std::vector<std::size_t> inner;
    DelimiterCursor cursor(raw, delimiters);
    for (std::size_t offset = cursor.next(); offset != raw.size(); offset = cursor.next())
        inner.push_back(offset);
    ExtentWriter(writer, raw.data(), delimiters).part(level_of(path), 0, raw.size(), inner);
}

} // namespace

std::string message_json(const Message& message) {
    JsonWriter writer;
    MessageWriter(writer, message.text(), message.delimiters()).all_segments();
    return writer.take();
}

bool write_extent_json(JsonWriter& writer, const Message& message, const Path& path) {
    if (!path.selects_many()) {
        const Value value = get_raw(message, path);
        if (value.state == State::absent) return false;
        write_extent(writer, value.raw, path, message.delimiters());
        return true;
    }
    writer.begin_array();
    for (const Value& value : get_all_raw(message, path))
        write_extent(writer, value.raw, path, message.delimiters());
    writer.end_array();
    return true;
}

} // namespace radscheduler
