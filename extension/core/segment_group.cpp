// Finding segments by name, and where the group of one ends.
#include "segment_group.hpp"

#include <array>

namespace radscheduler {

namespace {

struct Ends {
    std::string_view opener;
    std::string_view enders; // names of three letters, separated by blanks
};

constexpr std::array kEnds = std::to_array<Ends>({
    {"SCH", "PID RGS"},
    {"TQ1", "TQ2 PID PV1 RGS AIS AIG AIL AIP OBR ORC"},
    {"PID", "RGS"},
    {"PV1", "PID RGS ORC OBR"},
    {"AIS", "AIG AIL AIP RGS"},
    {"AIG", "AIS AIL AIP RGS"},
    {"AIL", "AIS AIG AIP RGS"},
    {"AIP", "AIS AIG AIL RGS"},
    {"ORC", "PID"},
    {"OBR", "ORC PID"},
    {"OBX", "OBR ORC SPM PID RGS AIS AIG AIL AIP"},
    {"SPM", "OBR ORC PID"},
    {"IN1", "PID ORC OBR RGS"},
});

std::string_view enders_of(std::string_view opener) {
    for (const Ends& ends : kEnds) {
        if (ends.opener == opener) return ends.enders;
    }
    return {};
}

bool names(std::string_view list, std::string_view name) {
    for (; list.size() >= 3; list.remove_prefix(list.size() > 3 ? 4 : 3)) {
        if (list.substr(0, 3) == name) return true;
    }
    return false;
}

} // namespace

std::string_view find_segment(std::string_view text, char field_separator, std::string_view name,
                              std::size_t occurrence) {
    while (!text.empty()) {
        const std::string_view line = take_line(text);
        if (is_named(line, field_separator, name) && --occurrence == 0) return line;
    }
    return {};
}

std::string_view group_of(std::string_view text, char field_separator, std::string_view name, std::size_t occurrence) {
    const std::string_view opener = find_segment(text, field_separator, name, occurrence);
    if (opener.data() == nullptr) return {};
    const std::string_view enders = enders_of(name);
    std::string_view rest = text.substr(static_cast<std::size_t>(opener.data() - text.data()));
    const std::string_view group = rest;
    take_line(rest);
    while (!rest.empty()) {
        const std::size_t passed = group.size() - rest.size();
        const std::string_view line = take_line(rest);
        const std::string_view found = line.substr(0, 3);
        if (is_named(line, field_separator, name) || (names(enders, found) && is_named(line, field_separator, found)))
            return group.substr(0, passed);
    }
    return group;
}

} // namespace radscheduler
