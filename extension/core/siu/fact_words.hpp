// The vocabulary of facts about patients: what an observation is about by its code or name, numbers as laboratories
// write them, answers about pregnancy, severities of allergies. What is not listed is not understood: empty.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace radscheduler::siu {

// egfr, creatinine, weight, height, pregnancy; empty for another observation.
std::string_view kind_of_loinc(std::string_view code);
std::string_view kind_of_words(std::string_view name);

struct Measured {
    std::string comparator; // "<", ">" or empty
    std::string number;     // digits, perhaps a point and more digits; empty: none was found
    std::string unit;       // what stands behind the number
};
Measured measured_of(std::string_view text);

// pregnant or not_pregnant by the first text that says so. Who may be pregnant counts as pregnant.
std::string pregnancy_code(std::initializer_list<std::string_view> answers);

// HL7 table 0128: SV, MO, MI.
std::string severity_of(std::initializer_list<std::string_view> words);

// Whether a code looks like one of ICD-10 (a letter and two digits, perhaps more) or ICD-9 (three digits, a point,
// more).
bool is_icd(std::string_view code);

} // namespace radscheduler::siu
