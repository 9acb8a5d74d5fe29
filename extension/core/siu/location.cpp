// Reading PL.
#include "location.hpp"

#include "../ascii.hpp"
#include "words.hpp"

#include <algorithm>

namespace radscheduler::siu {

namespace {

constexpr std::size_t kLongestRoomPrefix = 4;

// "R7", "CT-2", "101A", "Room 4": the name of a room within something else.
bool is_room_designation(std::string_view text) {
    const std::size_t word = std::min(text.find_first_of(" -."), text.size());
    if (is_room_word(text.substr(0, word))) return true;
    std::size_t position = 0;
    while (position < text.size() && is_alpha(text[position]))
        ++position;
    if (position > kLongestRoomPrefix) return false;
    if (position < text.size() && (text[position] == ' ' || text[position] == '-')) ++position;
    const std::size_t digits = position;
    while (position < text.size() && is_digit(text[position]))
        ++position;
    if (position == digits) return false;
    if (position < text.size() && is_alpha(text[position])) ++position;
    return position == text.size();
}

bool numbers_a_name(const std::string& point_of_care, const std::string& room) {
    return all_digits(point_of_care) && std::any_of(room.begin(), room.end(), is_alpha) && !is_room_designation(room);
}

// From 2.7 on these are designators (HD): their namespace, told from free text with a stray & by the type in .3.
Text part(const SegmentFields& fields, std::size_t field, std::size_t component, std::size_t repetition) {
    return fields.subtext(field, component, 3, repetition).has_value() ? fields.subtext(field, component, 1, repetition)
                                                                       : fields.text(field, component, repetition);
}

} // namespace

Place read_place(const SegmentFields& fields, std::size_t field, std::size_t repetition) {
    Place place;
    Text point_of_care = part(fields, field, 1, repetition);
    Text room = part(fields, field, 2, repetition);
    Text local_name; // 22&CT North&L
    if (!room.has_value() && fields.subtext(field, 1, 3, repetition).value == "L") {
        local_name = fields.subtext(field, 1, 2, repetition);
    }
    place.facility = fields.subtext(field, 4, 1, repetition);
    if (!place.facility.has_value()) place.facility = fields.subtext(field, 4, 2, repetition);
    if (local_name.has_value() || numbers_a_name(point_of_care.value, room.value)) {
        place.code = std::move(point_of_care);
        place.name = local_name.has_value() ? std::move(local_name) : std::move(room);
        place.also = place.name;
        return place;
    }
    if (!room.has_value()) {
        place.code = point_of_care;
        place.name = std::move(point_of_care);
        return place;
    }
    place.name.value = point_of_care.value + (point_of_care.has_value() ? " " : "") + room.value;
    place.code = std::move(room);
    return place;
}

} // namespace radscheduler::siu
