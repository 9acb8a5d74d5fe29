// Choosing and ordering numbers.
#include "phone.hpp"

#include "../ascii.hpp"

#include <algorithm>
#include <utility>

namespace radscheduler::siu {

namespace {

constexpr std::size_t kHome = 13;
constexpr std::size_t kBusiness = 14;
constexpr std::size_t kTelecommunication = 40; // 2.7 and later

enum Rank { mobile, home, unspecified, work };

bool has_digit(std::string_view text) {
    return std::any_of(text.begin(), text.end(), is_digit);
}

std::string number_of(const SegmentFields& pid, std::size_t field, std::size_t repetition) {
    std::string unformatted = pid.text(field, 12, repetition).value;
    if (has_digit(unformatted)) return unformatted;
    const std::string local = pid.text(field, 7, repetition).value;
    if (has_digit(local)) {
        std::string number;
        std::string country = pid.text(field, 5, repetition).value;
        if (!country.empty()) {
            if (!country.starts_with('+')) number.push_back('+');
            number.append(country).push_back(' ');
        }
        const std::string area = pid.text(field, 6, repetition).value;
        if (!area.empty()) number += area + " ";
        return number + local;
    }
    return pid.text(field, 1, repetition).value;
}

bool is_no_phone(const SiuPhone& phone) {
    const std::string use = upper(phone.use);
    const std::string equipment = upper(phone.equipment);
    return use == "NET" || equipment == "INTERNET" || equipment == "X.400" || equipment == "FX" || equipment == "BP" ||
           phone.value.find('@') != std::string::npos || !has_digit(phone.value);
}

Rank rank_of(const SiuPhone& phone, std::size_t field) {
    const std::string use = upper(phone.use);
    const std::string equipment = upper(phone.equipment);
    if (equipment == "CP" || equipment == "CELL" || use == "ORN" || use == "PRS") return mobile;
    if (use == "WPN" || field == kBusiness) return work;
    if (use == "PRN" || equipment == "PH" || field == kHome) return home;
    return unspecified;
}

} // namespace

void read_phones(const SegmentFields& pid, SiuPatient& patient) {
    std::vector<std::pair<Rank, SiuPhone>> found;
    for (const std::size_t field : {kHome, kTelecommunication, kBusiness}) {
        for (std::size_t i = 1; i <= pid.repetitions(field); ++i) {
            if (pid.is_null(field, i)) continue;
            SiuPhone phone{number_of(pid, field, i), pid.text(field, 2, i).value, pid.text(field, 3, i).value};
            if (is_no_phone(phone)) continue;
            const Rank rank = rank_of(phone, field);
            found.emplace_back(rank, std::move(phone));
        }
    }
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [rank, phone] : found)
        patient.phones.push_back(std::move(phone));
    patient.phones_null = patient.phones.empty() && pid.is_null(kHome);
}

} // namespace radscheduler::siu
