// Words are cut, phrases replaced, then each word is taken as what it means.
#include "radscheduler/study_words.hpp"

#include "ascii.hpp"
#include "study_vocabulary.hpp"

#include <algorithm>
#include <cstddef>

namespace radscheduler {

namespace {

constexpr std::size_t kMostCharacters = 500;

using Words = std::vector<std::string>;

bool is_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

std::string_view first_characters(std::string_view text) {
    std::size_t characters = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (!is_continuation(text[at]) && ++characters > kMostCharacters) return text.substr(0, at);
    }
    return text;
}

// How many bytes at the start are a sign beyond ASCII that parts words: blanks, dashes, quotation marks, currencies,
// arrows, mathematics, shapes. 0 for a letter.
std::size_t sign_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    if (byte(0) == 0xC2) { // U+0080 to U+00BF, of which three are letters
        return byte(1) == 0xAA || byte(1) == 0xB5 || byte(1) == 0xBA ? 0 : 2;
    }
    if (byte(0) == 0xC3 && (byte(1) == 0x97 || byte(1) == 0xB7)) return 2; // times and divided by
    if (byte(0) == 0xE2) {
        const unsigned code = 0x2000 + (byte(1) & 0x3F) * 64 + (byte(2) & 0x3F);
        const bool is_sign = code < 0x2070 || (code >= 0x20A0 && code < 0x20D0) || (code >= 0x2190 && code < 0x2460) ||
                             (code >= 0x2500 && code < 0x2C00);
        return is_sign ? 3 : 0;
    }
    if (byte(0) == 0xE3 && byte(1) == 0x80 && byte(2) < 0x84) return 3; // blank and stops of Chinese
    return 0;
}

Words cut(std::string_view text) {
    Words words;
    bool is_inside = false;
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        const bool is_ascii = static_cast<unsigned char>(c) < 0x80;
        const std::size_t sign = is_ascii ? (is_alpha(c) || is_digit(c) ? 0 : 1) : sign_length(text.substr(at));
        if (sign > 0) {
            at += sign;
            is_inside = false;
            continue;
        }
        if (!is_inside) words.emplace_back();
        words.back().push_back(to_upper(c));
        is_inside = true;
        ++at;
    }
    return words;
}

// Cuts the next word off a list between blanks.
std::string_view next_word(std::string_view& list) {
    const std::size_t end = std::min(list.find(' '), list.size());
    const std::string_view word = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    return word;
}

// Whether the word is that of a phrase; where # met a digit, that is put into `digit`.
bool meets(std::string_view word, std::string_view pattern, char& digit) {
    if (pattern.empty() || pattern[0] != '#') return word == pattern;
    if (word.empty() || !is_digit(word[0]) || word.substr(1) != pattern.substr(1)) return false;
    digit = word[0];
    return true;
}

// How many words from `at` on are the phrase; 0 for none.
std::size_t phrase_length(const Words& words, std::size_t at, std::string_view phrase, char& digit) {
    // Most words begin no phrase.
    if (words[at][0] != phrase[0] && !(phrase[0] == '#' && is_digit(words[at][0]))) return 0;
    std::size_t length = 0;
    while (!phrase.empty()) {
        if (at + length >= words.size() || !meets(words[at + length], next_word(phrase), digit)) return 0;
        ++length;
    }
    return length;
}

void replace(Words& words, const StudyPhrase& phrase) {
    for (std::size_t at = 0; at < words.size(); ++at) {
        char digit = '#';
        const std::size_t length = phrase_length(words, at, phrase.from, digit);
        if (length == 0) continue;
        Words instead;
        for (std::string_view left = phrase.to; !left.empty();) {
            instead.emplace_back(next_word(left));
            std::ranges::replace(instead.back(), '#', digit);
        }
        const auto first = words.begin() + static_cast<std::ptrdiff_t>(at);
        const auto rest = words.erase(first, first + static_cast<std::ptrdiff_t>(length));
        words.insert(rest, instead.begin(), instead.end());
        at += instead.size() - 1;
    }
}

// The list's words stand between blanks, with one at either end.
bool is_one_of(std::string_view word, std::string_view list) {
    for (std::size_t at = list.find(word); at != std::string_view::npos; at = list.find(word, at + 1)) {
        if (list[at - 1] == ' ' && list[at + word.size()] == ' ') return true;
    }
    return false;
}

StudySide side_of(std::string_view word) {
    if (is_one_of(word, " LEFT LT L ")) return StudySide::left;
    if (is_one_of(word, " RIGHT RT R ")) return StudySide::right;
    if (is_one_of(word, " BILATERAL BILAT BIL BOTH ")) return StudySide::both;
    if (is_one_of(word, " UNILATERAL ONE ")) return StudySide::one;
    return StudySide::none;
}

std::string_view meaning_of(std::string_view word) {
    for (const StudyMeaning& meaning : kStudyMeanings) {
        if (meaning.word == word) return meaning.means;
    }
    return word;
}

// Two sides are both; a side goes before the word that there is one.
StudySide with(StudySide before, StudySide side) {
    if (before == StudySide::none || before == side) return side;
    if (side == StudySide::one) return before;
    if (before == StudySide::one) return side;
    return StudySide::both;
}

} // namespace

StudyWords study_words(std::string_view text) {
    Words words = cut(first_characters(text));
    for (const StudyPhrase& phrase : kStudyPhrases)
        replace(words, phrase);
    StudyWords result;
    for (const std::string& word : words) {
        if (const StudySide side = side_of(word); side != StudySide::none) {
            result.side = with(result.side, side);
        } else if (!is_one_of(word, kStudyWordsLeftOut)) {
            for (std::string_view means = meaning_of(word); !means.empty();)
                result.words.emplace_back(next_word(means));
        }
    }
    std::ranges::sort(result.words);
    result.words.erase(std::unique(result.words.begin(), result.words.end()), result.words.end());
    return result;
}

std::string_view name_of(StudySide side) {
    switch (side) {
    case StudySide::none:
        return "";
    case StudySide::left:
        return "left";
    case StudySide::right:
        return "right";
    case StudySide::both:
        return "both";
    case StudySide::one:
        return "one";
    }
    return "";
}

} // namespace radscheduler
