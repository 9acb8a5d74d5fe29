#include "live/filter.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

#include <nlohmann/json.hpp>

namespace radscheduler::sidecar::live {
namespace {

constexpr std::size_t most_words = 100;
constexpr std::size_t longest_word = 100;

std::string upper(std::string_view text) {
    std::string result(text);
    for (auto& c : result) {
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return result;
}

bool shares(const std::vector<std::string>& wanted, const std::vector<std::string>& there) {
    return wanted.empty() || std::any_of(there.begin(), there.end(), [&](const std::string& one) {
               return std::find(wanted.begin(), wanted.end(), one) != wanted.end();
           });
}

bool has_type(const std::vector<std::string>& patterns, std::string_view type) {
    return patterns.empty() || std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
               const std::string_view start = std::string_view(pattern).substr(0, pattern.size() - 1);
               return pattern.back() == '*' ? type.substr(0, start.size()) == start : type == pattern;
           });
}

// Whether a side begins before `to`; what has no beginning lies nowhere.
bool begins_before(const Facet& facet, const Bound& to) {
    if (const auto* instant = std::get_if<std::int64_t>(&to)) {
        return facet.from && *facet.from < *instant;
    }
    const auto* day = std::get_if<std::string>(&to);
    return day == nullptr || (!facet.first_day.empty() && facet.first_day < *day);
}

// Whether it ends after `from`; what has a beginning only goes on.
bool ends_after(const Facet& facet, const Bound& from) {
    if (const auto* instant = std::get_if<std::int64_t>(&from)) {
        return facet.to ? *facet.to > *instant : facet.from.has_value();
    }
    const auto* day = std::get_if<std::string>(&from);
    return day == nullptr || (facet.last_day.empty() ? !facet.first_day.empty() : facet.last_day >= *day);
}

// Two digits or more at a place, as a number; -1 when there is something else.
int digits(std::string_view text, std::size_t at, std::size_t count) {
    int number = -1;
    if (at + count <= text.size() &&
        std::all_of(text.begin() + at, text.begin() + at + count, [](char c) { return c >= '0' && c <= '9'; })) {
        std::from_chars(text.data() + at, text.data() + at + count, number);
    }
    return number;
}

bool has_marks(std::string_view text, std::string_view shape) {
    if (text.size() < shape.size()) {
        return false;
    }
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (shape[i] != '0' && shape[i] != text[i]) {
            return false;
        }
    }
    return true;
}

bool read_offset(std::string_view text, std::chrono::minutes& offset) {
    if (text == "Z" || text == "z") {
        offset = std::chrono::minutes(0);
        return true;
    }
    const int hours = digits(text, 1, 2);
    const int minutes = digits(text, 4, 2);
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':' || hours < 0 || hours > 15 ||
        minutes < 0 || minutes > 59) {
        return false;
    }
    offset = std::chrono::minutes((text[0] == '-' ? -1 : 1) * (hours * 60 + minutes));
    return true;
}

} // namespace

bool Filter::matches(const Event& event) const {
    if (!has_type(types, event.type)) {
        return false;
    }
    const bool bounded = !std::holds_alternative<std::monostate>(from) || !std::holds_alternative<std::monostate>(to);
    if (modality.empty() && resources.empty() && locations.empty() && !bounded) {
        return true;
    }
    return std::any_of(event.facets.begin(), event.facets.end(), [&](const Facet& facet) {
        return shares(modality, facet.modality) && shares(resources, facet.resources) &&
               shares(locations, facet.locations) && begins_before(facet, to) && ends_after(facet, from);
    });
}

bool read_bound(std::string_view text, Bound& bound) {
    using namespace std::chrono;
    constexpr std::string_view day_shape = "0000-00-00";
    constexpr std::string_view time_shape = "0000-00-00T00:00:00";
    if (!has_marks(text, day_shape)) {
        return false;
    }
    const year_month_day date{year(digits(text, 0, 4)), month(static_cast<unsigned>(digits(text, 5, 2))),
                              day(static_cast<unsigned>(digits(text, 8, 2)))};
    if (digits(text, 0, 4) < 0 || digits(text, 5, 2) < 0 || digits(text, 8, 2) < 0 || !date.ok()) {
        return false;
    }
    if (text.size() == day_shape.size()) {
        bound = std::string(text);
        return true;
    }
    const int hour = digits(text, 11, 2);
    const int minute = digits(text, 14, 2);
    const int second = digits(text, 17, 2);
    if (!has_marks(text, time_shape) || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
        second > 60) {
        return false;
    }
    auto rest = text.substr(time_shape.size());
    std::int64_t fraction = 0;
    if (!rest.empty() && rest.front() == '.') {
        const auto end = std::min(rest.find_first_not_of("0123456789", 1), rest.size());
        if (end == 1 || end > 10) {
            return false;
        }
        const auto thousandths = (std::string(rest.substr(1, end - 1)) + "00").substr(0, 3);
        fraction = digits(thousandths, 0, 3);
        rest.remove_prefix(end);
    }
    minutes offset{0};
    if (!read_offset(rest, offset)) {
        return false;
    }
    const auto instant = sys_days(date) + hours(hour) + minutes(minute) + seconds(second) - offset;
    bound = static_cast<std::int64_t>(duration_cast<milliseconds>(instant.time_since_epoch()).count()) + fraction;
    return true;
}

bool is_type_pattern(std::string_view text) {
    if (text.empty() || text.size() > longest_word) {
        return false;
    }
    const bool open = text.back() == '*';
    const auto name = text.substr(0, text.size() - (open ? 1 : 0));
    const bool family = name.empty() || name.back() == '.';
    return open == family && (name.empty() || name.front() != '.') && std::all_of(name.begin(), name.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
           });
}

std::string add_to_filter(Filter& filter, std::string_view key, const std::vector<std::string>& words) {
    if (words.empty() || words.size() > most_words ||
        std::any_of(words.begin(), words.end(),
                    [](const std::string& word) { return word.empty() || word.size() > longest_word; })) {
        return std::string(key) + " takes 1 to 100 words of 1 to 100 characters.";
    }
    if (key == "types") {
        for (const auto& word : words) {
            if (!is_type_pattern(word)) {
                return "A type is written like appointment.created, a family of types like appointment.*, all like *.";
            }
            filter.types.push_back(word);
        }
    } else if (key == "modality" || key == "resource" || key == "resource_id" || key == "location") {
        auto& list = key == "modality" ? filter.modality : key == "location" ? filter.locations : filter.resources;
        std::transform(words.begin(), words.end(), std::back_inserter(list), upper);
    } else if (key == "from" || key == "to") {
        if (words.size() != 1 || !read_bound(words.front(), key == "from" ? filter.from : filter.to)) {
            return std::string(key) + " is a day such as 2031-05-05, or an instant such as 2031-05-05T15:00:00Z.";
        }
    } else {
        return "A filter has modality, resource, location, from and to.";
    }
    return {};
}

std::string read_filter(const nlohmann::json& object, Filter& filter) {
    for (const auto& [key, value] : object.items()) {
        std::vector<std::string> words;
        const auto add = [&](const nlohmann::json& one) {
            if (one.is_string()) {
                words.push_back(one.get<std::string>());
            } else if (one.is_number_integer()) {
                words.push_back(std::to_string(one.get<std::int64_t>()));
            } else {
                words.emplace_back();
            }
        };
        if (value.is_array()) {
            std::for_each(value.begin(), value.end(), add);
        } else {
            add(value);
        }
        if (key == "types") {
            return "types stands beside filter, not in it.";
        }
        if (auto problem = add_to_filter(filter, key, words); !problem.empty()) {
            return problem;
        }
    }
    return {};
}

} // namespace radscheduler::sidecar::live
