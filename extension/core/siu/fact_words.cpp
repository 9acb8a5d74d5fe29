// Codes and words; LOINC by itself, words where nobody sent LOINC.
#include "fact_words.hpp"

#include "../ascii.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace radscheduler::siu {

namespace {

struct Listed {
    std::string_view means;
    std::string_view words; // between bars
};

constexpr Listed kLoinc[] = {
    {"egfr", "|33914-3|48642-3|48643-1|62238-1|98979-8|88293-6|88294-4|69405-9|70969-1|77147-7|94677-2|50210-4|"},
    {"creatinine", "|2160-0|38483-4|14682-9|59826-8|"},
    {"weight", "|29463-7|3141-9|3142-7|"},
    {"height", "|8302-2|3137-7|3138-5|"},
    {"pregnancy", "|82810-3|11449-6|"},
};

// Whole names: URINE CREATININE, CREATININE CLEARANCE and FETAL WEIGHT are other things.
constexpr Listed kNames[] = {
    {"egfr",
     "|EGFR|GFR|GFR EST|EST GFR|ESTIMATED GFR|GFREST|EGFRCR|EGFR CREATININE|GFR ESTIMATED|EGFR CKD-EPI|GFR CKD-EPI|"
     "EGFR (CKD-EPI)|EGFR MDRD|EGFR (MDRD)|EGFR NON-AFR. AMERICAN|EGFR NON AFRICAN AMERICAN|EGFR AFRICAN AMERICAN|"
     "ESTIMATED GLOMERULAR FILTRATION RATE|GLOMERULAR FILTRATION RATE|GLOMERULAR FILTRATION RATE ESTIMATED|"},
    {"creatinine",
     "|CREATININE|CREAT|CREA|CRE|SCR|SERUM CREATININE|CREATININE SERUM|CREATININE, SERUM|CREATININE LEVEL|"
     "CREATININE SER|CREATININE BLOOD|CREATININE, BLOOD|CREATININE (SERUM)|"},
    {"weight", "|WEIGHT|BODY WEIGHT|WT|WGT|PATIENT WEIGHT|WEIGHT (KG)|WEIGHT KG|WEIGHT MEASURED|"},
    {"height", "|HEIGHT|BODY HEIGHT|HT|HGT|PATIENT HEIGHT|HEIGHT (CM)|HEIGHT CM|HEIGHT MEASURED|"},
    {"pregnancy", "|PREGNANCY STATUS|PREGNANCY|PREGNANT|PREGNANCY STATUS - REPORTED|IS PATIENT PREGNANT|PREG STATUS|"},
};

// Codes are those of SNOMED CT and of LOINC's answer lists.
constexpr Listed kPregnancy[] = {
    {"pregnant",
     "|PREGNANT|YES|Y|POSITIVE|POS|TRUE|77386006|LA15173-0|102874004|POSSIBLE PREGNANCY|POSSIBLY PREGNANT|POSSIBLE|"
     "MAY BE PREGNANT|PATIENT CURRENTLY PREGNANT|CURRENTLY PREGNANT|"},
    {"not_pregnant", "|NOT PREGNANT|NO|N|NEGATIVE|NEG|FALSE|60001007|LA26683-5|NOT_PREGNANT|NOT CURRENTLY PREGNANT|"},
};

constexpr Listed kSeverity[] = {
    {"SV", "|SV|SEVERE|S|24484000|HIGH|LIFE THREATENING|FATAL|ANAPHYLAXIS|"},
    {"MO", "|MO|MODERATE|M|6736007|MEDIUM|"},
    {"MI", "|MI|MILD|255604002|LOW|"},
};

template <std::size_t size>
std::string_view find(const Listed (&list)[size], std::string_view word) {
    if (word.empty() || word.find('|') != std::string_view::npos) return {};
    const std::string between = "|" + upper(trim(word)) + "|";
    for (const Listed& entry : list) {
        if (entry.words.find(between) != std::string_view::npos) return entry.means;
    }
    return {};
}

template <std::size_t size>
std::string first_found(const Listed (&list)[size], std::initializer_list<std::string_view> words) {
    for (const std::string_view word : words) {
        const std::string_view found = find(list, word);
        if (!found.empty()) return std::string(found);
    }
    return {};
}

bool take(std::string_view& text, std::string_view sign) {
    if (text.substr(0, sign.size()) != sign) return false;
    text.remove_prefix(sign.size());
    return true;
}

} // namespace

std::string_view kind_of_loinc(std::string_view code) {
    return find(kLoinc, code);
}

std::string_view kind_of_words(std::string_view name) {
    return find(kNames, name);
}

Measured measured_of(std::string_view text) {
    constexpr std::size_t kMaxDigits = 9;
    Measured measured;
    text = trim(text);
    for (const auto& [sign, comparator] : {std::pair<std::string_view, std::string_view>{"<=", "<"},
                                           {">=", ">"},
                                           {"\xE2\x89\xA4", "<"},
                                           {"\xE2\x89\xA5", ">"},
                                           {"<", "<"},
                                           {">", ">"},
                                           {"=", ""}}) {
        if (take(text, sign)) {
            measured.comparator = comparator;
            break;
        }
    }
    text = trim(text);
    std::string number;
    while (!text.empty() && is_digit(text.front()) && number.size() <= kMaxDigits) {
        number.push_back(text.front());
        text.remove_prefix(1);
    }
    // A comma is a decimal one where one or two digits follow; of more nobody knows.
    if (!number.empty() && text.size() > 1 && (text[0] == '.' || text[0] == ',') && is_digit(text[1])) {
        const bool comma = text[0] == ',';
        std::size_t digits = 1;
        while (digits < text.size() && is_digit(text[digits]))
            ++digits;
        if (comma && digits > 3) return {};
        number.push_back('.');
        number += text.substr(1, std::min(digits - 1, kMaxDigits));
        text.remove_prefix(digits);
    } else if (!number.empty() && text == ".") {
        text.remove_prefix(1);
    }
    text = trim(text);
    // Behind the number a unit may stand, and nothing that makes it another number: 60-80, 1:20, 5/3.
    const bool ends = text.empty() || is_alpha(text.front()) || text.front() == '[' || text.front() == '%' ||
                      static_cast<unsigned char>(text.front()) >= 0x80;
    if (number.empty() || number.size() > 2 * kMaxDigits || !ends) return {};
    measured.number = std::move(number);
    measured.unit = text;
    return measured;
}

std::string pregnancy_code(std::initializer_list<std::string_view> answers) {
    return first_found(kPregnancy, answers);
}

std::string severity_of(std::initializer_list<std::string_view> words) {
    return first_found(kSeverity, words);
}

bool is_icd(std::string_view code) {
    if (code.size() < 3 || code.size() > 8) return false;
    const bool ten = is_alpha(code[0]) && is_digit(code[1]) && (is_digit(code[2]) || is_alpha(code[2]));
    const bool nine = all_digits(code.substr(0, 3)) && code.size() > 4 && code[3] == '.';
    if (!ten && !nine) return false;
    for (const char c : code.substr(3)) {
        if (!is_digit(c) && !is_alpha(c) && c != '.') return false;
    }
    return true;
}

} // namespace radscheduler::siu
