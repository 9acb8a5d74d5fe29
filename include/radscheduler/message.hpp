// Purpose: the two steps from bytes to something that can be read.
//   normalize(): bytes as received -> canonical text (owned string);
//   Message::open(): canonical text -> a light view that builds no tree. Opening reads the header's first bytes only;
//   every later lookup scans lazily, so reading MSH-9 of a 200 KB message touches the header alone.
//
// Canonical text: begins with MSH (or FHS, BHS for a batch), every segment ends in one CR, no blank segments, no NUL.
// A Message does not own its text: the text must outlive it. Message is trivially copyable.
// Offsets are bytes from the start of the canonical text. Occurrences count from 1 per segment name.
// Source: HL7 v2.5 chapter 2.5 (segments), appendix C.4 (framing bytes that are left on by some senders).
#pragma once

#include "radscheduler/delimiters.hpp"
#include "radscheduler/path.hpp"
#include "radscheduler/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace radscheduler {

// Drops byte-order mark, MLLP framing bytes and blanks before the header, turns LF and CRLF into CR, drops blank
// segments, ends the last segment. Nothing inside a segment is touched. Works on any charset that contains ASCII, so
// it comes before to_utf8() (the charset is declared in MSH-18, which only a normalised text can give).
// Errors: empty_input, nul_byte, no_header.
Result<std::string> normalize(std::string_view bytes);

struct Segment {
    std::string_view name;      // text before the first field separator
    std::size_t occurrence = 0; // 1 for the first segment of this name
    std::size_t offset = 0;
    std::string_view text;   // without the CR
    bool well_named = false; // [A-Z][A-Z0-9]{2}
};

// Walks the segments in order, lazily, counting occurrences.
class SegmentCursor {
public:
    SegmentCursor(std::string_view text, char field_separator);
    bool next(Segment& segment);

private:
    // Seeded differently in every process, so that no sender can choose lines that all fall into one bucket.
    struct NameHash {
        std::size_t seed;
        std::size_t operator()(std::string_view name) const;
    };

    std::string_view text_;
    std::size_t position_ = 0;
    char separator_;
    std::unordered_map<std::string_view, std::size_t, NameHash> seen_;
};

class Message {
public:
    // Precondition: none; a text that is not canonical (LF line ends, no final CR) is still readable as far as CR goes.
    // Errors: empty_input, no_header, bad_delimiters.
    static Result<Message> open(std::string_view canonical);

    const Delimiters& delimiters() const { return delimiters_; }
    std::string_view text() const { return {begin_, size_}; }

    // Text of a segment without its CR; data() == nullptr when there is no such occurrence.
    std::string_view segment(std::string_view name, std::size_t occurrence = 1) const;

    // The text in which a path's occurrences count: the group it names, or the whole message when it names none. Groups
    // with `*` stand for the first. data() == nullptr when there is no such group.
    std::string_view scope(const Path& path) const;

    SegmentCursor segments() const { return {text(), delimiters_.field}; }

private:
    Message(std::string_view text, const Delimiters& delimiters)
        : begin_(text.data()), size_(text.size()), delimiters_(delimiters) {}

    const char* begin_;
    std::size_t size_;
    Delimiters delimiters_;
};

// [A-Z][A-Z0-9]{2}; segments with other names are kept and readable by SegmentCursor.
bool is_segment_name(std::string_view name);

} // namespace radscheduler
