#include "live/cursor.hpp"

#include <algorithm>
#include <charconv>

namespace radscheduler::sidecar::live {
namespace {

constexpr std::size_t most_xid_digits = 19;
constexpr std::size_t most_seq_digits = 18;
constexpr std::size_t longest_epoch = 64;

bool read_digits(std::string_view text, std::size_t most, std::uint64_t& number) {
    if (text.empty() || text.size() > most) {
        return false;
    }
    const auto end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    return read.ec == std::errc() && read.ptr == end;
}

bool is_epoch(std::string_view text) {
    return !text.empty() && text.size() <= longest_epoch && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
    });
}

} // namespace

std::string to_text(Cursor cursor) {
    return std::to_string(cursor.xid) + "-" + std::to_string(cursor.seq);
}

std::optional<Cursor> read_cursor(std::string_view text) {
    const auto dash = text.find('-');
    Cursor cursor;
    if (dash == std::string_view::npos || !read_digits(text.substr(0, dash), most_xid_digits, cursor.xid) ||
        !read_digits(text.substr(dash + 1), most_seq_digits, cursor.seq)) {
        return std::nullopt;
    }
    return cursor;
}

std::optional<Place> read_place(std::string_view text) {
    const auto colon = text.find(':');
    Place place;
    if (colon != std::string_view::npos) {
        if (!is_epoch(text.substr(0, colon))) {
            return std::nullopt;
        }
        place.epoch = std::string(text.substr(0, colon));
        text.remove_prefix(colon + 1);
    }
    const auto cursor = read_cursor(text);
    if (!cursor) {
        return std::nullopt;
    }
    place.cursor = *cursor;
    return place;
}

std::string to_text(const Place& place) {
    return place.epoch + ":" + to_text(place.cursor);
}

} // namespace radscheduler::sidecar::live
