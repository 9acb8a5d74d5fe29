// Normalising bytes, and the lazy scan over segments.
#include "radscheduler/message.hpp"

#include "ascii.hpp"
#include "segment_group.hpp"

#include <cstdint>
#include <cstring>

namespace radscheduler {

namespace {

constexpr bool is_line_end(char c) {
    return c == '\r' || c == '\n';
}
constexpr bool is_filler(char c) {
    return is_blank(c) || is_line_end(c) || is_framing(c);
}

std::size_t filler_before_header(std::string_view bytes) {
    std::size_t position = 0;
    while (position < bytes.size()) {
        if (is_filler(bytes[position])) {
            ++position;
        } else if (bytes.substr(position).starts_with(kByteOrderMark)) {
            position += kByteOrderMark.size();
        } else {
            break;
        }
    }
    return position;
}

bool is_blank_line(std::string_view line) {
    for (const char c : line) {
        if (!is_filler(c)) return false;
    }
    return true;
}

// Cuts what the transport left behind the last segment: line ends, framing bytes, blank lines.
std::string_view without_trailing_filler(std::string_view bytes) {
    while (true) {
        while (!bytes.empty() && (is_framing(bytes.back()) || is_line_end(bytes.back())))
            bytes.remove_suffix(1);
        const std::size_t line_end = bytes.find_last_of("\r\n");
        if (line_end == std::string_view::npos || !is_blank_line(bytes.substr(line_end + 1))) return bytes;
        bytes = bytes.substr(0, line_end);
    }
}

} // namespace

bool is_segment_name(std::string_view name) {
    return name.size() == 3 && is_upper(name[0]) && (is_upper(name[1]) || is_digit(name[1])) &&
           (is_upper(name[2]) || is_digit(name[2]));
}

Result<std::string> normalize(std::string_view bytes) {
    if (!bytes.empty()) {
        if (const void* nul = std::memchr(bytes.data(), '\0', bytes.size()); nul != nullptr) {
            const auto offset = static_cast<std::size_t>(static_cast<const char*>(nul) - bytes.data());
            return Error{ErrorCode::nul_byte, offset, "",
                         "The message holds a NUL byte at offset " + std::to_string(offset) +
                             "; send it as text in UTF-8 or an ISO 8859 charset (UTF-16 is not supported)."};
        }
    }
    const std::size_t start = filler_before_header(bytes);
    std::string_view rest = without_trailing_filler(bytes.substr(start));
    if (rest.empty()) {
        return Error{ErrorCode::empty_input, 0, "",
                     "The message is empty; send one HL7 v2 message that starts with MSH."};
    }
    if (!is_header_name(rest.substr(0, 3))) {
        return Error{ErrorCode::no_header, start, "MSH",
                     "The text does not begin with an MSH segment (byte " + std::to_string(start) +
                         "); send one HL7 v2 message that starts with MSH."};
    }

    std::string canonical;
    canonical.reserve(rest.size() + 1);
    while (!rest.empty()) {
        const std::size_t end = rest.find_first_of("\r\n");
        const std::string_view line = rest.substr(0, end);
        if (!is_blank_line(line)) {
            canonical.append(line);
            canonical.push_back('\r');
        }
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    return canonical;
}

namespace {

// Where the loader put this program differs from process to process.
const char kSeedPlace = 0;

} // namespace

SegmentCursor::SegmentCursor(std::string_view text, char field_separator)
    : text_(text), separator_(field_separator), seen_(8, NameHash{reinterpret_cast<std::uintptr_t>(&kSeedPlace)}) {}

// FNV-1a with the seed as offset basis.
std::size_t SegmentCursor::NameHash::operator()(std::string_view name) const {
    constexpr std::uint64_t prime = 0x100000001B3ULL;
    std::uint64_t hash = seed ^ 0xCBF29CE484222325ULL;
    for (const char c : name)
        hash = (hash ^ static_cast<unsigned char>(c)) * prime;
    return static_cast<std::size_t>(hash ^ (hash >> 32));
}

bool SegmentCursor::next(Segment& segment) {
    while (position_ < text_.size()) {
        const std::string_view rest = text_.substr(position_);
        const std::size_t end = rest.find('\r');
        const std::string_view line = rest.substr(0, end);
        const std::size_t offset = position_;
        position_ += end == std::string_view::npos ? rest.size() : end + 1;
        if (line.empty()) continue;
        segment.text = line;
        segment.name = line.substr(0, line.find(separator_));
        segment.offset = offset;
        segment.well_named = is_segment_name(segment.name);
        segment.occurrence = ++seen_[segment.name];
        return true;
    }
    return false;
}

Result<Message> Message::open(std::string_view canonical) {
    if (canonical.empty()) {
        return Error{ErrorCode::empty_input, 0, "",
                     "The message is empty; send one HL7 v2 message that starts with MSH."};
    }
    Result<Delimiters> delimiters = Delimiters::read(canonical);
    if (!delimiters) return delimiters.error();
    return Message(canonical, *delimiters);
}

std::string_view Message::segment(std::string_view name, std::size_t occurrence) const {
    return find_segment(text(), delimiters_.field, name, occurrence);
}

std::string_view Message::scope(const Path& path) const {
    std::string_view scope = text();
    for (std::uint32_t i = 0; i < path.group_count && scope.data() != nullptr; ++i) {
        const Path::Group& group = path.groups[i];
        scope = group_of(scope, delimiters_.field, group.segment_name(),
                         group.occurrence == Path::kAll ? 1 : group.occurrence);
    }
    return scope;
}

} // namespace radscheduler
