// Telling the lines of a batch file apart.
#include "batch_line.hpp"

#include "ascii.hpp"

#include <algorithm>

namespace radscheduler {

namespace {

// What transports and tapes put between messages.
constexpr bool is_padding(char c) {
    return is_framing(c) || c == '\0';
}

} // namespace

BatchLine batch_line(std::string_view line) {
    if (line.size() > 3) {
        const char next = line[3];
        const bool ends_name = is_framing(next) || (next > ' ' && next < '\x7F' && !is_alpha(next) && !is_digit(next));
        if (!ends_name) return BatchLine::other;
    }
    const std::string_view name = line.substr(0, 3);
    if (name == "MSH") return BatchLine::message;
    if (name == "BHS") return BatchLine::batch_header;
    if (name == "FHS") return BatchLine::file_header;
    if (name == "BTS") return BatchLine::batch_trailer;
    if (name == "FTS") return BatchLine::file_trailer;
    return BatchLine::other;
}

std::size_t batch_line_end(std::string_view bytes, std::size_t begin) {
    std::size_t end = begin;
    while (true) {
        end = bytes.find_first_of(std::string_view("\r\n\x0B\x1C\0", 5), end);
        if (end == std::string_view::npos) return bytes.size();
        if (!is_padding(bytes[end])) return end;
        if (end > begin && batch_line(bytes.substr(end + 1, 4)) != BatchLine::other) return end;
        ++end;
    }
}

std::size_t batch_content_begin(std::string_view bytes, std::size_t begin, std::size_t end) {
    while (begin < end) {
        if (is_blank(bytes[begin]) || is_padding(bytes[begin])) {
            ++begin;
        } else if (bytes.substr(begin).starts_with(kByteOrderMark)) {
            begin += kByteOrderMark.size();
        } else {
            break;
        }
    }
    return std::min(begin, end);
}

std::string_view without_framing(std::string_view line) {
    while (!line.empty() && (is_framing(line.back()) || is_blank(line.back())))
        line.remove_suffix(1);
    return line;
}

bool read_batch_count(std::string_view line, std::size_t& count) {
    constexpr std::size_t longest = 9;
    line = without_framing(line);
    if (line.size() < 5) return false;
    const std::string_view field = line.substr(4);
    std::string_view digits = trim(field.substr(0, field.find(line[3])));
    while (digits.size() > 1 && digits.front() == '0')
        digits.remove_prefix(1);
    if (!all_digits(digits) || digits.size() > longest) return false;
    count = static_cast<std::size_t>(digits_value(digits));
    return true;
}

} // namespace radscheduler
