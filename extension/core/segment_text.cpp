// Exchanging delimiters.
#include "segment_text.hpp"

#include "ascii.hpp"
#include "radscheduler/escape.hpp"

namespace radscheduler {

namespace {

// The declared counterpart of a usual delimiter; a blank for one that is not declared, '\0' for any other character.
char counterpart(char c, const Delimiters& delimiters) {
    const Delimiters usual;
    char found = '\0';
    if (c == usual.field) {
        found = delimiters.field;
    } else if (c == usual.component) {
        found = delimiters.component;
    } else if (c == usual.repetition) {
        found = delimiters.repetition;
    } else if (c == usual.subcomponent) {
        found = delimiters.subcomponent;
    } else {
        return '\0';
    }
    return found == '\0' ? ' ' : found;
}

// \F\ \S\ \T\ \R\ \E\ stand for the usual delimiters, which may be data there; '\0' for any other escape.
char delimiter_named(std::string_view escape_name) {
    const Delimiters usual;
    if (escape_name == "F") return usual.field;
    if (escape_name == "S") return usual.component;
    if (escape_name == "T") return usual.subcomponent;
    if (escape_name == "R") return usual.repetition;
    if (escape_name == "E") return usual.escape;
    return '\0';
}

void add_data(std::string& text, char c, const Delimiters& delimiters) {
    if (delimiters.separates(c)) {
        text += escape(std::string_view(&c, 1), delimiters);
    } else {
        text.push_back(c);
    }
}

} // namespace

std::string in_delimiters(std::string_view segment, const Delimiters& delimiters) {
    const Delimiters usual;
    std::string text;
    text.reserve(segment.size());
    for (std::size_t i = 0; i < segment.size(); ++i) {
        const char c = segment[i];
        if (is_framing(c) || c == '\r' || c == '\n') continue;
        const std::size_t end = c == usual.escape ? segment.find_first_of("|^~&\\", i + 1) : std::string_view::npos;
        if (end != std::string_view::npos && segment[end] == usual.escape) {
            const std::string_view name = segment.substr(i + 1, end - i - 1);
            const char mark = delimiters.escape == '\0' ? ' ' : delimiters.escape;
            if (const char named = delimiter_named(name); named != '\0') {
                add_data(text, named, delimiters);
            } else {
                text.push_back(mark);
                for (const char n : name) {
                    if (!is_framing(n) && n != '\r' && n != '\n') add_data(text, n, delimiters);
                }
                text.push_back(mark);
            }
            i = end;
        } else if (const char other = counterpart(c, delimiters); other != '\0') {
            text.push_back(other);
        } else {
            add_data(text, c, delimiters);
        }
    }
    return text;
}

} // namespace radscheduler
